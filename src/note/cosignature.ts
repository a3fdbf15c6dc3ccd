/**
 * What a key of each type signs, and the form of its signatures (C2SP signed-note, tlog-cosignature).
 * Cosignatures begin with a timestamp: seconds since 1970, 8 bytes big-endian.
 */
import { concatBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { parseCheckpoint } from './checkpoint.ts';
import type { VerifierKey } from './vkey.ts';

/** A signature line's bytes taken apart. */
export interface TimedSignature {
  /** Of cosignatures only. */
  readonly timestamp?: number;
  /** The bare Ed25519 or ML-DSA-44 signature. */
  readonly bare: Uint8Array;
}

/** Whether signatures of this key carry a timestamp. */
export function isCosigner(key: VerifierKey): boolean {
  return key.type !== 0x01;
}

/**
 * The message that `key` signs for a note's text. Throws `bad-checkpoint` when a cosigned text is
 * no checkpoint, or its origin is too long for ML-DSA-44.
 */
export function signedMessage(key: VerifierKey, text: string, timestamp = 0): Uint8Array {
  switch (key.type) {
    case 0x01:
      return utf8(text);
    case 0x04:
      parseCheckpoint(text);
      return utf8(`cosignature/v1\ntime ${timestamp}\n${text}`);
    case 0x06: {
      const { origin, size, root } = parseCheckpoint(text);
      return concatBytes(
        utf8('subtree/v1\n\0'),
        shortString(key.name),
        uint64(timestamp),
        shortString(origin),
        uint64(0),
        uint64(size),
        root,
      );
    }
  }
}

export function encodeSignature({ timestamp, bare }: TimedSignature): Uint8Array {
  return timestamp === undefined ? bare : concatBytes(uint64(timestamp), bare);
}

/** Undefined when a cosignature is too short or its time is not below 2^53. */
export function decodeSignature(key: VerifierKey, bytes: Uint8Array): TimedSignature | undefined {
  if (!isCosigner(key)) return { bare: bytes };
  if (bytes.length < 8) return undefined;
  const timestamp = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));
  return Number.isSafeInteger(timestamp) ? { timestamp, bare: bytes.subarray(8) } : undefined;
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

/** TLS `opaque<1..255>`. */
function shortString(text: string): Uint8Array {
  const bytes = utf8(text);
  if (bytes.length < 1 || bytes.length > 255) {
    throw new DaybookError(
      'bad-checkpoint',
      `name or origin has ${bytes.length} bytes, ML-DSA-44 cosignatures take 1 to 255`,
    );
  }
  return concatBytes(Uint8Array.of(bytes.length), bytes);
}
