import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../src/encoding/bytes.ts';
import { mlDsa44Pkcs8, mlDsa44Seed, mlDsa44Signer } from '../../src/keys/ml-dsa.ts';
import { nodeSha256, nodeTreeHasher } from '../../src/keys/node-hasher.ts';
import { generateKey, signerFromPem } from '../../src/keys/node-signer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { asHash, rfc6962 } from '../../src/merkle/hash.ts';

const badKey = (message: RegExp): unknown =>
  expect.objectContaining({ code: 'bad-key', message: expect.stringMatching(message) as string });
const message = utf8('a message');

describe('private keys', () => {
  it('are read in the older forms of openssl too', async () => {
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    for (const pem of [
      ec.export({ type: 'sec1', format: 'pem' }),
      rsa.export({ type: 'pkcs1', format: 'pem' }),
    ]) {
      const signer = signerFromPem(pem.toString());
      const signature = await signer.sign(message);
      expect(await nodeVerifier.verify(signer.publicKey, message, signature)).toBe(true);
    }
  });

  it('are refused when encrypted, damaged, weak or of another algorithm', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const locked = privateKey
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
      .toString();
    expect(() => signerFromPem(locked)).toThrow(badKey(/unencrypted.*found ENCRYPTED PRIVATE KEY/));
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => signerFromPem(pem.slice(0, 60))).toThrow(badKey(/found PRIVATE KEY/));
    expect(() => signerFromPem('')).toThrow(badKey(/found no PEM block/));
    const curve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey;
    const other = curve.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => signerFromPem(other)).toThrow(badKey(/SubjectPublicKeyInfo/));
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    const weak = rsa.export({ type: 'pkcs8', format: 'pem' }).toString();
    expect(() => signerFromPem(weak)).toThrow(badKey(/1024 bits/));
  });
});

describe('ML-DSA-44 keys in JavaScript', () => {
  it('are the same keys as in Node', async () => {
    const pem = await generateKey('ml-dsa-44');
    const native = signerFromPem(pem);
    const expanded = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
    const seed = mlDsa44Seed(new Uint8Array(expanded))!;
    expect(mlDsa44Seed(mlDsa44Pkcs8(seed))).toEqual(seed);
    const fallback = mlDsa44Signer(seed);
    expect(fallback.publicKey).toEqual(native.publicKey);
    const signature = await fallback.sign(message);
    expect(await nodeVerifier.verify(native.publicKey, message, signature)).toBe(true);
  });

  it('have no seed in a key of another kind or cut short', () => {
    const der = mlDsa44Pkcs8(new Uint8Array(32));
    expect(mlDsa44Seed(der.subarray(0, -1))).toBeUndefined();
    expect(mlDsa44Seed(concatBytes(Uint8Array.of(0), der))).toBeUndefined();
    expect(mlDsa44Seed(new Uint8Array())).toBeUndefined();
  });
});

describe("Node's hashes", () => {
  it('are those of the core', () => {
    const entry = utf8('an entry');
    const leaf = rfc6962.leaf(entry);
    expect(new Uint8Array(nodeTreeHasher.leaf(entry))).toEqual(leaf);
    expect(new Uint8Array(nodeTreeHasher.node(leaf, leaf))).toEqual(rfc6962.node(leaf, leaf));
    expect(asHash(nodeSha256(new Uint8Array()))).toEqual(Buffer.from(rfc6962.emptyRoot));
  });
});
