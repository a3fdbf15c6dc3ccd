/** Verification by Node's own crypto, on libuv's thread pool, so that the event loop stays free. */
import { constants, createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { PublicKey, SignatureVerifier } from '../signature/port.ts';
import { pureVerifier } from '../signature/pure-verifier.ts';

/** Undefined for a key that this Node cannot read: ML-DSA-44 before Node 24. */
const keyObjects = new WeakMap<PublicKey, KeyObject | undefined>();

function keyObject(key: PublicKey): KeyObject | undefined {
  if (!keyObjects.has(key)) keyObjects.set(key, readKey(key));
  return keyObjects.get(key);
}

function readKey(key: PublicKey): KeyObject | undefined {
  try {
    return createPublicKey({ key: Buffer.from(key.spki), format: 'der', type: 'spki' });
  } catch (error) {
    if (key.algorithm === 'ml-dsa-44') return undefined;
    throw error;
  }
}

/** Digests to try, one after the other; Ed25519 and ML-DSA-44 hash in their own way. */
const digests: { readonly [A in PublicKey['algorithm']]: readonly (string | null)[] } = {
  ed25519: [null],
  'ecdsa-p256': ['sha256'],
  'ecdsa-p384': ['sha384', 'sha256'],
  'rsa-pss': ['sha256'],
  'ml-dsa-44': [null],
};
const pss = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_AUTO,
};

export const nodeVerifier: SignatureVerifier = {
  async verify(key, message, signature) {
    const object = keyObject(key);
    if (object === undefined) return pureVerifier.verify(key, message, signature);
    // OpenSSL takes RSA-PSS signatures whose leading zeros are cut off; RFC 8017 section 8.1.2 does not.
    const bits = object.asymmetricKeyDetails?.modulusLength;
    if (bits !== undefined && signature.length !== Math.ceil(bits / 8)) return false;
    const options = key.algorithm === 'rsa-pss' ? { key: object, ...pss } : { key: object };
    for (const digest of digests[key.algorithm]) {
      const valid = await new Promise<boolean>((resolve) => {
        verify(digest, message, options, signature, (error, ok) => resolve(!error && ok));
      });
      if (valid) return true;
    }
    return false;
  },
};
