/** C2SP tlog-tiles: a tree that grows by appending, of which only the right edge is in memory. */
import { type TreeSize, treeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { HASH_BYTES, type Hash, type TreeHasher, rfc6962 } from './hash.ts';
import { TileTree } from './tile-tree.ts';
import { type FullTile, TILE_HEIGHT, TILE_WIDTH, type TileId, tilePath } from './tile.ts';

/** What a tree of some size is loaded from. */
export interface StoredTree {
  /** Reads full tiles, 8192 bytes each, in the order asked. */
  readonly fullTiles: (tiles: readonly TileId[]) => Promise<readonly Uint8Array[]>;
  /** The hashes of the last `size` mod 256 leaves. */
  readonly tailLeaves: readonly Hash[];
}

/**
 * Appends leaves in O(log n) memory, at about one node hash a leaf. It keeps the roots of the
 * complete subtrees that make up the tree (the peaks), and the partial tile of each level.
 */
export class GrowingTree {
  readonly #hasher: TreeHasher;
  #size = 0;
  /** peaks[level] is the root of a subtree of 2^level leaves, and valid where `size` has that bit. */
  #peaks: Hash[] = [];
  /** rows[level] is room for a full tile, and begins with the partial tile of the level. */
  #rows: Uint8Array[] = [];

  private constructor(hasher: TreeHasher) {
    this.#hasher = hasher;
  }

  static empty(hasher: TreeHasher = rfc6962): GrowingTree {
    return new GrowingTree(hasher);
  }

  /**
   * The tree of `size` leaves, from one call of `fullTiles` for at most 255 tiles a level. Nothing
   * vouches for what was read: compare `root()` with one that is trusted. Throws `bad-encoding` for
   * a tile that is not full and for a number of leaves that does not fit `size`.
   */
  static async load(
    size: number,
    { fullTiles, tailLeaves }: StoredTree,
    hasher: TreeHasher = rfc6962,
  ): Promise<GrowingTree> {
    const tree = new GrowingTree(hasher);
    const tiles = tilesBelowPartialTiles(treeSize(size));
    const contents = await fullTiles(tiles);
    tiles.forEach((tile, i) => {
      const root = rootOfTile(tile, contents[i], hasher);
      tree.#add((tile.level + 1) * TILE_HEIGHT, root, []);
    });
    tree.append(tailLeaves);
    if (tree.#size !== size) {
      throw new DaybookError(
        'bad-encoding',
        `tree has ${tailLeaves.length} leaves behind its last full tile, want ${size % TILE_WIDTH} (size ${size})`,
      );
    }
    return tree;
  }

  get size(): TreeSize {
    return treeSize(this.#size);
  }

  /** The root of all leaves so far. */
  root(): Hash {
    let root: Hash | undefined;
    for (let level = 0, rest = this.#size; rest > 0; level++, rest = Math.floor(rest / 2)) {
      if (rest % 2 === 0) continue;
      const peak = this.#peaks[level] as Hash;
      root = root === undefined ? peak : this.#hasher.node(peak, root);
    }
    return root ?? this.#hasher.emptyRoot;
  }

  /** Adds leaves; gives back the tiles of all levels that they filled. */
  append(leafHashes: readonly Hash[]): FullTile[] {
    treeSize(this.#size + leafHashes.length);
    const filled: FullTile[] = [];
    for (const leafHash of leafHashes) this.#add(0, leafHash, filled);
    return filled;
  }

  /**
   * Adds the 256 leaves of a full tile, whose nodes are not hashed again; as `append` does. Throws
   * `internal` unless the tile is full and the tree's size a multiple of 256.
   */
  appendTile(tile: TileTree): FullTile[] {
    if (tile.width !== TILE_WIDTH || this.#size % TILE_WIDTH !== 0) {
      throw new DaybookError(
        'internal',
        `a tile of ${tile.width} hashes cannot follow ${this.#size} leaves`,
      );
    }
    const filled: FullTile[] = [{ level: 0, index: this.#size / TILE_WIDTH, hashes: tile.hashes }];
    treeSize(this.#size + TILE_WIDTH);
    this.#add(TILE_HEIGHT, tile.node(TILE_HEIGHT, 0), filled);
    return filled;
  }

  /** A copy of the hashes in the partial tile of a level: 0 to 255 times 32 bytes. */
  partialTile(level: number): Uint8Array {
    const width = Math.floor(this.#size / TILE_WIDTH ** level) % TILE_WIDTH;
    return (this.#rows[level] ?? new Uint8Array(0)).slice(0, width * HASH_BYTES);
  }

  /** A tree that grows on its own from here. */
  clone(): GrowingTree {
    const copy = new GrowingTree(this.#hasher);
    copy.#size = this.#size;
    copy.#peaks = [...this.#peaks];
    copy.#rows = this.#rows.map((row) => row.slice());
    return copy;
  }

  /** Adds the next 2^level leaves by the root of their subtree: `size` is a multiple of 2^level. */
  #add(level: number, subtreeRoot: Hash, filled: FullTile[]): void {
    const leaves = 2 ** level;
    let hash = subtreeRoot;
    let index = this.#size / leaves;
    this.#size += leaves;
    this.#place(level, index, hash, filled);
    // A right child completes its parent.
    while (index % 2 === 1) {
      hash = this.#hasher.node(this.#peaks[level] as Hash, hash);
      index = (index - 1) / 2;
      level += 1;
      this.#place(level, index, hash, filled);
    }
    this.#peaks[level] = hash;
  }

  #place(level: number, index: number, hash: Hash, filled: FullTile[]): void {
    if (level % TILE_HEIGHT !== 0) return;
    const tileLevel = level / TILE_HEIGHT;
    const position = index % TILE_WIDTH;
    const row = (this.#rows[tileLevel] ??= emptyRow());
    row.set(hash, position * HASH_BYTES);
    if (position < TILE_WIDTH - 1) return;
    filled.push({ level: tileLevel, index: Math.floor(index / TILE_WIDTH), hashes: row });
    this.#rows[tileLevel] = emptyRow();
  }
}

function emptyRow(): Uint8Array {
  return new Uint8Array(TILE_WIDTH * HASH_BYTES);
}

/** The full tiles whose roots are the hashes of the partial tiles above level 0: from left to right. */
function tilesBelowPartialTiles(size: number): TileId[] {
  const tiles: TileId[] = [];
  let level = 0;
  while (TILE_WIDTH ** (level + 2) <= size) level += 1;
  for (; level >= 0; level--) {
    const end = Math.floor(size / TILE_WIDTH ** (level + 1));
    for (let index = end - (end % TILE_WIDTH); index < end; index++) tiles.push({ level, index });
  }
  return tiles;
}

function rootOfTile(tile: TileId, hashes: Uint8Array | undefined, hasher: TreeHasher): Hash {
  if (hashes?.length !== TILE_WIDTH * HASH_BYTES) {
    throw new DaybookError(
      'bad-encoding',
      `${tilePath({ ...tile, width: TILE_WIDTH })} has ${hashes?.length ?? 0} bytes, want ${TILE_WIDTH * HASH_BYTES}`,
    );
  }
  return new TileTree(hashes, hasher).node(TILE_HEIGHT, 0);
}
