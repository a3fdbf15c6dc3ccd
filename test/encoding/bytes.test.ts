import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, decodeUtf8, equalBytes, utf8 } from '../../src/encoding/bytes.ts';
import { octetText, textOctets } from '../../src/encoding/octet-text.ts';

describe('bytes', () => {
  it('joins', () => {
    expect(concatBytes()).toEqual(Uint8Array.of());
    expect(concatBytes(Uint8Array.of(1), Uint8Array.of(), Uint8Array.of(2, 3))).toEqual(
      Uint8Array.of(1, 2, 3),
    );
  });

  it('compares', () => {
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2))).toBe(true);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 3))).toBe(false);
    expect(equalBytes(Uint8Array.of(1, 2), Uint8Array.of(1, 2, 3))).toBe(false);
  });
});

describe('UTF-8', () => {
  it('reads back what it writes, a byte order mark too', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodeUtf8(utf8(text))).toBe(text);
      }),
    );
    expect(decodeUtf8(utf8('\ufeffa'))).toBe('\ufeffa');
  });

  it('refuses text and bytes that are not Unicode', () => {
    const refused: unknown = expect.objectContaining({ code: 'bad-encoding' });
    expect(() => utf8('a\ud800')).toThrow(refused);
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xe2, 0x82]]) {
      expect(() => decodeUtf8(Uint8Array.from(bytes))).toThrow(refused);
    }
  });
});

describe('octet text', () => {
  it('carries any octets, and different ones differently', () => {
    const octets = fc.array(fc.constantFrom(0x41, 0x80, 0xa9, 0xc3, 0xe9, 0xff), { maxLength: 4 });
    fc.assert(
      fc.property(octets, octets, (a, b) => {
        const [textA, textB] = [a, b].map((item) => octetText(Uint8Array.from(item)));
        expect(textOctets(textA!)).toEqual(Uint8Array.from(a));
        expect(textA === textB).toBe(String(a) === String(b));
      }),
      { numRuns: 2000 },
    );
  });

  it('reads UTF-8 as it looks', () => {
    expect(octetText(utf8('Zürich'))).toBe('Zürich');
  });
});
