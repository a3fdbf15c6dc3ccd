/** Verification by Node's own crypto, on libuv's thread pool, so that the event loop stays free. */
import {
  constants,
  createPublicKey,
  verify,
  type KeyObject,
  type VerifyKeyObjectInput,
} from 'node:crypto';
import type { PublicKey, SignatureVerifier } from '../signature/port.ts';
import { pureVerifier } from '../signature/pure-verifier.ts';

/** What is made once for each key: asking a KeyObject for its details costs as much as parsing an entry. */
interface PreparedKey {
  readonly key: KeyObject | VerifyKeyObjectInput;
  /** Exact length of a signature, where OpenSSL does not insist on it: RFC 8017 section 8.1.2. */
  readonly signatureBytes?: number;
}

/** Undefined for a key that this Node cannot read: ML-DSA-44 before Node 24. */
const prepared = new WeakMap<PublicKey, PreparedKey | undefined>();

function prepare(key: PublicKey): PreparedKey | undefined {
  if (!prepared.has(key)) prepared.set(key, readKey(key));
  return prepared.get(key);
}

function readKey({ algorithm, spki }: PublicKey): PreparedKey | undefined {
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    if (algorithm !== 'rsa-pss') return { key };
    const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
    return { key: { key, ...pss }, signatureBytes: Math.ceil(bits / 8) };
  } catch (error) {
    if (algorithm === 'ml-dsa-44') return undefined;
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
    const ready = prepare(key);
    if (ready === undefined) return pureVerifier.verify(key, message, signature);
    if (ready.signatureBytes !== undefined && signature.length !== ready.signatureBytes) {
      return false;
    }
    for (const digest of digests[key.algorithm]) {
      const valid = await new Promise<boolean>((resolve) => {
        verify(digest, message, ready.key, signature, (error, ok) => resolve(!error && ok));
      });
      if (valid) return true;
    }
    return false;
  },
};
