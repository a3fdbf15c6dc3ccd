/**
 * RFC 6962 section 2.1 as it is written, by recursion over D[from:to], for tests to compare with. It
 * shares nothing with src/merkle but the framing of hashes, not even SHA-256.
 */
import { hash } from 'node:crypto';
import { type Hash, treeHasher } from '../../src/merkle/hash.ts';
import type { NodeId, ReadHashes } from '../../src/merkle/node.ts';
import type { ReadTiles } from '../../src/merkle/tile-reader.ts';

/** On OpenSSL's SHA-256, for speed where a test hashes much. */
export const fastHasher = treeHasher((data) => new Uint8Array(hash('sha256', data, 'buffer')));

/** A tree without end, most of whose leaves are equal, so that even one of 2^53 leaves can be hashed. */
export class ReferenceTree {
  readonly #marked: readonly number[];
  readonly #hashes = new Map<string, Hash>();

  /** `marked`: the leaves that differ from all others. */
  constructor(marked: Iterable<number>) {
    this.#marked = [...new Set(marked)];
  }

  leaf(index: number): Hash {
    const text = this.#marked.includes(index) ? `marked ${index}` : 'plain';
    return fastHasher.leaf(new TextEncoder().encode(text));
  }

  leaves(from: number, to: number): Hash[] {
    return Array.from({ length: to - from }, (_, i) => this.mth(from + i, from + i + 1));
  }

  mth(from: number, to: number): Hash {
    if (to === from) return fastHasher.emptyRoot;
    const plain = !this.#marked.some((index) => from <= index && index < to);
    const key = plain ? `plain ${to - from}` : `${from} ${to}`;
    const known = this.#hashes.get(key);
    if (known !== undefined) return known;
    const split = from + k(to - from);
    const hash =
      to - from === 1
        ? this.leaf(from)
        : fastHasher.node(this.mth(from, split), this.mth(split, to));
    this.#hashes.set(key, hash);
    return hash;
  }

  path(m: number, from: number, to: number): Hash[] {
    if (to - from === 1) return [];
    const split = from + k(to - from);
    return m < split
      ? [...this.path(m, from, split), this.mth(split, to)]
      : [...this.path(m, split, to), this.mth(from, split)];
  }

  proof(m: number, to: number): Hash[] {
    return this.#subproof(m, 0, to, true);
  }

  #subproof(m: number, from: number, to: number, b: boolean): Hash[] {
    if (m === to) return b ? [] : [this.mth(from, to)];
    const split = from + k(to - from);
    return m <= split
      ? [...this.#subproof(m, from, split, b), this.mth(split, to)]
      : [...this.#subproof(m, split, to, false), this.mth(from, split)];
  }

  /** What a store of this tree would answer. */
  readonly readHashes: ReadHashes = async (nodes) => nodes.map((node) => this.node(node));

  node({ level, index }: NodeId): Hash {
    return this.mth(index * 2 ** level, (index + 1) * 2 ** level);
  }

  /** The bytes of tiles, computed from the leaves. */
  readonly readTiles: ReadTiles = async (tiles) =>
    tiles.map((tile) => this.tile(tile.level, tile.index, tile.width));

  tile(level: number, index: number, width: number): Uint8Array {
    const bytes = new Uint8Array(width * 32);
    for (let i = 0; i < width; i++) {
      bytes.set(this.node({ level: 8 * level, index: 256 * index + i }), 32 * i);
    }
    return bytes;
  }
}

/** "the largest power of two smaller than n" */
function k(n: number): number {
  return n <= 2 ? 1 : 2 * k(Math.ceil(n / 2));
}

/** A tree whose leaves below `size` are all different. */
export function distinctLeaves(size: number): ReferenceTree {
  return new ReferenceTree(Array.from({ length: size }, (_, i) => i));
}

export function flipBit(hash: Hash, bit: number): Hash {
  const flipped = Uint8Array.from(hash);
  flipped[Math.floor(bit / 8)]! ^= 1 << (bit % 8);
  return flipped as Hash;
}
