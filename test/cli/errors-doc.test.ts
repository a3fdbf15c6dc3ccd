import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { errorKinds } from '../../src/errors.ts';

test('docs/errors.md has a row for each code, with its HTTP status and exit code', async () => {
  const text = await readFile('docs/errors.md', 'utf8');
  const rows = [
    ...text.matchAll(/^\| `([a-z-]+)` +\| (\d{3}) +\| (\d+) +\| (.+?) +\| (.+?) +\|$/gm),
  ];
  const documented = rows.map(([, code, status, exit]) => [code, Number(status), Number(exit)]);
  const expected = Object.entries(errorKinds).map(([code, { status, exit }]) => [
    code,
    status,
    exit,
  ]);
  const byCode = (a: unknown[], b: unknown[]): number => (String(a[0]) < String(b[0]) ? -1 : 1);
  expect(documented.sort(byCode)).toEqual(expected.sort(byCode));
});
