/**
 * Public keys as SubjectPublicKeyInfo (RFC 5280, 8410, 5480, 9881). They are checked strictly here,
 * once, because runtimes differ in what they check when a signature is verified.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p384 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { concatBytes, equalBytes } from '../encoding/bytes.ts';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { derTag, readDer, readDerSequence } from './der.ts';
import type { PublicKey, SignatureAlgorithm } from './port.ts';
import { parseRsaPublicKey } from './rsa.ts';

/** All that stands before a key of fixed length in its SubjectPublicKeyInfo; the key takes the rest. */
interface Shape {
  readonly algorithm: SignatureAlgorithm;
  readonly prefix: Uint8Array;
  readonly length: number;
  /** Throws for a key that is unsafe. */
  readonly check: (raw: Uint8Array) => void;
}

const ed25519Shape: Shape = {
  algorithm: 'ed25519',
  prefix: decodeHex('302a300506032b6570032100'),
  length: 32,
  check(raw) {
    const point = ed25519.Point.fromBytes(raw, false);
    if (point.isSmallOrder()) throw new Error('point of small order: anyone can sign for it');
    // With a torsion part, verifiers with and without the cofactor would disagree on signatures.
    if (!point.isTorsionFree()) throw new Error('point outside the prime-order subgroup');
  },
};
const mlDsa44Shape: Shape = {
  algorithm: 'ml-dsa-44',
  prefix: decodeHex('30820532300b06096086480165030403110382052100'),
  length: 1312,
  check() {
    // Every string of this length is a key.
  },
};
const shapes: readonly Shape[] = [
  ed25519Shape,
  mlDsa44Shape,
  {
    algorithm: 'ecdsa-p256',
    prefix: decodeHex('3059301306072a8648ce3d020106082a8648ce3d030107034200'),
    length: 65,
    check: (raw) => p256.Point.fromBytes(raw).assertValidity(),
  },
  {
    algorithm: 'ecdsa-p384',
    prefix: decodeHex('3076301006072a8648ce3d020106052b81040022036200'),
    length: 97,
    check: (raw) => p384.Point.fromBytes(raw).assertValidity(),
  },
];
/** AlgorithmIdentifier of rsaEncryption, and the count of unused bits of the string that follows. */
const rsaAlgorithm = decodeHex('300d06092a864886f70d0101010500');

/** A checked key from DER SubjectPublicKeyInfo; throws `bad-key`. */
export function publicKeyFromSpki(spki: Uint8Array): PublicKey {
  for (const shape of shapes) {
    const { prefix, length } = shape;
    const raw = spki.subarray(prefix.length);
    if (raw.length === length && equalBytes(spki.subarray(0, prefix.length), prefix)) {
      return fixedKey(shape, raw);
    }
  }
  return rsaKey(spki);
}

/** A checked key from its 32 bytes (RFC 8032); throws `bad-key`. */
export function ed25519PublicKey(raw: Uint8Array): PublicKey {
  return fixedKey(ed25519Shape, raw);
}

/** A checked key from its 1312 bytes (FIPS 204); throws `bad-key`. */
export function mlDsa44PublicKey(raw: Uint8Array): PublicKey {
  return fixedKey(mlDsa44Shape, raw);
}

function fixedKey({ algorithm, prefix, length, check }: Shape, raw: Uint8Array): PublicKey {
  if (raw.length !== length) {
    throw new DaybookError('bad-key', `${algorithm} key has ${raw.length} bytes, want ${length}`);
  }
  try {
    check(raw);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DaybookError('bad-key', `unsafe ${algorithm} key: ${reason}`, { cause });
  }
  return keyOf(algorithm, concatBytes(prefix, raw), raw);
}

function rsaKey(spki: Uint8Array): PublicKey {
  const { raw, modulus, exponent, bits } = readRsa(spki);
  if (bits < 2048 || bits > 8192) {
    throw new DaybookError('bad-key', `RSA key has ${bits} bits, want 2048 to 8192`);
  }
  if (modulus % 2n === 0n || exponent % 2n === 0n || exponent < 3n || exponent >= 2n ** 32n) {
    throw new DaybookError(
      'bad-key',
      'unsafe RSA key: want an odd modulus and an odd exponent from 3 to 2^32-1',
    );
  }
  return keyOf('rsa-pss', new Uint8Array(spki), raw);
}

function readRsa(spki: Uint8Array): ReturnType<typeof parseRsaPublicKey> & { raw: Uint8Array } {
  try {
    const body = readDerSequence(spki);
    const { content, rest } = readDer(body.subarray(rsaAlgorithm.length), derTag.bitString);
    const isRsa = equalBytes(body.subarray(0, rsaAlgorithm.length), rsaAlgorithm);
    if (isRsa && content[0] === 0 && rest.length === 0) {
      const raw = content.subarray(1);
      return { raw, ...parseRsaPublicKey(raw) };
    }
  } catch (cause) {
    throw unknownKey(spki, cause);
  }
  throw unknownKey(spki);
}

function unknownKey(spki: Uint8Array, cause?: unknown): DaybookError {
  return new DaybookError(
    'bad-key',
    `${spki.length} bytes are not a SubjectPublicKeyInfo of Ed25519, ML-DSA-44, RSA, or ECDSA P-256 or P-384 with an uncompressed point`,
    { cause },
  );
}

function keyOf(algorithm: SignatureAlgorithm, spki: Uint8Array, raw: Uint8Array): PublicKey {
  return { algorithm, spki, raw: new Uint8Array(raw), fingerprint: encodeHex(sha256(spki)) };
}

/** A checked key from one PEM block `PUBLIC KEY` (RFC 7468); throws `bad-key`. */
export function publicKeyFromPem(text: string): PublicKey {
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
  if (label === undefined) {
    throw new DaybookError('bad-key', 'no PEM block here, want -----BEGIN PUBLIC KEY-----');
  }
  if (label !== 'PUBLIC KEY') {
    throw new DaybookError('bad-key', `PEM block is a ${label}, want a PUBLIC KEY${remedy(label)}`);
  }
  const body =
    /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]{1,16384})-----END PUBLIC KEY-----\s*$/.exec(
      text,
    )?.[1];
  if (body === undefined) {
    throw new DaybookError('bad-key', 'malformed PEM, want one block PUBLIC KEY and nothing else');
  }
  try {
    return publicKeyFromSpki(decodeBase64(body.replace(/\s/g, '')));
  } catch (error) {
    if (error instanceof DaybookError && error.code === 'bad-key') throw error;
    throw new DaybookError('bad-key', 'malformed PEM: its body is not base64', { cause: error });
  }
}

function remedy(label: string): string {
  if (label === 'CERTIFICATE') return ': take it out with `openssl x509 -pubkey -noout`';
  if (label === 'RSA PUBLIC KEY') return ': convert it with `openssl rsa -RSAPublicKey_in -pubout`';
  return label.endsWith('PRIVATE KEY') ? ': take it out with `openssl pkey -pubout`' : '';
}

/** PEM of the key's SubjectPublicKeyInfo, as openssl writes it. */
export function publicKeyToPem(key: PublicKey): string {
  const lines = encodeBase64(key.spki).match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PUBLIC KEY-----', ...lines, '-----END PUBLIC KEY-----', ''].join('\n');
}
