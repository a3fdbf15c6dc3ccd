import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { createCosignerKeys, readCosignerKeys } from '../../src/keys/cosigner-keys.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { scratchDirectory } from '../log/scratch.ts';

test.each([
  [false, [0x04]],
  [true, [0x04, 0x06]],
])('keys of a cosigner, with ML-DSA-44: %s', async (mlDsa, types) => {
  const directory = await scratchDirectory();
  const made = await createCosignerKeys(directory, 'witness.example/w', { mlDsa });
  expect(made.map(({ key }) => key.type)).toEqual(types);
  const read = await readCosignerKeys(directory, 'witness.example/w');
  expect(read.map(({ key }) => formatVkey(key))).toEqual(made.map(({ key }) => formatVkey(key)));
  await expect(createCosignerKeys(directory, 'w', { mlDsa })).rejects.toThrow('exists already');
});

test('a name that no note can carry makes no key', async () => {
  const directory = await scratchDirectory();
  await expect(createCosignerKeys(directory, 'a b', { mlDsa: false })).rejects.toThrow('space');
  expect(await readdir(directory)).toEqual([]);
  await expect(readCosignerKeys(directory, 'w')).rejects.toThrow('cosigner.key');
});
