/**
 * ML-DSA-44 private keys as their seed (RFC 9881 section 6), and signing in JavaScript for Node
 * before 24, whose own crypto does not know the algorithm.
 */
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { concatBytes, equalBytes } from '../encoding/bytes.ts';
import { decodeHex } from '../encoding/hex.ts';
import type { Signer } from '../signature/port.ts';
import { mlDsa44PublicKey } from '../signature/public-key.ts';

const SEED_BYTES = 32;
/** PKCS#8 of the seed alone, which is what Daybook writes. */
const seedOnly = decodeHex('3034020100300b060960864801650304031104228020');
/** PKCS#8 of the seed and then the expanded key, which is what OpenSSL writes. */
const seedAndExpanded = decodeHex('30820a3e020100300b060960864801650304031104820a2a30820a260420');

export function mlDsa44Pkcs8(seed: Uint8Array): Uint8Array {
  return concatBytes(seedOnly, seed);
}

/** The seed in a PKCS#8 key of either form; undefined for any other key. */
export function mlDsa44Seed(pkcs8: Uint8Array): Uint8Array | undefined {
  for (const prefix of [seedOnly, seedAndExpanded]) {
    const seed = pkcs8.slice(prefix.length, prefix.length + SEED_BYTES);
    const fits = equalBytes(pkcs8.subarray(0, prefix.length), prefix);
    if (fits && seed.length === SEED_BYTES) return seed;
  }
  return undefined;
}

export function mlDsa44Signer(seed: Uint8Array): Signer {
  const { publicKey, secretKey } = ml_dsa44.keygen(seed);
  return {
    publicKey: mlDsa44PublicKey(publicKey),
    sign: async (message) => ml_dsa44.sign(message, secretKey),
  };
}
