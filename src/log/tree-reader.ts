/**
 * Reads of the published tree: tiles, bundles, entries and proofs (C2SP tlog-tiles). Nothing above
 * the published size is shown, and a proof is given out only when it verifies.
 */
import { LRUCache } from 'lru-cache';
import { DaybookError } from '../errors.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import type { LeafIndex, TreeSize } from '../encoding/integer.ts';
import { proveConsistency } from '../merkle/consistency.ts';
import { HASH_BYTES, type Hash, type TreeHasher } from '../merkle/hash.ts';
import { proveInclusion, type Inclusion } from '../merkle/inclusion.ts';
import { proveMultiInclusion, type Leaf } from '../merkle/multi-inclusion.ts';
import type { ReadHashes } from '../merkle/node.ts';
import { TILE_WIDTH, tilePath, tileWidth, type Tile } from '../merkle/tile.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { TileTree } from '../merkle/tile-tree.ts';
import { treeRoot } from '../merkle/root.ts';
import { formatReleaseFile } from '../proof/release-file.ts';
import { formatTlogProof } from '../proof/tlog-proof.ts';
import type { Store } from '../store/store.ts';
import type { Published } from './publisher.ts';

export interface TreeReaderOptions {
  readonly store: Store;
  readonly hasher: TreeHasher;
  readonly published: () => Published;
  /** Hashes of a tile that the store does not have: the right edge, and what is being committed. */
  readonly recentTile: (level: number, index: number) => Uint8Array | undefined;
}

/** Tiles kept with the nodes inside them, at most 16 KiB each: 80 MiB, all of a tree of a million leaves. */
const CACHED_TILES = 5120;

export class TreeReader {
  readonly #options: TreeReaderOptions;
  readonly #trees = new LRUCache<string, TileTree>({ max: CACHED_TILES });

  constructor(options: TreeReaderOptions) {
    this.#options = options;
  }

  /** The hashes of a tile. Throws `not-found` for what the published checkpoint does not cover. */
  async tile(tile: Tile): Promise<Uint8Array> {
    this.#checkCovered(tile);
    const [tree] = await this.#readTiles([tile]);
    return (tree as TileTree).hashes;
  }

  /** An entry bundle. Throws `not-found` for what the published checkpoint does not cover. */
  async bundle(index: number, width: number): Promise<Uint8Array> {
    this.#checkCovered({ level: 0, index, width });
    return this.#options.store.readBundle(index, width);
  }

  async entry(index: LeafIndex): Promise<Uint8Array> {
    this.#checkPublished(index);
    const [entry] = await this.#options.store.readEntries(index, 1);
    return entry as Uint8Array;
  }

  /** The proof at `size`, by default the published one; at that one it was verified against the published root. */
  async inclusion(index: LeafIndex, size?: TreeSize): Promise<Inclusion> {
    const published = this.#options.published();
    const at = size ?? published.size;
    this.#checkSize(at);
    if (index >= at) {
      throw new DaybookError('not-found', `entry ${index} is not in the tree of size ${at}`);
    }
    const inclusion = await proveInclusion(index, at, this.#hashReader(at), this.#options.hasher);
    if (at === published.size) checkRoot(inclusion.root, published);
    return inclusion;
  }

  /** A `.tlog-proof` that carries the entry in `extra`, under the published checkpoint. */
  async entryProof(index: LeafIndex): Promise<Uint8Array> {
    const published = this.#options.published();
    const [entry, { leafHash, proof }] = await Promise.all([
      this.entry(index),
      this.inclusion(index, published.size),
    ]);
    this.#checkLeaf(index, entry, leafHash);
    return utf8(
      formatTlogProof({ extra: entry, index, hashes: proof, checkpoint: published.note }),
    );
  }

  /** A release file of these entries, which ascend, under the published checkpoint. */
  async releaseFile(indexes: readonly LeafIndex[]): Promise<Uint8Array> {
    const published = this.#options.published();
    const { size, note: checkpoint } = published;
    for (const index of indexes) this.#checkPublished(index);
    const [{ leaves, proof, root }, ...entries] = await Promise.all([
      proveMultiInclusion(indexes, size, this.#hashReader(size), this.#options.hasher),
      ...indexes.map((index) => this.entry(index)),
    ]);
    checkRoot(root, published);
    const proven = indexes.map((index, i) => {
      const entry = entries[i] as Uint8Array;
      this.#checkLeaf(index, entry, (leaves[i] as Leaf).hash);
      return { index, entry };
    });
    return formatReleaseFile({ checkpoint, entries: proven, proof, channels: [] });
  }

  /** The consistency proof between two published sizes; 0 < from. */
  async consistency(from: TreeSize, to?: TreeSize): Promise<Hash[]> {
    const end = to ?? this.#options.published().size;
    this.#checkSize(end);
    if (from === 0 || from > end) {
      throw new DaybookError(
        'bad-request',
        `a consistency proof goes from a size of 1 to ${end} to size ${end}, not from ${from}`,
      );
    }
    return proveConsistency(from, end, this.#hashReader(end), this.#options.hasher);
  }

  /** The root at any size up to that of the durable tree, published or not. */
  rootAt(size: TreeSize): Promise<Hash> {
    return treeRoot(size, this.#hashReader(size), this.#options.hasher);
  }

  /**
   * What a witness wants between two sizes of the durable tree, which need not be published: the
   * consistency proof; nothing from the empty tree, and between equal sizes.
   */
  async proofForWitness(from: TreeSize, to: TreeSize): Promise<Hash[]> {
    if (from === 0 || from === to) return [];
    return proveConsistency(from, to, this.#hashReader(to), this.#options.hasher);
  }

  #hashReader(size: TreeSize): ReadHashes {
    return tileHashReader(size, (tiles) => this.#readTiles(tiles), this.#options.hasher);
  }

  async #readTiles(tiles: readonly Tile[]): Promise<TileTree[]> {
    const known = tiles.map((tile) => this.#trees.get(tilePath(tile)) ?? this.#recent(tile));
    const missing = tiles.filter((_, i) => known[i] === undefined);
    const read = missing.length === 0 ? [] : await this.#options.store.readTiles(missing);
    let next = 0;
    return tiles.map((tile, i) => known[i] ?? this.#keep(tile, read[next++] as Uint8Array));
  }

  /** The tile from where the store does not have it yet. */
  #recent(tile: Tile): TileTree | undefined {
    const { store, recentTile } = this.#options;
    if (tileWidth(tile.level, tile.index, store.state.size) === TILE_WIDTH) return undefined;
    const hashes = recentTile(tile.level, tile.index);
    return hashes && this.#keep(tile, hashes);
  }

  /** `hashes` may be more than the tile has: those of the full tile that it became. */
  #keep(tile: Tile, hashes: Uint8Array): TileTree {
    const tree = new TileTree(hashes.subarray(0, tile.width * HASH_BYTES), this.#options.hasher);
    this.#trees.set(tilePath(tile), tree);
    return tree;
  }

  #checkCovered(tile: Tile): void {
    const { size } = this.#options.published();
    if (tile.width > tileWidth(tile.level, tile.index, size)) {
      throw new DaybookError(
        'not-found',
        `${tilePath(tile)} is not in the tree of the newest checkpoint, of size ${size}`,
      );
    }
  }

  #checkPublished(index: LeafIndex): void {
    const { size } = this.#options.published();
    if (index >= size) {
      throw new DaybookError(
        'not-found',
        `entry ${index} is not in the tree of the newest checkpoint, of size ${size}`,
      );
    }
  }

  #checkLeaf(index: LeafIndex, entry: Uint8Array, leafHash: Uint8Array): void {
    if (equalBytes(this.#options.hasher.leaf(entry), leafHash)) return;
    throw new DaybookError(
      'store-corrupt',
      `entry ${index} is not what the tree says: stop the log and run \`daybook fsck\``,
    );
  }

  #checkSize(size: TreeSize): void {
    const published = this.#options.published().size;
    if (size > published) {
      throw new DaybookError('not-found', `size ${size} is above the published size ${published}`);
    }
  }
}

function checkRoot(root: Hash, { size, root: expected }: Published): void {
  if (equalBytes(root, expected)) return;
  throw new DaybookError(
    'store-corrupt',
    `the tiles do not lead to the published root at size ${size}: stop the log and run \`daybook fsck\``,
  );
}
