/** docs/formats.md shows a log of three entries: it is one, and the document shows it as it is. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeUtf8 } from '../../src/encoding/bytes.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';
import { pureVerifier } from '../../src/signature/pure-verifier.ts';
import { advance, examine, openGenesis } from '../../src/statement/admission.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { artifactKey, digestKey, entryKey } from '../../src/store/layout.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import { decodeHex } from '../../src/encoding/hex.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { parsePolicy, publicKeyFromPem, verifyProof } from '../../src/verify/index.ts';

const read = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(`test/vectors/daybook-log/${name}`));
const formats = readFileSync('docs/formats.md', 'utf8');
const entries = [0, 1, 2].map((i) => read(`entry-${i}.json`));
const expected = JSON.parse(decodeUtf8(read('expected.json'))) as {
  readonly entries: readonly { readonly leafHash: string; readonly dedupe?: string }[];
  readonly root: string;
};

test('the entries admit each other, and have the digests that are stated', async () => {
  let state = await openGenesis(entries[0]!, pureVerifier);
  const dedupe: (string | undefined)[] = [undefined];
  for (const entry of entries.slice(1)) {
    const admitted = await examine(state, entry, pureVerifier);
    state = advance(state, admitted.claim);
    dedupe.push(encodeHex(admitted.dedupe));
  }
  const leafHashes = entries.map((entry) => rfc6962.leaf(entry));
  expect(dedupe).toEqual(expected.entries.map((entry) => entry.dedupe));
  expect(leafHashes.map(encodeHex)).toEqual(expected.entries.map(({ leafHash }) => leafHash));
  expect(encodeHex(rootOfLeaves(leafHashes))).toBe(expected.root);
});

test('the proof verifies', async () => {
  const verdict = await verifyProof({
    artifact: {
      sha256: decodeHex('5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03'),
    },
    proof: read('scanner.txt.tlog-proof'),
    policy: parsePolicy(read('log.policy')),
    issuers: [publicKeyFromPem(decodeUtf8(read('issuer.pub')))],
    purl: 'pkg:generic/acme/*',
  });
  expect(verdict).toMatchObject({ ok: true, facts: { kind: 'build', index: 2 } });
});

test('the document shows the statements of the entries', () => {
  const payloads = entries.map((entry) => decodeUtf8(parseEnvelope(entry).payload));
  const shown = [...formats.matchAll(/^```json\n(\{\n.*?)^```$/gms)].map(([, block = '']) =>
    JSON.stringify(JSON.parse(block)),
  );
  // Samples of other statements are held to what is written by test/statement/documented-samples.test.ts.
  expect(shown).toEqual(expect.arrayContaining(payloads));
});

test('the document shows the digests, the checkpoint, the policy and the proof', () => {
  for (const { leafHash, dedupe } of expected.entries) {
    expect(formats).toContain(
      `| \`${leafHash}\` | ${dedupe === undefined ? ' ' : `\`${dedupe}\``}`,
    );
  }
  const { checkpoint } = parseTlogProof(read('scanner.txt.tlog-proof'));
  expect(formats).toContain(`\`\`\`text\n${decodeUtf8(checkpoint)}\`\`\``);
  expect(formats).toContain(`\`\`\`text\n${decodeUtf8(read('log.policy'))}\`\`\``);
  const [, , ...end] = decodeUtf8(read('scanner.txt.tlog-proof')).split('\n');
  expect(formats).toContain(`…\n${end.join('\n')}\`\`\``);
});

test('the document shows the keys of the database', () => {
  const [leaf, dedupe] = [expected.entries[0]!.leafHash, expected.entries[1]!.dedupe!];
  const origin = '8397a2e4a0359a83228037250202183e6e0dfbe51f1eca60e4a582e7b1215710';
  const keys = [
    entryKey(0),
    entryKey(1),
    digestKey('leaf', decodeHex(leaf)),
    digestKey('dedupe', decodeHex(dedupe)),
    artifactKey(decodeHex(origin), leafIndex(1)),
  ].map(encodeHex);
  const shown = formats.replaceAll(/(?<=^[0-9a-f ]+) /gm, '');
  for (const key of keys) expect(shown).toContain(`\n${key}`);
});
