/** Verification with WebCrypto, which browsers and Node have, and in JavaScript where it lacks something. */
import { compactEcdsa } from './ecdsa.ts';
import type { PublicKey, SignatureVerifier } from './port.ts';
import { pureVerifier } from './pure-verifier.ts';

interface WebAlgorithm {
  readonly key: AlgorithmIdentifier | EcKeyImportParams;
  /** One after the other: the first that verifies decides. */
  readonly verify: readonly (AlgorithmIdentifier | EcdsaParams)[];
  /** Length of r and of s, for ECDSA. */
  readonly size?: number;
}

/** RSA-PSS is not here, since WebCrypto would have to be told the salt's length; ML-DSA is too young there. */
const webAlgorithms: { readonly [A in PublicKey['algorithm']]?: WebAlgorithm } = {
  ed25519: { key: 'Ed25519', verify: ['Ed25519'] },
  'ecdsa-p256': {
    key: { name: 'ECDSA', namedCurve: 'P-256' },
    verify: [{ name: 'ECDSA', hash: 'SHA-256' }],
    size: 32,
  },
  'ecdsa-p384': {
    key: { name: 'ECDSA', namedCurve: 'P-384' },
    verify: [
      { name: 'ECDSA', hash: 'SHA-384' },
      { name: 'ECDSA', hash: 'SHA-256' },
    ],
    size: 48,
  },
};

// WebCrypto's types refuse shared memory, which nothing here uses.
const plain = (bytes: Uint8Array): BufferSource => bytes as Uint8Array<ArrayBuffer>;

const imported = new WeakMap<PublicKey, Promise<CryptoKey | undefined>>();

/** Undefined where the runtime has no WebCrypto (a page that is not a secure context) or lacks the algorithm. */
function importKey(key: PublicKey, algorithm: WebAlgorithm['key']): Promise<CryptoKey | undefined> {
  let promise = imported.get(key);
  if (promise === undefined) {
    const subtle = (globalThis as { crypto?: { subtle?: SubtleCrypto } }).crypto?.subtle;
    promise = subtle
      ? subtle.importKey('raw', plain(key.raw), algorithm, false, ['verify']).catch(() => undefined)
      : Promise.resolve(undefined);
    imported.set(key, promise);
  }
  return promise;
}

export const webVerifier: SignatureVerifier = {
  async verify(key, message, signature) {
    const algorithm = webAlgorithms[key.algorithm];
    const webKey = algorithm && (await importKey(key, algorithm.key));
    if (!algorithm || !webKey) return pureVerifier.verify(key, message, signature);
    try {
      const { size } = algorithm;
      const compact = size === undefined ? signature : compactEcdsa(signature, size);
      for (const parameters of algorithm.verify) {
        if (await crypto.subtle.verify(parameters, webKey, plain(compact), plain(message))) {
          return true;
        }
      }
      return false;
    } catch {
      return false;
    }
  },
};
