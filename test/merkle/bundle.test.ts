import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_ENTRY_BYTES, decodeBundle, encodeBundle } from '../../src/merkle/bundle.ts';

const entries = fc.array(fc.uint8Array({ maxLength: 600 }), { minLength: 1, maxLength: 256 });
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

describe('entry bundles', () => {
  test('are entries after their lengths', () => {
    const bundle = bytes(0, 1, 0x61, 0, 0);
    expect(encodeBundle([bytes(0x61), bytes()])).toEqual(bundle);
    expect(decodeBundle(bundle)).toEqual([bytes(0x61), bytes()]);
  });

  test('read back, also from the middle of a buffer', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const bundle = encodeBundle(list);
        expect(decodeBundle(bundle)).toEqual(list);
        const around = new Uint8Array(bundle.length + 7);
        around.set(bundle, 3);
        expect(decodeBundle(around.subarray(3, 3 + bundle.length), list.length)).toEqual(list);
      }),
    );
  });

  test('hold the longest entry', () => {
    const longest = new Uint8Array(MAX_ENTRY_BYTES).fill(7);
    expect(decodeBundle(encodeBundle([longest, longest]))).toEqual([longest, longest]);
    expect(() => encodeBundle([new Uint8Array(MAX_ENTRY_BYTES + 1)])).toThrow(
      'entry has 65536 bytes, a log entry holds at most 65535',
    );
  });

  test('that are cut short do not read, unless the cut lies between two entries', () => {
    fc.assert(
      fc.property(entries, fc.nat(), (list, pick) => {
        const bundle = encodeBundle(list);
        const cut = bundle.subarray(0, pick % bundle.length);
        expect(() => decodeBundle(cut, list.length)).toThrow(
          expect.objectContaining({ code: 'bad-encoding' }),
        );
      }),
    );
  });

  test.each([
    ['half a length', bytes(0), 'entry bundle has 1 bytes, want at least 2 (entry 0)'],
    [
      'an entry that is missing',
      bytes(0, 1),
      'entry bundle has 2 bytes, want at least 3 (entry 0)',
    ],
    ['a trailing byte', bytes(0, 1, 9, 0), 'entry bundle has 4 bytes, want at least 5 (entry 1)'],
    ['a length beyond the end', bytes(255, 255, 1), 'want at least 65537 (entry 0)'],
  ])('with %s do not read', (_, bundle, message) => {
    expect(() => decodeBundle(bundle)).toThrow(message);
  });

  test('have the number of entries that is asked for, and 1 to 256', () => {
    const empty = (count: number): Uint8Array => new Uint8Array(2 * count);
    expect(decodeBundle(empty(256))).toHaveLength(256);
    expect(() => decodeBundle(empty(257))).toThrow('entry bundle has over 256 entries');
    expect(() => decodeBundle(empty(0))).toThrow('entry bundle has 0 entries, want 1 to 256');
    expect(() => decodeBundle(empty(3), 4)).toThrow('entry bundle has 3 entries, want 4');
    expect(() => decodeBundle(empty(3), 2)).toThrow('entry bundle has 3 entries, want 2');
    expect(() => encodeBundle([])).toThrow('entry bundle has 0 entries, want 1 to 256');
    expect(() => encodeBundle(Array<Uint8Array>(257).fill(bytes()))).toThrow(
      'entry bundle has over 256 entries',
    );
  });
});
