/** docs/policy.schema.json, which editors use, is the schema that policies are parsed by. */
import { format } from 'prettier';
import { expect, test } from 'vitest';
import * as z from 'zod';
import { releasePolicySchema } from '../../src/verify/release-policy-schema.ts';

test('docs/policy.schema.json is in step (`npx vitest run test/verify/policy-schema.test.ts -u` writes it)', async () => {
  const schema = JSON.stringify(z.toJSONSchema(releasePolicySchema, { io: 'input' }));
  const text = await format(schema, { parser: 'json', printWidth: 100 });
  await expect(text).toMatchFileSnapshot('../../docs/policy.schema.json');
});
