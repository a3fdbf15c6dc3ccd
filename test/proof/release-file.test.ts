import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leafIndex } from '../../src/encoding/integer.ts';
import { asHash } from '../../src/merkle/hash.ts';
import {
  formatReleaseFile,
  isReleaseFile,
  parseReleaseFile,
  type ReleaseFile,
} from '../../src/proof/release-file.ts';

const bytes = (length: number, fill = 7): Uint8Array => new Uint8Array(length).fill(fill);
const channelFile: ReleaseFile = {
  checkpoint: bytes(3),
  entries: [{ index: leafIndex(300), entry: bytes(5) }],
  proof: [asHash(bytes(32))],
  channels: [],
};
const file: ReleaseFile = {
  checkpoint: bytes(90, 1),
  entries: [
    { index: leafIndex(0), entry: bytes(20) },
    { index: leafIndex(2 ** 53 - 2), entry: bytes(65_535) },
  ],
  proof: [asHash(bytes(32, 2)), asHash(bytes(32, 3))],
  channels: [formatReleaseFile(channelFile)],
};

describe('parseReleaseFile', () => {
  test('gives back what was written', () => {
    expect(parseReleaseFile(formatReleaseFile(file))).toEqual(file);
    expect(isReleaseFile(formatReleaseFile(file))).toBe(true);
  });

  test('refuses every file that was cut, and every file with a byte more', () => {
    const whole = formatReleaseFile(channelFile);
    for (let length = 0; length < whole.length; length++) {
      expect(() => parseReleaseFile(whole.subarray(0, length))).toThrow(/refused/);
    }
    expect(() => parseReleaseFile(new Uint8Array([...whole, 0]))).toThrow(/refused/);
  });

  test('never reads two texts as the same file', () => {
    const whole = formatReleaseFile(channelFile);
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const other = whole.slice();
        other[at] = (other[at] as number) ^ change;
        try {
          expect(formatReleaseFile(parseReleaseFile(other))).toEqual(other);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-proof' });
        }
      }),
      { numRuns: 500 },
    );
  });

  test.each<[string, Partial<ReleaseFile>, RegExp]>([
    ['no entry', { entries: [] }, /0 items/],
    ['an index twice', { entries: [file.entries[0]!, file.entries[0]!] }, /does not come after/],
    ['a falling index', { entries: [...file.entries].reverse() }, /does not come after/],
    ['an empty entry', { entries: [{ index: leafIndex(1), entry: bytes(0) }] }, /empty/],
    ['a too long entry', { entries: [{ index: leafIndex(1), entry: bytes(65_536) }] }, /65536/],
    [
      'a channel file in a channel file',
      { channels: [formatReleaseFile(file)] },
      /its channels has 1 items, want 0/,
    ],
    [
      '17 channel files',
      { channels: Array<Uint8Array>(17).fill(formatReleaseFile(channelFile)) },
      /17 items/,
    ],
    ['a channel that is none', { channels: [bytes(40)] }, /does not begin/],
  ])('refuses %s', (_, change, message) => {
    expect(() => formatReleaseFile({ ...file, ...change })).toThrow(message);
  });
});
