/** Release files with fixed keys, for whoever reads them without Daybook: each verifies, or is refused for its reason. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeUtf8 } from '../../src/encoding/bytes.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import { DaybookError } from '../../src/errors.ts';
import { formatReleaseFile, parseReleaseFile } from '../../src/proof/release-file.ts';
import { pureVerifier } from '../../src/signature/pure-verifier.ts';
import { advance, examine, openGenesis } from '../../src/statement/admission.ts';
import { parsePolicy } from '../../src/verify/index.ts';
import { showFile, type ShownFile } from '../../src/verify/shown.ts';

interface Vector {
  readonly file: string;
  /** Null where the file verifies. */
  readonly code: string | null;
  readonly indexes?: readonly number[];
  /** Indexes of each channel file in it. */
  readonly channels?: readonly (readonly number[])[];
}

const read = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(`test/vectors/daybook-release/${name}`));
const { files, size, root, now } = JSON.parse(decodeUtf8(read('expected.json'))) as {
  readonly size: number;
  readonly root: string;
  readonly now: number;
  readonly files: readonly Vector[];
};
const policy = parsePolicy(read('log.policy'));
const show = (bytes: Uint8Array): Promise<ShownFile> => showFile(bytes, policy, now, pureVerifier);
const indexesOf = ({ entries }: ShownFile): number[] => entries.map(({ index }) => index);

test.each(files.filter(({ code }) => code === null))('$file verifies', async (vector) => {
  const bytes = read(vector.file);
  const shown = await show(bytes);
  expect(indexesOf(shown)).toEqual(vector.indexes);
  expect(shown.tree).toMatchObject({ size, quorumTime: now });
  expect(encodeHex(shown.tree.root)).toBe(root);
  const channels = await Promise.all(shown.channels.map(show));
  expect(channels.map(indexesOf)).toEqual(vector.channels);
  expect(formatReleaseFile(parseReleaseFile(bytes))).toEqual(bytes);
});

test.each(files.filter(({ code }) => code !== null))('$file is refused: $code', async (vector) => {
  const error: unknown = await show(read(vector.file)).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DaybookError);
  expect(error).toMatchObject({ code: vector.code });
});

test('the entries admit each other', async () => {
  const { entries } = parseReleaseFile(read('valid/all-entries.release'));
  const [genesis, ...others] = entries.map(({ entry }) => entry);
  let state = await openGenesis(genesis!, pureVerifier);
  for (const entry of others) {
    state = advance(state, (await examine(state, entry, pureVerifier)).claim);
  }
  expect(entries).toHaveLength(size);
});

test('a .tlog-proof shows what the release file of its one entry shows', async () => {
  const shown = await show(read('scanner.txt.tlog-proof'));
  expect(shown).toEqual(await show(read('valid/one-entry.release')));
});

test('the document shows how a file begins, and the format as the code has it', () => {
  const formats = readFileSync('docs/formats.md', 'utf8');
  const [, dump = ''] = /^```text\n(85 .*?)^```$/ms.exec(formats) ?? [];
  const shown = dump.replaceAll(/ {2,}.*$/gm, '').replaceAll(/\s/g, '');
  expect(shown.length).toBeGreaterThan(60);
  expect(encodeHex(read('valid/one-entry.release')).startsWith(shown)).toBe(true);
  for (const line of ['magic: "daybook-release/v1",', 'checkpoint: bstr,', 'proof: bstr,']) {
    expect(formats).toContain(line);
  }
});
