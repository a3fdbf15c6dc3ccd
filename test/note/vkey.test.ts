import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { formatVkey, parseVkey, verifierKey } from '../../src/note/vkey.ts';
import { newNoteSigner, newSigner } from './new-signer.ts';

const foo = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const badKey = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'bad-key', message: expect.stringMatching(message) as string });

describe('vkeys', () => {
  it('reads the example of the specification', () => {
    expect(parseVkey(foo)).toMatchObject({
      name: 'example.com/foo',
      keyId: 0x530d903a,
      type: 0x01,
      key: { algorithm: 'ed25519' },
    });
  });

  it('reads a key whose base64 holds a plus', () => {
    const tessera =
      'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx';
    expect(formatVkey(parseVkey(tessera))).toBe(tessera);
  });

  it.each([0x01, 0x04, 0x06] as const)('reads what it writes, for type %i', async (type) => {
    const { key } = await newNoteSigner('example.com/łog', type);
    expect(parseVkey(formatVkey(key))).toEqual(key);
  });

  it('gives one public key another ID for each type', async () => {
    const { publicKey } = await newSigner('ed25519');
    expect(verifierKey('a', 0x01, publicKey).keyId).not.toBe(
      verifierKey('a', 0x04, publicKey).keyId,
    );
  });

  it.each([
    ['no ID', 'example.com/foo', /malformed vkey/],
    ['an ID in capitals', foo.replace('530d903a', '530D903A'), /malformed vkey/],
    ['a short ID', foo.replace('530d903a', '530d903'), /malformed vkey/],
    ['the ID of another name', foo.replace('/foo', '/bar'), /key ID 530d903a, want [0-9a-f]{8}/],
    ['an empty name', foo.replace('example.com/foo', ''), /empty/],
    ['a space in its name', foo.replace('/foo', '/ foo'), /space/],
    ['base64 without padding', 'a+00000000+AQ', /not canonical base64/],
    ['white space at its end', `${foo}\n`, /not canonical base64/],
    ['a type that is not supported', `a+00000000+${encodeBase64(Uint8Array.of(2, 1))}`, /type 2/],
    ['no key', 'a+00000000+', /type 0/],
    [
      'a key of a wrong length',
      `a+00000000+${encodeBase64(Uint8Array.of(1, 1))}`,
      /1 bytes, want 32/,
    ],
    [
      'a key of small order',
      `a+00000000+${encodeBase64(Uint8Array.of(1, ...new Uint8Array(32)))}`,
      /small order/,
    ],
  ])('refuses one with %s', (_, vkey, message) => {
    expect(() => parseVkey(vkey)).toThrow(badKey(message));
  });

  it('refuses a key of another algorithm than its type, and a long name for ML-DSA-44', async () => {
    const ed25519 = (await newSigner('ed25519')).publicKey;
    const mlDsa44 = (await newSigner('ml-dsa-44')).publicKey;
    expect(() => verifierKey('a', 0x06, ed25519)).toThrow(badKey(/wants ml-dsa-44/));
    expect(() => verifierKey('a', 0x04, mlDsa44)).toThrow(badKey(/wants ed25519/));
    expect(verifierKey('é'.repeat(127), 0x06, mlDsa44).type).toBe(0x06);
    expect(() => verifierKey('é'.repeat(128), 0x06, mlDsa44)).toThrow(badKey(/256 bytes/));
    expect(() => verifierKey('a\ud800', 0x01, ed25519)).toThrow(badKey(/not UTF-8/));
  });
});
