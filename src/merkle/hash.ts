/** RFC 6962 section 2.1: how leaves and nodes are hashed. */
import { sha256 } from '@noble/hashes/sha2.js';
import { DaybookError } from '../errors.ts';

declare const brand: unique symbol;
/** A SHA-256 value: 32 bytes, never written to once made. */
export type Hash = Uint8Array & { readonly [brand]: 'Hash' };

export const HASH_BYTES = 32;

/** Throws `bad-encoding` unless `bytes` are 32. */
export function asHash(bytes: Uint8Array): Hash {
  if (bytes.length !== HASH_BYTES) {
    throw new DaybookError('bad-encoding', `hash has ${bytes.length} bytes, want ${HASH_BYTES}`);
  }
  return bytes as Hash;
}

/** The three hashes that a Merkle tree is made of. */
export interface TreeHasher {
  /** SHA-256 of nothing: the root of a tree without leaves. */
  readonly emptyRoot: Hash;
  /** SHA-256(0x00 || entry). */
  readonly leaf: (entry: Uint8Array) => Hash;
  /** SHA-256(0x01 || left || right); throws `bad-encoding` unless both have 32 bytes. */
  readonly node: (left: Hash, right: Hash) => Hash;
}

const LEAF_PREFIX = 0;
const NODE_PREFIX = 1;
const USUAL_ENTRY_BYTES = 8192;

/** A hasher built on `sha256`, which must neither keep nor change the bytes it is given. */
export function treeHasher(sha256: (data: Uint8Array) => Uint8Array): TreeHasher {
  const nodeInput = new Uint8Array(1 + 2 * HASH_BYTES);
  nodeInput[0] = NODE_PREFIX;
  // Most entries fit it: to make room for each anew costs as much as hashing it.
  const leafRoom = new Uint8Array(USUAL_ENTRY_BYTES);
  return {
    emptyRoot: asHash(sha256(new Uint8Array(0))),
    leaf(entry) {
      const length = 1 + entry.length;
      const input =
        length > leafRoom.length ? new Uint8Array(length) : leafRoom.subarray(0, length);
      input[0] = LEAF_PREFIX;
      input.set(entry, 1);
      return sha256(input) as Hash;
    },
    node(left, right) {
      // The lengths of a hostile proof matter: 31 + 33 bytes would give the same input as 32 + 32.
      nodeInput.set(asHash(left), 1);
      nodeInput.set(asHash(right), 1 + HASH_BYTES);
      return sha256(nodeInput) as Hash;
    },
  };
}

/** Pure JavaScript, for everywhere; the server passes one that is built on `node:crypto`. */
export const rfc6962: TreeHasher = treeHasher(sha256);
