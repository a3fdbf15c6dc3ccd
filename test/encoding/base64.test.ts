import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeBase64, encodeBase64 } from '../../src/encoding/base64.ts';

const bytes = fc.uint8Array({ maxLength: 300 });

describe('base64', () => {
  it('writes what RFC 4648 section 10 writes', () => {
    const words = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'];
    const texts = words.map((word) => encodeBase64(new TextEncoder().encode(word)));
    expect(texts).toEqual(['', 'Zg==', 'Zm8=', 'Zm9v', 'Zm9vYg==', 'Zm9vYmE=', 'Zm9vYmFy']);
  });

  it('writes what Node writes, and reads it back', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        const text = encodeBase64(data);
        expect(text).toBe(Buffer.from(data).toString('base64'));
        expect(decodeBase64(text)).toEqual(data);
      }),
    );
  });

  it('reads only what it would write', () => {
    const almost = fc.string({
      unit: fc.constantFrom(...'AQgwZ/+=-_ \n'),
      maxLength: 12,
    });
    fc.assert(
      fc.property(almost, (text) => {
        const canonical = Buffer.from(text, 'base64').toString('base64') === text;
        if (canonical) expect(encodeBase64(decodeBase64(text))).toBe(text);
        else expect(() => decodeBase64(text)).toThrow(/not canonical base64/);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    'A',
    'AA',
    'AA=',
    'AB==',
    'AAB=',
    'A===',
    '====',
    'AA==AAAA',
    'AA-_',
    'AAA\u0141',
    'AA\n=',
  ])('refuses %j', (text) => {
    expect(() => decodeBase64(text)).toThrow(expect.objectContaining({ code: 'bad-encoding' }));
  });
});
