/**
 * The hashes of all entries that the monitor has read, kept as full tiles (C2SP tlog-tiles) and the
 * last leaves: it proves what a checkpoint of any smaller size must be, without asking the log.
 *
 *     tile/<origin hash>/<level>/<index>    256 hashes
 *     tail/<origin hash>                    the hashes of the leaves behind the last full tile
 */
import { DaybookError } from '../errors.ts';
import type { TreeSize } from '../encoding/integer.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { GrowingTree } from '../merkle/growing-tree.ts';
import { HASH_BYTES, type Hash } from '../merkle/hash.ts';
import type { ReadHashes } from '../merkle/node.ts';
import { treeRoot } from '../merkle/root.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { TileTree } from '../merkle/tile-tree.ts';
import { TILE_WIDTH, tilePath, tileWidth, type Tile, type TileId } from '../merkle/tile.ts';
import type { RecordStore } from '../store/record-store.ts';
import type { Draft } from './draft.ts';

type Records = Pick<RecordStore, 'get'>;

export class VerifiedTree {
  readonly #records: Records;
  readonly #hash: string;
  /** Ahead of what is durable while a change is on its way. */
  readonly #growing: GrowingTree;
  #size: TreeSize;
  /** The partial tile of each level, at the durable size. */
  #edge: readonly Uint8Array[];

  private constructor(records: Records, hash: string, growing: GrowingTree) {
    this.#records = records;
    this.#hash = hash;
    this.#growing = growing;
    this.#size = growing.size;
    this.#edge = edgeOf(growing);
  }

  /** The tree of the first `size` entries, which were committed. Throws `store-corrupt` unless it leads to `root`. */
  static async load(
    records: Records,
    hash: string,
    { size, root }: { readonly size: number; readonly root: Uint8Array },
  ): Promise<VerifiedTree> {
    const tail = records.get(tailKey(hash)) ?? new Uint8Array(0);
    const growing = await GrowingTree.load(
      size,
      {
        fullTiles: async (tiles) => tiles.map((tile) => storedTile(records, hash, tile)),
        tailLeaves: hashesIn(tail),
      },
      hasher,
    );
    if (Buffer.compare(growing.root(), root) !== 0) {
      throw new DaybookError(
        'store-corrupt',
        `the tiles of ${hash} do not lead to the root that was verified at size ${size}`,
      );
    }
    return new VerifiedTree(records, hash, growing);
  }

  /** Entries whose hashes are durable. */
  get size(): TreeSize {
    return this.#size;
  }

  /** The root at `size`, at most the tree's own. */
  rootAt(size: number): Promise<Hash> {
    return treeRoot(size, this.reader(size), hasher);
  }

  /** Reads the nodes of the first `size` entries, at most the tree's own size. */
  reader(size: number): ReadHashes {
    if (size > this.#size) {
      throw new DaybookError('internal', `size ${size} is above the verified ${this.#size}`);
    }
    return tileHashReader(size, async (tiles) => tiles.map((tile) => this.#tile(tile)), hasher);
  }

  /**
   * Adds the leaves of a bundle's tile behind the first `known`, in a change that must be committed
   * before what was grown is read. Gives size and root.
   */
  grow(
    tile: TileTree,
    known: number,
    draft: Draft,
  ): { readonly size: TreeSize; readonly root: Hash } {
    const whole = known === 0 && tile.width === TILE_WIDTH;
    const filled = whole
      ? this.#growing.appendTile(tile)
      : this.#growing.append(hashesIn(tile.hashes.subarray(known * HASH_BYTES)));
    for (const { level, index, hashes } of filled) {
      draft.put(tileKey(this.#hash, { level, index }), hashes);
    }
    draft.put(tailKey(this.#hash), this.#growing.partialTile(0));
    return { size: this.#growing.size, root: this.#growing.root() };
  }

  /** What was grown is durable now, and may be read. */
  settle(): void {
    this.#size = this.#growing.size;
    this.#edge = edgeOf(this.#growing);
  }

  #tile({ level, index, width }: Tile): TileTree {
    const full = tileWidth(level, index, this.#size) === TILE_WIDTH;
    const hashes = full
      ? storedTile(this.#records, this.#hash, { level, index })
      : this.#edge[level];
    return new TileTree((hashes ?? new Uint8Array(0)).subarray(0, width * HASH_BYTES), hasher);
  }
}

function edgeOf(tree: GrowingTree): Uint8Array[] {
  const edge: Uint8Array[] = [];
  for (let level = 0, rest: number = tree.size; rest > 0; level++) {
    edge.push(tree.partialTile(level));
    rest = Math.floor(rest / TILE_WIDTH);
  }
  return edge;
}

function storedTile(records: Records, hash: string, tile: TileId): Uint8Array {
  const hashes = records.get(tileKey(hash, tile));
  if (hashes?.length === TILE_WIDTH * HASH_BYTES) return hashes;
  throw new DaybookError(
    'store-corrupt',
    `${tilePath({ ...tile, width: TILE_WIDTH })} of ${hash} is ${hashes ? `${hashes.length} bytes long` : 'missing'}`,
  );
}

function hashesIn(bytes: Uint8Array): Hash[] {
  return Array.from({ length: bytes.length / HASH_BYTES }, (_, i) => {
    return bytes.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES) as Hash;
  });
}

function tileKey(hash: string, { level, index }: TileId): string {
  return `tile/${hash}/${level}/${index}`;
}

function tailKey(hash: string): string {
  return `tail/${hash}`;
}
