/** RSA public keys and RSASSA-PSS verification with SHA-256 (RFC 8017 sections 8.1.2 and 9.1.2). */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { concatBytes, equalBytes } from '../encoding/bytes.ts';
import { readDerPair } from './der.ts';

interface RsaPublicKey {
  readonly modulus: bigint;
  readonly exponent: bigint;
  /** Length of the modulus. */
  readonly bits: number;
}

/** Parses DER RSAPublicKey; throws `bad-encoding`. */
export function parseRsaPublicKey(der: Uint8Array): RsaPublicKey {
  const [modulus, exponent] = readDerPair(der);
  return {
    modulus: bytesToNumberBE(modulus),
    exponent: bytesToNumberBE(exponent),
    bits: modulus.length * 8 - Math.clz32(modulus[0] ?? 0) + 24,
  };
}

/** The salt's length is read from the signature: signers choose it differently, and it guards nothing. */
export function verifyRsaPss(
  key: RsaPublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const s = bytesToNumberBE(signature);
  if (signature.length !== Math.ceil(key.bits / 8) || s >= key.modulus) return false;
  const encodedBits = key.bits - 1;
  const encoded = power(s, key.exponent, key.modulus);
  if (encoded >> BigInt(encodedBits) !== 0n) return false;
  return verifyEncoding(numberToBytesBE(encoded, Math.ceil(encodedBits / 8)), encodedBits, message);
}

/** EMSA-PSS-VERIFY with a salt of any length. */
function verifyEncoding(encoded: Uint8Array, bits: number, message: Uint8Array): boolean {
  const split = encoded.length - 33;
  const hash = encoded.subarray(split, -1);
  if (encoded.at(-1) !== 0xbc) return false;
  const mask = maskOf(hash, split);
  const block = encoded.subarray(0, split).map((byte, i) => byte ^ (mask[i] ?? 0));
  block[0] = (block[0] ?? 0) & (0xff >> (encoded.length * 8 - bits));
  const one = block.findIndex((byte) => byte !== 0);
  if (block[one] !== 1) return false;
  const salt = block.subarray(one + 1);
  return equalBytes(hash, sha256(concatBytes(new Uint8Array(8), sha256(message), salt)));
}

/** MGF1 with SHA-256 (RFC 8017 appendix B.2.1). */
function maskOf(seed: Uint8Array, length: number): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(length / 32) }, (_, counter) =>
    sha256(concatBytes(seed, numberToBytesBE(counter, 4))),
  );
  return concatBytes(...blocks).subarray(0, length);
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  for (let bits = exponent, square = base; bits > 0n; bits >>= 1n) {
    if (bits & 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}
