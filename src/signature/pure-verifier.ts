/** Verification in JavaScript alone: where a runtime has no primitive of its own, and to check those that have. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { concatBytes, equalBytes } from '../encoding/bytes.ts';
import { compactEcdsa } from './ecdsa.ts';
import type { PublicKey, SignatureVerifier } from './port.ts';
import { parseRsaPublicKey, verifyRsaPss } from './rsa.ts';

/**
 * RFC 8032 section 5.1.7 without the cofactor, R compared as bytes and not of small order: what
 * WebCrypto asks for, so that no signature is good in one runtime and bad in another.
 */
function verifyEd25519(raw: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { BASE, Fn } = ed25519.Point;
  const r = signature.subarray(0, 32);
  const s = bytesToNumberLE(signature.subarray(32));
  if (signature.length !== 64 || s >= Fn.ORDER) return false;
  const k = Fn.create(bytesToNumberLE(sha512(concatBytes(r, raw, message))));
  const a = ed25519.Point.fromBytes(raw, false);
  const point = BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k));
  return !point.isSmallOrder() && equalBytes(point.toBytes(), r);
}

function verifySync(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
  const ecdsa = { prehash: false, lowS: false };
  switch (key.algorithm) {
    case 'ed25519':
      return verifyEd25519(key.raw, message, signature);
    case 'ecdsa-p256':
      return p256.verify(compactEcdsa(signature, 32), sha256(message), key.raw, ecdsa);
    case 'ecdsa-p384': {
      const compact = compactEcdsa(signature, 48);
      return (
        p384.verify(compact, sha384(message), key.raw, ecdsa) ||
        p384.verify(compact, sha256(message), key.raw, ecdsa)
      );
    }
    case 'rsa-pss':
      return verifyRsaPss(parseRsaPublicKey(key.raw), message, signature);
    case 'ml-dsa-44':
      return ml_dsa44.verify(signature, message, key.raw);
  }
}

export const pureVerifier: SignatureVerifier = {
  async verify(key, message, signature) {
    try {
      return verifySync(key, message, signature);
    } catch {
      return false;
    }
  },
};
