/** docs/monitor.schema.json, which editors use, is the schema that monitor configs are parsed by. */
import { format } from 'prettier';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { monitorConfigSchema } from '../../src/monitor/config-schema.ts';

test('docs/monitor.schema.json is in step (`npx vitest run test/monitor/config-schema.test.ts -u` writes it)', async () => {
  const schema = JSON.stringify(z.toJSONSchema(monitorConfigSchema, { io: 'input' }));
  const text = await format(schema, { parser: 'json', printWidth: 100 });
  await expect(text).toMatchFileSnapshot('../../docs/monitor.schema.json');
});
