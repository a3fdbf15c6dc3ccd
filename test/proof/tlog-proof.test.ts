import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import { DaybookError } from '../../src/errors.ts';
import { asHash } from '../../src/merkle/hash.ts';
import { formatTlogProof, parseTlogProof } from '../../src/proof/tlog-proof.ts';

const hash = 'gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=';
const note =
  'example.com/log\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n— example.com/log hI2DJw==\n';
const sample = ['c2sp.org/tlog-proof@v1', 'extra ZXh0cmE=', 'index 73894', hash, hash, '', note];

const proofs = fc.record(
  {
    extra: fc.uint8Array({ minLength: 1, maxLength: 70 }),
    index: fc.maxSafeNat().map(leafIndex),
    hashes: fc.array(fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash), {
      maxLength: 53,
    }),
    checkpoint: fc.string({ minLength: 1, unit: 'grapheme' }).map((text) => utf8(text)),
  },
  { requiredKeys: ['index', 'hashes', 'checkpoint'] },
);

test('reads the parts of a proof file and leaves the checkpoint as it is', () => {
  const proof = parseTlogProof(utf8(sample.join('\n')));
  expect(proof.extra).toEqual(utf8('extra'));
  expect(proof.index).toBe(73894);
  expect(proof.hashes.map((bytes) => Buffer.from(bytes).toString('base64'))).toEqual([hash, hash]);
  expect(proof.checkpoint).toEqual(utf8(note));
});

test('needs neither extra data nor hashes', () => {
  const proof = parseTlogProof(utf8(`c2sp.org/tlog-proof@v1\nindex 0\n\n${note}`));
  expect(proof).toEqual({ index: 0, hashes: [], checkpoint: utf8(note) });
});

test('reads back what it wrote', () => {
  fc.assert(
    fc.property(proofs, (proof) => {
      expect(parseTlogProof(utf8(formatTlogProof(proof)))).toEqual(proof);
    }),
  );
});

test('carries an entry of the greatest length, and none that is longer', () => {
  const proof = parseTlogProof(utf8(sample.join('\n')));
  const carry = (length: number): Uint8Array =>
    utf8(formatTlogProof({ ...proof, extra: new Uint8Array(length) }));
  expect(parseTlogProof(carry(65_535)).extra).toHaveLength(65_535);
  expect(() => parseTlogProof(carry(65_536))).toThrow(/extra line has 87384 characters/);
});

describe('refuses', () => {
  const lines = (change: (lines: string[]) => void): string => {
    const changed = [...sample];
    change(changed);
    return changed.join('\n');
  };
  test.each<[string, string, RegExp]>([
    ['an empty file', '', /empty line/],
    ['another version', lines((l) => (l[0] = 'c2sp.org/tlog-proof@v2')), /first line/],
    ['a byte order mark', `\ufeff${sample.join('\n')}`, /first line/],
    ['line ends of DOS', sample.join('\r\n'), /./],
    ['no index', lines((l) => l.splice(2, 1)), /index line is missing/],
    ['the index before the extra data', lines((l) => l.splice(1, 2, l[2]!, l[1]!)), /hash 0/],
    ['extra data twice', lines((l) => l.splice(1, 0, l[1]!)), /index line is missing/],
    ['an empty extra line', lines((l) => (l[1] = 'extra ')), /extra line is empty/],
    ['extra data without padding', lines((l) => (l[1] = 'extra ZXh0cmE')), /extra line/],
    ['extra data with stray bits', lines((l) => (l[1] = 'extra ZXh0cmF=')), /extra line/],
    ['an index with a leading zero', lines((l) => (l[2] = 'index 01')), /index line/],
    ['a negative index', lines((l) => (l[2] = 'index -1')), /index line/],
    ['an index of 2^53', lines((l) => (l[2] = 'index 9007199254740992')), /index line/],
    ['a short hash', lines((l) => (l[3] = 'ZXh0cmE=')), /hash 0 has 5 bytes, want 32/],
    ['a hash with a space', lines((l) => (l[4] = ` ${hash}`)), /hash 1/],
    ['54 hashes', lines((l) => l.splice(3, 2, ...Array<string>(54).fill(hash))), /54 hashes/],
    ['no checkpoint', sample.slice(0, -1).join('\n'), /empty line|checkpoint/],
    ['nothing after the empty line', lines((l) => (l[6] = '')), /checkpoint should begin/],
    ['a header without end', `c2sp.org/tlog-proof@v1\n${'x'.repeat(200_000)}`, /empty line/],
  ])('%s', (_, text, reason) => {
    const parse = (): unknown => parseTlogProof(utf8(text));
    expect(parse).toThrow(reason);
    expect(parse).toThrow(expect.objectContaining({ code: 'bad-proof' }) as Error);
  });
});

test('reads each proof from one text only, and refuses the others as bad proofs', () => {
  const good = utf8(sample.join('\n'));
  const mutation = fc.record({
    at: fc.nat(good.length - 1),
    remove: fc.nat(2),
    insert: fc.uint8Array({ maxLength: 3 }),
  });
  fc.assert(
    fc.property(mutation, ({ at, remove, insert }) => {
      const mutated = Buffer.concat([good.slice(0, at), insert, good.slice(at + remove)]);
      try {
        const proof = parseTlogProof(mutated);
        // The checkpoint's own parser decides on the checkpoint.
        const header = mutated.subarray(0, mutated.length - proof.checkpoint.length);
        const checkpoint = utf8('checkpoint');
        expect(formatTlogProof({ ...proof, checkpoint })).toBe(`${header.toString()}checkpoint`);
      } catch (error) {
        expect((error as DaybookError).code).toBe('bad-proof');
      }
    }),
    { numRuns: 2000 },
  );
});
