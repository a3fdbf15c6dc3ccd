/** The nodes inside a tile: its hashes are the leaves of a tree of height 8. */
import { HASH_BYTES, type Hash, type TreeHasher, asHash, rfc6962 } from './hash.ts';

/**
 * A tile, with the nodes over its hashes. They are computed when first asked for and then kept:
 * whoever caches tiles to make proofs from should cache these, as one proof costs some 250 hashes
 * for each tile that is not.
 */
export class TileTree {
  /** Hashes in the tile, 1 to 256. */
  readonly width: number;
  readonly #hasher: TreeHasher;
  /** The hashes of each height, side by side; rows[0] is the tile itself. */
  readonly #rows: Uint8Array[];

  /** `hashes` are the bytes of a tile, which must not be written to afterwards. */
  constructor(hashes: Uint8Array, hasher: TreeHasher = rfc6962) {
    this.width = hashes.length / HASH_BYTES;
    this.#hasher = hasher;
    this.#rows = [hashes];
  }

  /** The bytes of the tile. */
  get hashes(): Uint8Array {
    return this.#rows[0] as Uint8Array;
  }

  /** Node `index` at `height` 0 to 8 over the tile's hashes: a view into memory that this object keeps. */
  node(height: number, index: number): Hash {
    while (this.#rows.length <= height) {
      this.#rows.push(parents(this.#rows.at(-1) as Uint8Array, this.#hasher));
    }
    return hashAt(this.#rows[height] as Uint8Array, index);
  }
}

/** The row above; a last hash without a sibling has no parent, as its subtree is not complete. */
function parents(row: Uint8Array, hasher: TreeHasher): Uint8Array {
  const count = Math.floor(row.length / HASH_BYTES / 2);
  const above = new Uint8Array(count * HASH_BYTES);
  for (let i = 0; i < count; i++) {
    above.set(hasher.node(hashAt(row, 2 * i), hashAt(row, 2 * i + 1)), i * HASH_BYTES);
  }
  return above;
}

function hashAt(row: Uint8Array, index: number): Hash {
  return asHash(row.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES));
}
