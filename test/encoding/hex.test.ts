import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeHex, encodeHex } from '../../src/encoding/hex.ts';

describe('hex', () => {
  it('writes what Node writes, and reads it back', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (data) => {
        const text = encodeHex(data);
        expect(text).toBe(Buffer.from(data).toString('hex'));
        expect(decodeHex(text)).toEqual(data);
      }),
    );
  });

  it.each(['0', 'AB', '0g', '0x00', ' 00', '00\n'])('refuses %j', (text) => {
    expect(() => decodeHex(text)).toThrow(expect.objectContaining({ code: 'bad-encoding' }));
  });
});
