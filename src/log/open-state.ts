/**
 * Opens what is on disk and believes none of it: the tree must lead to its root, entries that may
 * still be in LevelDB's write-ahead log are hashed anew (it skips damaged records without a word),
 * and the state must reach the head that was signed last. A log that is not sure does not sign.
 */
import { DaybookError } from '../errors.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { leafIndex, type TreeSize } from '../encoding/integer.ts';
import { GrowingTree } from '../merkle/growing-tree.ts';
import { HASH_BYTES, type Hash, type TreeHasher } from '../merkle/hash.ts';
import { TILE_WIDTH, tileWidth } from '../merkle/tile.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { treeRoot } from '../merkle/root.ts';
import type { Head } from '../store/head-file.ts';
import type { Store } from '../store/store.ts';

/** Bundles read in one go while entries are hashed anew. */
const BUNDLES_AT_ONCE = 16;

/** Loads the right edge of the stored tree. Throws `store-corrupt` unless it leads to the stored root. */
export async function loadTree(store: Store, hasher: TreeHasher): Promise<GrowingTree> {
  const { size, root } = store.state;
  const tail = size % TILE_WIDTH;
  const entries = await store.readEntries(leafIndex(size - tail), tail);
  const tree = await GrowingTree.load(
    size,
    {
      fullTiles: (tiles) => store.readTiles(tiles),
      tailLeaves: entries.map((entry) => hasher.leaf(entry)),
    },
    hasher,
  );
  if (!equalBytes(tree.root(), root)) {
    throw damaged(`the tree of size ${size} does not lead to its stored root`);
  }
  return tree;
}

/** Throws `store-corrupt` unless the stored tree contains the head that was signed last. */
export async function checkHead(
  store: Store,
  head: Head | undefined,
  tree: GrowingTree,
  hasher: TreeHasher,
): Promise<void> {
  const { size, signed } = store.state;
  if (!head) {
    if (signed === undefined) return;
    throw new DaybookError(
      'store-corrupt',
      'this log has signed checkpoints, but its head file is missing or new: a log that signs ' +
        'without it may sign a fork. Bring the file `head` back from the same backup as the database',
    );
  }
  if (head.size > size) {
    throw new DaybookError(
      'store-corrupt',
      `a checkpoint of size ${head.size} was signed, but the database has only ${size} entries: ` +
        'some were lost. The log does not sign: restore a newer backup, and do not delete `head`',
    );
  }
  if (!equalBytes(await rootAt(head.size, store, tree, hasher), head.root)) {
    throw damaged(`its tree at size ${head.size} is not the one that was signed`);
  }
}

/**
 * Hashes the entries from `from` on anew and compares them with the tree. What comes behind the last
 * full tile was hashed by `loadTree`.
 */
export async function checkEntries(
  store: Store,
  from: TreeSize,
  hasher: TreeHasher,
): Promise<void> {
  const end = Math.floor(store.state.size / TILE_WIDTH);
  for (let index = Math.floor(from / TILE_WIDTH); index < end; index += BUNDLES_AT_ONCE) {
    const count = Math.min(BUNDLES_AT_ONCE, end - index);
    const ids = Array.from({ length: count }, (_, i) => ({ level: 0, index: index + i }));
    const [tiles, entries] = await Promise.all([
      store.readTiles(ids),
      store.readEntries(leafIndex(index * TILE_WIDTH), count * TILE_WIDTH),
    ]);
    entries.forEach((entry, i) => {
      const tile = tiles[Math.floor(i / TILE_WIDTH)] as Uint8Array;
      const at = (i % TILE_WIDTH) * HASH_BYTES;
      if (!equalBytes(hasher.leaf(entry), tile.subarray(at, at + HASH_BYTES))) {
        throw damaged(`entry ${index * TILE_WIDTH + i} is not what the tree says`);
      }
    });
  }
}

function damaged(what: string): DaybookError {
  return new DaybookError(
    'store-corrupt',
    `the database is damaged: ${what}. The log does not sign; run \`daybook fsck\` to see all that disagrees`,
  );
}

/** The root of the first `size` entries of a stored tree, whose right edge `tree` holds. */
export function rootAt(
  size: TreeSize,
  store: Store,
  tree: GrowingTree,
  hasher: TreeHasher,
): Promise<Hash> {
  const read = tileHashReader(
    size,
    (tiles) =>
      Promise.all(
        tiles.map(async (tile) => {
          const full = tileWidth(tile.level, tile.index, store.state.size) === TILE_WIDTH;
          const hashes = full ? (await store.readTiles([tile]))[0] : tree.partialTile(tile.level);
          return (hashes as Uint8Array).subarray(0, tile.width * HASH_BYTES);
        }),
      ),
    hasher,
  );
  return treeRoot(size, read, hasher);
}

/** Bytes of entries behind which everything has left the write-ahead log: more than LevelDB's two write buffers. */
const SETTLED_BYTES = 64 << 20;

/** Follows a growing log, and tells which of it need not be hashed anew at the next start. */
export class SettledSize {
  #mark: TreeSize;
  #bytes = 0;

  constructor(size: TreeSize) {
    this.#mark = size;
  }

  /** To be called after each commit; gives a size whenever a further one has settled. */
  grown(size: TreeSize, bytes: number): TreeSize | undefined {
    this.#bytes += bytes;
    if (this.#bytes < SETTLED_BYTES) return undefined;
    const settled = this.#mark;
    this.#mark = size;
    this.#bytes = 0;
    return settled;
  }
}
