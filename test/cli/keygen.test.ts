import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readKeyFile, readPublicKeyFile } from '../../src/keys/key-file.ts';
import { daybook, removeDirectory, temporaryDirectory } from './daybook.ts';

let directory: string;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => removeDirectory(directory));

test.each(['ed25519', 'ecdsa-p256', 'ml-dsa-44'])('makes a pair of %s', async (algorithm) => {
  const file = join(directory, algorithm);
  const { exit, stdout } = await daybook(
    directory,
    'keygen',
    '--out',
    algorithm,
    '--algorithm',
    algorithm,
  );
  expect(exit).toBe(0);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  const { publicKey } = await readKeyFile(file);
  expect(publicKey.algorithm).toBe(algorithm);
  expect((await readPublicKeyFile(`${file}.pub`)).fingerprint).toBe(publicKey.fingerprint);
  expect(stdout).toContain(publicKey.fingerprint);
});

test('never overwrites a key', async () => {
  expect((await daybook(directory, 'keygen', '--out', 'once')).exit).toBe(0);
  const before = await readFile(join(directory, 'once'), 'utf8');
  const { exit, stderr } = await daybook(directory, 'keygen', '--out', 'once');
  expect(exit).toBe(3);
  expect(stderr).toContain('once');
  expect(await readFile(join(directory, 'once'), 'utf8')).toBe(before);
});
