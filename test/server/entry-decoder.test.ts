import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DaybookError } from '../../src/errors.ts';
import {
  CborSequenceDecoder,
  LineDecoder,
  type DecodedEntry,
  type EntryDecoder,
} from '../../src/server/entry-decoder.ts';

const bytes = (length: { maxLength: number }): fc.Arbitrary<Uint8Array> => fc.uint8Array(length);

function cborString(entry: Uint8Array): Uint8Array {
  const { length } = entry;
  const head = length < 24 ? [0x40 + length] : [0x59, length >> 8, length & 255];
  return Buffer.concat([Buffer.from(head), entry]);
}

/** Feeds `encoded` in pieces that end at `cuts`. */
function decode(decoder: EntryDecoder, encoded: Uint8Array, cuts: readonly number[]): unknown[] {
  const found: DecodedEntry[] = [];
  const ends = [...new Set(cuts.map((cut) => cut % (encoded.length + 1))), encoded.length];
  let start = 0;
  for (const end of ends.sort((a, b) => a - b)) {
    found.push(...decoder.push(encoded.subarray(start, end)));
    start = end;
  }
  found.push(...decoder.end());
  return found.map((entry) =>
    entry instanceof DaybookError ? entry.code : Buffer.from(entry).toString('hex'),
  );
}

const hex = (entries: readonly Uint8Array[]): string[] =>
  entries.map((entry) => Buffer.from(entry).toString('hex'));

describe('a batch gives the same entries however it is cut into pieces', () => {
  test('as a CBOR sequence', () => {
    const entries = fc.array(bytes({ maxLength: 400 }), { maxLength: 20 });
    fc.assert(
      fc.property(entries, fc.array(fc.nat(), { maxLength: 30 }), (list, cuts) => {
        const encoded = Buffer.concat(list.map(cborString));
        expect(decode(new CborSequenceDecoder(), encoded, cuts)).toEqual(hex(list));
      }),
    );
  });

  test('as lines, with or without a last line feed', () => {
    const line = bytes({ maxLength: 400 }).map((entry) => entry.filter((byte) => byte !== 0x0a));
    const lines = fc.array(line, { maxLength: 20 });
    fc.assert(
      fc.property(
        lines,
        fc.array(fc.nat(), { maxLength: 30 }),
        fc.boolean(),
        (list, cuts, last) => {
          const encoded = Buffer.concat(list.flatMap((each) => [each, Buffer.from('\n')]));
          const cutLast = !last && (list.at(-1)?.length ?? 0) > 0;
          const sent = cutLast ? encoded.subarray(0, -1) : encoded;
          expect(decode(new LineDecoder(), sent, cuts)).toEqual(hex(list));
        },
      ),
    );
  });
});

test.for([
  ['lines', new LineDecoder(), (entry: Uint8Array) => Buffer.concat([entry, Buffer.from('\n')])],
  ['CBOR', new CborSequenceDecoder(), cborString],
] as const)('an entry that is too large is refused in its place: %s', ([, decoder, encode]) => {
  const large = new Uint8Array(65_536).fill(0x61);
  const head = Uint8Array.of(0x5a, 0, 1, 0, 0);
  const encodedLarge =
    decoder instanceof CborSequenceDecoder ? Buffer.concat([head, large]) : encode(large);
  const largest = large.subarray(1);
  const encoded = Buffer.concat([encode(largest), encodedLarge, encode(Uint8Array.of(0x62))]);
  const [first, ...rest] = decode(decoder, encoded, [70_000, 100_000]);
  expect(first).toBe(Buffer.from(largest).toString('hex'));
  expect(rest).toEqual(['entry-too-large', '62']);
});

test.for([
  ['an integer', [0x01]],
  ['text', [0x61, 0x61]],
  ['an array', [0x81, 0x41, 0x61]],
  ['a tag', [0xd8, 0x1d, 0x41, 0x61]],
  ['an indefinite length', [0x5f, 0x41, 0x61, 0xff]],
  ['a reserved length', [0x5c]],
  ['a cut head', [0x59, 0x01]],
  ['a cut entry', [0x43, 0x61]],
] as const)('no CBOR sequence of byte strings: %s', ([, encoded]) => {
  expect(() => decode(new CborSequenceDecoder(), Uint8Array.from(encoded), [])).toThrow(
    expect.objectContaining({ code: 'bad-request' }) as Error,
  );
});

test('a length of 2^64 - 1 is refused without being allocated', () => {
  const decoder = new CborSequenceDecoder();
  const piece = Uint8Array.of(0x5b, 255, 255, 255, 255, 255, 255, 255, 255, 0x61);
  expect([...decoder.push(piece)]).toEqual([]);
});
