/**
 * Verifier keys (C2SP signed-note, "Verifier keys"): name, hex key ID, base64 of type and key.
 *
 *     example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { concatBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import type { PublicKey } from '../signature/port.ts';
import { ed25519PublicKey, mlDsa44PublicKey } from '../signature/public-key.ts';

/** 0x01 Ed25519 over the text, 0x04 Ed25519 cosignature, 0x06 ML-DSA-44 cosignature. */
export type NoteKeyType = 0x01 | 0x04 | 0x06;

const algorithms = { 0x01: 'ed25519', 0x04: 'ed25519', 0x06: 'ml-dsa-44' } as const;

export interface VerifierKey {
  readonly name: string;
  /** First four bytes of SHA-256(name || 0x0A || type || public key), as an unsigned integer. */
  readonly keyId: number;
  readonly type: NoteKeyType;
  readonly key: PublicKey;
}

/** What is wrong with a key name, if anything. */
export function keyNameProblem(name: string): string | undefined {
  if (name === '') return 'the key name is empty';
  if (!name.isWellFormed()) return 'the key name is not UTF-8';
  // White_Space is what the specification calls Unicode spaces; \s differs from it.
  if (/[\p{White_Space}+\0-\x1f]/u.test(name)) {
    return `the key name ${JSON.stringify(name)} has a space, a plus or a control character`;
  }
  return undefined;
}

/** Throws `bad-key` for a name that no note can carry. */
export function checkKeyName(name: string): void {
  const problem = keyNameProblem(name);
  if (problem !== undefined) throw new DaybookError('bad-key', problem);
}

/** Throws `bad-key` when the name or the key's algorithm does not fit the type. */
export function verifierKey(name: string, type: NoteKeyType, key: PublicKey): VerifierKey {
  checkKeyName(name);
  if (key.algorithm !== algorithms[type]) {
    throw new DaybookError(
      'bad-key',
      `key of ${name} is ${key.algorithm}, but its type ${type} wants ${algorithms[type]}`,
    );
  }
  const nameBytes = utf8(name);
  if (type === 0x06 && nameBytes.length > 255) {
    throw new DaybookError(
      'bad-key',
      `cosigner name has ${nameBytes.length} bytes, want at most 255`,
    );
  }
  const digest = sha256(concatBytes(nameBytes, Uint8Array.of(0x0a, type), key.raw));
  return { name, keyId: new DataView(digest.buffer, digest.byteOffset).getUint32(0), type, key };
}

/** Throws `bad-key`, also when the key ID is not the one of this name and key. */
export function parseVkey(vkey: string): VerifierKey {
  // The base64 may hold a plus too: only the first two separate.
  const [, name, id, base64] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(vkey) ?? [];
  if (name === undefined || id === undefined || base64 === undefined) {
    throw new DaybookError('bad-key', 'malformed vkey, want <name>+<8 hex digits>+<base64>');
  }
  const key = decodeKey(name, base64);
  const expected = hexId(key);
  if (id !== expected) {
    throw new DaybookError('bad-key', `vkey of ${name} has key ID ${id}, want ${expected}`);
  }
  return key;
}

function decodeKey(name: string, base64: string): VerifierKey {
  let bytes;
  try {
    bytes = decodeBase64(base64);
  } catch (cause) {
    throw new DaybookError('bad-key', `vkey of ${name} is not canonical base64`, { cause });
  }
  const type = bytes[0] ?? 0;
  const raw = bytes.subarray(1);
  if (type === 0x01 || type === 0x04) return verifierKey(name, type, ed25519PublicKey(raw));
  if (type === 0x06) return verifierKey(name, type, mlDsa44PublicKey(raw));
  throw new DaybookError('bad-key', `vkey of ${name} has type ${type}, want 1, 4 or 6`);
}

export function formatVkey(key: VerifierKey): string {
  const material = concatBytes(Uint8Array.of(key.type), key.key.raw);
  return `${key.name}+${hexId(key)}+${encodeBase64(material)}`;
}

function hexId(key: VerifierKey): string {
  return key.keyId.toString(16).padStart(8, '0');
}
