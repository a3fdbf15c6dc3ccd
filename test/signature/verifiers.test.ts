/** Node's signers against every verifier: two implementations of each primitive check each other. */
import { constants, createPrivateKey, sign } from 'node:crypto';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { concatBytes, utf8 } from '../../src/encoding/bytes.ts';
import { generateKey, signerFromPem } from '../../src/keys/node-signer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Signer } from '../../src/signature/port.ts';
import { publicKeyFromSpki } from '../../src/signature/public-key.ts';
import { pureVerifier } from '../../src/signature/pure-verifier.ts';
import { webVerifier } from '../../src/signature/web-verifier.ts';

const algorithms = ['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'rsa-pss', 'ml-dsa-44'] as const;
const verifiers = { node: nodeVerifier, web: webVerifier, pure: pureVerifier };
const message = utf8('a message');

describe.each(algorithms)('%s', (algorithm) => {
  let pem: string;
  let signer: Signer;
  beforeAll(async () => {
    pem = await generateKey(algorithm);
    signer = signerFromPem(pem);
  });

  describe.each(Object.entries(verifiers))('by the %s verifier', (_, verifier) => {
    it('accepts what Node signs, of any length', async () => {
      for (const length of [0, 1, 64, 5000]) {
        const text = new Uint8Array(length).fill(7);
        const signature = await signer.sign(text);
        expect(await verifier.verify(signer.publicKey, text, signature)).toBe(true);
      }
    });

    it('refuses another message, another key and a changed signature', async () => {
      const signature = await signer.sign(message);
      const other = signerFromPem(await generateKey(algorithm)).publicKey;
      expect(await verifier.verify(signer.publicKey, utf8('A message'), signature)).toBe(false);
      expect(await verifier.verify(other, message, signature)).toBe(false);
      await fc.assert(
        fc.asyncProperty(fc.nat(signature.length * 8 - 1), async (bit) => {
          const changed = signature.slice();
          changed[bit >> 3]! ^= 1 << (bit & 7);
          expect(await verifier.verify(signer.publicKey, message, changed)).toBe(false);
        }),
        { numRuns: 12 },
      );
    });

    it('answers false for signatures of a wrong length', async () => {
      const signature = await signer.sign(message);
      for (const wrong of [
        new Uint8Array(),
        new Uint8Array(64),
        new Uint8Array(10_000),
        signature.subarray(1),
        signature.subarray(0, -1),
        concatBytes(signature, Uint8Array.of(0)),
      ]) {
        expect(await verifier.verify(signer.publicKey, message, wrong)).toBe(false);
      }
    });
  });
});

describe('digests and salts that other tools choose', () => {
  it('accepts P-384 with SHA-256, as cosign signs, and no other digest', async () => {
    const key = createPrivateKey(await generateKey('ecdsa-p384'));
    const { publicKey } = signerFromPem(key.export({ type: 'pkcs8', format: 'pem' }).toString());
    for (const [digest, valid] of [
      ['sha256', true],
      ['sha384', true],
      ['sha512', false],
    ] as const) {
      const signature = sign(digest, message, key);
      for (const verifier of Object.values(verifiers)) {
        expect(await verifier.verify(publicKey, message, signature), digest).toBe(valid);
      }
    }
  });

  it('accepts RSA-PSS with any salt, and neither another digest nor PKCS#1 v1.5', async () => {
    const key = createPrivateKey(await generateKey('rsa-pss'));
    const { publicKey } = signerFromPem(key.export({ type: 'pkcs8', format: 'pem' }).toString());
    const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING };
    const longest = 3072 / 8 - 2 - 32;
    const signatures: [Uint8Array, boolean][] = [
      ...[0, 1, 20, 32, 33, longest].map((saltLength): [Uint8Array, boolean] => [
        sign('sha256', message, { ...pss, saltLength }),
        true,
      ]),
      [sign('sha384', message, pss), false],
      [sign('sha256', message, key), false],
    ];
    for (const [signature, valid] of signatures) {
      for (const verifier of Object.values(verifiers)) {
        expect(await verifier.verify(publicKey, message, signature)).toBe(valid);
      }
    }
  });
});

it('refuses RSA-PSS signatures without their leading zeros', async () => {
  const signer = signerFromPem(await generateKey('rsa-pss'));
  let signature = await signer.sign(message);
  while (signature[0] !== 0) signature = await signer.sign(message);
  for (const verifier of Object.values(verifiers)) {
    expect(await verifier.verify(signer.publicKey, message, signature)).toBe(true);
    expect(await verifier.verify(signer.publicKey, message, signature.subarray(1))).toBe(false);
  }
});

describe('the web verifier without WebCrypto', () => {
  afterEach(() => vi.unstubAllGlobals());

  it.each([undefined, {}])('falls back to JavaScript', async (crypto) => {
    const signers = await Promise.all(
      algorithms.slice(0, 3).map(async (algorithm) => signerFromPem(await generateKey(algorithm))),
    );
    const signatures = await Promise.all(signers.map((signer) => signer.sign(message)));
    vi.stubGlobal('crypto', crypto);
    for (const [i, { publicKey }] of signers.entries()) {
      const key = publicKeyFromSpki(publicKey.spki);
      expect(await webVerifier.verify(key, message, signatures[i]!)).toBe(true);
      expect(await webVerifier.verify(key, utf8('other'), signatures[i]!)).toBe(false);
    }
  });
});
