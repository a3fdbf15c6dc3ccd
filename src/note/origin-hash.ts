/** Where witnesses and mirrors serve a log (C2SP tlog-witness, tlog-mirror): below the hash of its origin. */
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';

/** SHA-256 of the origin line without its newline, in lowercase hex. */
export function originHash(origin: string): string {
  return encodeHex(sha256(utf8(origin)));
}
