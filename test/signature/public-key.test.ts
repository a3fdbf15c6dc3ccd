import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../src/encoding/bytes.ts';
import { decodeHex } from '../../src/encoding/hex.ts';
import {
  ed25519PublicKey,
  mlDsa44PublicKey,
  publicKeyFromPem,
  publicKeyFromSpki,
  publicKeyToPem,
} from '../../src/signature/public-key.ts';
import { newSigner } from '../note/new-signer.ts';

const badKey = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'bad-key', message: expect.stringMatching(message) as string });
const algorithms = ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'rsa-pss', 'ml-dsa-44'] as const;

/** Points of order 1, 2, 4 and 8, and the other encodings of them; from the edge cases' README. */
const smallOrder = {
  'order 1': '0100000000000000000000000000000000000000000000000000000000000000',
  'order 2': 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'order 4': '0000000000000000000000000000000000000000000000000000000000000000',
  'order 4, other': '0000000000000000000000000000000000000000000000000000000000000080',
  'order 8': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'order 8, second': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'order 8, third': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'order 8, fourth': 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
};
const nonCanonical = {
  'y = p': 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'y = p, odd': 'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'y = p + 1': 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'x = -0, y > p': 'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'x = -0': '0100000000000000000000000000000000000000000000000000000000000080',
  'x = -0, order 2': 'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
};

describe('Ed25519 keys', () => {
  it.each(Object.entries(smallOrder))('refuses the point of %s', (_, hex) => {
    expect(() => ed25519PublicKey(decodeHex(hex))).toThrow(badKey(/small order/));
    const spki = concatBytes(decodeHex('302a300506032b6570032100'), decodeHex(hex));
    expect(() => publicKeyFromSpki(spki)).toThrow(badKey(/small order/));
  });

  it.each(Object.entries(nonCanonical))('refuses the encoding with %s', (_, hex) => {
    expect(() => ed25519PublicKey(decodeHex(hex))).toThrow(badKey(/unsafe ed25519 key/));
  });

  it('refuses a point off the curve and a wrong length', () => {
    expect(() => ed25519PublicKey(new Uint8Array(32).fill(2))).toThrow(badKey(/unsafe/));
    expect(() => ed25519PublicKey(new Uint8Array(31))).toThrow(badKey(/31 bytes, want 32/));
  });
});

describe('SubjectPublicKeyInfo', () => {
  it.each(algorithms)(
    'reads %s as Node writes it, and refuses it with a byte more or less',
    async (algorithm) => {
      const { publicKey } = await newSigner(algorithm);
      const { spki } = publicKey;
      expect(publicKeyFromSpki(spki)).toEqual(publicKey);
      expect(publicKey.algorithm).toBe(algorithm);
      expect(publicKeyFromPem(publicKeyToPem(publicKey))).toEqual(publicKey);
      expect(() => publicKeyFromSpki(concatBytes(spki, Uint8Array.of(0)))).toThrow(
        badKey(/SubjectPublicKeyInfo/),
      );
      expect(() => publicKeyFromSpki(spki.subarray(0, -1))).toThrow(badKey(/SubjectPublicKeyInfo/));
    },
  );

  it('keeps a copy of what it was given', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const given = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
    const key = publicKeyFromSpki(given);
    const before = [key.spki.slice(), key.raw.slice()];
    given.fill(0);
    expect([key.spki, key.raw]).toEqual(before);
  });

  it('refuses RSA keys of fewer than 2048 or more than 8192 bits', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const small = publicKey.export({ type: 'spki', format: 'der' });
    expect(() => publicKeyFromSpki(small)).toThrow(badKey(/1024 bits, want 2048 to 8192/));
    expect(() => publicKeyFromSpki(rsaSpki(new Uint8Array(1025).fill(0xff), [1, 0, 1]))).toThrow(
      badKey(/8200 bits/),
    );
  });

  it('refuses RSA keys with an exponent of 1, an even one or a huge one, and DER that is not minimal', () => {
    const modulus = new Uint8Array(256).fill(0xff);
    expect(publicKeyFromSpki(rsaSpki(modulus, [3])).algorithm).toBe('rsa-pss');
    for (const exponent of [[1], [4], [1, 0, 0, 0, 1]]) {
      expect(() => publicKeyFromSpki(rsaSpki(modulus, exponent))).toThrow(badKey(/unsafe RSA key/));
    }
    for (const exponent of [[0, 3], [], [0x83], [0]]) {
      const spki = rsaSpki(modulus, exponent);
      expect(() => publicKeyFromSpki(spki)).toThrow(badKey(/SubjectPublicKeyInfo/));
    }
  });

  it.each(['P-256', 'P-384'])(
    'refuses %s points that are compressed or off the curve',
    (namedCurve) => {
      const { publicKey } = generateKeyPairSync('ec', { namedCurve });
      const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
      const off = spki.slice();
      off[off.length - 1]! ^= 1;
      expect(() => publicKeyFromSpki(off)).toThrow(badKey(/unsafe ecdsa/));
      const compressed = spki.slice();
      compressed[spki.length - (namedCurve === 'P-256' ? 65 : 97)] = 2;
      expect(() => publicKeyFromSpki(compressed)).toThrow(badKey(/unsafe ecdsa/));
    },
  );

  it('refuses other algorithms', () => {
    for (const type of ['ed448', 'x25519'] as const) {
      const { publicKey } = generateKeyPairSync(type as 'ed448');
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      expect(() => publicKeyFromSpki(spki)).toThrow(badKey(/SubjectPublicKeyInfo of Ed25519/));
    }
    expect(() => publicKeyFromSpki(new Uint8Array())).toThrow(badKey(/0 bytes/));
    expect(() => mlDsa44PublicKey(new Uint8Array(1311))).toThrow(badKey(/1311 bytes, want 1312/));
  });
});

/** DER of an RSA key, whose modulus begins with a set bit and whose exponent is written as given. */
function rsaSpki(modulus: Uint8Array, exponent: number[]): Uint8Array {
  const value = (tag: number, content: Uint8Array): Uint8Array => {
    const { length } = content;
    const head =
      length < 0x80
        ? [length]
        : length < 0x100
          ? [0x81, length]
          : [0x82, length >> 8, length & 255];
    return concatBytes(Uint8Array.of(tag, ...head), content);
  };
  const key = concatBytes(
    value(0x02, concatBytes(Uint8Array.of(0), modulus)),
    value(0x02, Uint8Array.from(exponent)),
  );
  const algorithm = decodeHex('300d06092a864886f70d0101010500');
  const bits = value(0x03, concatBytes(Uint8Array.of(0), value(0x30, key)));
  return value(0x30, concatBytes(algorithm, bits));
}

describe('PEM', () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

  it('is written as openssl writes it, and read with other line ends too', () => {
    expect(publicKeyToPem(publicKeyFromPem(pem))).toBe(pem);
    expect(publicKeyFromPem(pem.replaceAll('\n', '\r\n'))).toEqual(publicKeyFromPem(pem));
  });

  it('names the remedy for another kind of block', () => {
    const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => publicKeyFromPem(privatePem)).toThrow(badKey(/PRIVATE KEY.*openssl pkey -pubout/));
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey;
    const pkcs1 = rsa.export({ type: 'pkcs1', format: 'pem' }).toString();
    expect(() => publicKeyFromPem(pkcs1)).toThrow(badKey(/RSAPublicKey_in/));
    expect(() => publicKeyFromPem('-----BEGIN CERTIFICATE-----\n')).toThrow(badKey(/openssl x509/));
  });

  it('refuses what is not exactly one block', () => {
    expect(() => publicKeyFromPem('ssh-ed25519 AAAA')).toThrow(badKey(/no PEM block/));
    for (const text of [
      pem + pem,
      `note\n${pem}`,
      pem.replace('-----END', '-----'),
      pem.slice(0, 60),
    ]) {
      expect(() => publicKeyFromPem(text)).toThrow(badKey(/malformed PEM/));
    }
    expect(() => publicKeyFromPem(pem.replace('==', ''))).toThrow(badKey(/not base64/));
  });
});
