/**
 * The `.release` file beside an artifact: the statements about it that a policy can ask for, proven
 * under one checkpoint, with the hashes that their proofs share stored once. A channel file is a
 * release file whose one entry is a channel statement. Pure parsing: nothing in here is verified.
 *
 * Deterministic CBOR (RFC 8949 section 4.2.1), in CDDL (RFC 8610):
 *
 *     release-file = [ magic: "daybook-release/v1",
 *                      checkpoint: bstr,                              ; the signed note, verbatim
 *                      entries: [1*256 [index: uint, entry: bstr]],   ; ascending
 *                      proof: bstr,                                   ; 32-byte hashes, see multi-inclusion.ts
 *                      channels: [0*16 bstr .cbor release-file] ]     ; channel files, for offline media
 */
import { decode, encode } from 'cborg';
import { concatBytes, equalBytes, utf8 } from '../encoding/bytes.ts';
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { asHash, HASH_BYTES, type Hash } from '../merkle/hash.ts';
import { MAX_NOTE_BYTES } from '../note/note.ts';

export interface ReleaseEntry {
  readonly index: LeafIndex;
  /** To be trusted only once it was hashed into the tree. */
  readonly entry: Uint8Array;
}

export interface ReleaseFile {
  /** The note's bytes, verbatim. */
  readonly checkpoint: Uint8Array;
  /** At least one, in ascending order of their indexes. */
  readonly entries: readonly ReleaseEntry[];
  /** As multi-inclusion.ts has them. */
  readonly proof: readonly Hash[];
  /** Channel files, each the bytes of a release file of its own without channels. */
  readonly channels: readonly Uint8Array[];
}

const MAGIC = 'daybook-release/v1';
export const MAX_RELEASE_FILE_BYTES = 8 * 1024 * 1024;
export const MAX_RELEASE_ENTRIES = 256;
const MAX_RELEASE_CHANNELS = 16;
/** An array of 5, and the magic text after it. */
const PREFIX = concatBytes(Uint8Array.of(0x85, 0x60 + MAGIC.length), utf8(MAGIC));
const strict = {
  strict: true,
  allowIndefinite: false,
  allowUndefined: false,
  allowInfinity: false,
  allowNaN: false,
  allowBigInt: false,
  rejectDuplicateMapKeys: true,
};

/** Whether these bytes begin as a release file does, and not as a `.tlog-proof`. */
export function isReleaseFile(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, PREFIX.length), PREFIX);
}

/** Throws `bad-proof`, whatever is wrong with it. */
export function parseReleaseFile(bytes: Uint8Array): ReleaseFile {
  return parse(bytes, MAX_RELEASE_CHANNELS);
}

function parse(bytes: Uint8Array, mostChannels: number): ReleaseFile {
  if (bytes.length > MAX_RELEASE_FILE_BYTES) {
    throw bad(`it has ${bytes.length} bytes, want at most ${MAX_RELEASE_FILE_BYTES}`);
  }
  if (!isReleaseFile(bytes)) throw bad(`it does not begin with an array of 5 and "${MAGIC}"`);
  const [, checkpoint, entries, proof, channels] = array(decoded(bytes), 'the file', 5, 5);
  const hashes = byteString(proof, 'its proof', MAX_RELEASE_FILE_BYTES);
  if (hashes.length % HASH_BYTES !== 0) {
    throw bad(`its proof has ${hashes.length} bytes, want a multiple of ${HASH_BYTES}`);
  }
  const file: ReleaseFile = {
    checkpoint: byteString(checkpoint, 'its checkpoint', MAX_NOTE_BYTES),
    entries: array(entries, 'its entries', 1, MAX_RELEASE_ENTRIES).map(parseEntry),
    proof: Array.from({ length: hashes.length / HASH_BYTES }, (_, i) =>
      asHash(hashes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES)),
    ),
    channels: array(channels, 'its channels', 0, mostChannels).map(parseChannel),
  };
  checkOrder(file);
  return file;
}

/** Throws `bad-proof` for what `parseReleaseFile` would refuse. */
export function formatReleaseFile(file: ReleaseFile): Uint8Array {
  const bytes = encode([
    MAGIC,
    file.checkpoint,
    file.entries.map(({ index, entry }) => [index, entry]),
    concatBytes(...file.proof),
    [...file.channels],
  ]);
  parseReleaseFile(bytes);
  return bytes;
}

function parseEntry(value: unknown, position: number): ReleaseEntry {
  const [index, entry] = array(value, `entry ${position}`, 2, 2);
  if (typeof index !== 'number' || !Number.isSafeInteger(index) || index < 0) {
    throw bad(`the index of entry ${position} is none`);
  }
  const bytes = byteString(entry, `entry ${position}`, MAX_ENTRY_BYTES);
  if (bytes.length === 0) throw bad(`entry ${position} is empty`);
  return { index: leafIndex(index), entry: bytes };
}

function parseChannel(value: unknown, position: number): Uint8Array {
  const bytes = byteString(value, `channel file ${position}`, MAX_RELEASE_FILE_BYTES);
  // Channel files hold no channel files of their own.
  parse(bytes, 0);
  return bytes;
}

function checkOrder({ entries }: ReleaseFile): void {
  let least = 0;
  for (const { index } of entries) {
    if (index < least) throw bad(`index ${index} does not come after the one before it`);
    least = index + 1;
  }
}

function decoded(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = decode(bytes, strict);
    if (equalBytes(encode(value), bytes)) return value;
  } catch (cause) {
    throw bad(`it is not CBOR: ${(cause as Error).message}`, cause);
  }
  throw bad('it is not deterministic CBOR');
}

function array(value: unknown, what: string, least: number, most: number): readonly unknown[] {
  if (!Array.isArray(value)) throw bad(`${what} is no array`);
  if (value.length < least || value.length > most) {
    const want = least === most ? `${most}` : `${least} to ${most}`;
    throw bad(`${what} has ${value.length} items, want ${want}`);
  }
  return value as readonly unknown[];
}

function byteString(value: unknown, what: string, most: number): Uint8Array {
  if (!(value instanceof Uint8Array)) throw bad(`${what} is no byte string`);
  if (value.length > most) throw bad(`${what} has ${value.length} bytes, want at most ${most}`);
  return new Uint8Array(value);
}

function bad(problem: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-proof', `release file refused: ${problem}`, { cause });
}
