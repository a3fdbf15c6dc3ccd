/** C2SP tlog-tiles: reads the nodes of a tree from its tiles. */
import { DaybookError } from '../errors.ts';
import { HASH_BYTES, type TreeHasher, rfc6962 } from './hash.ts';
import { type ReadHashes, placeIn } from './node.ts';
import { TileTree } from './tile-tree.ts';
import { TILE_HEIGHT, TILE_WIDTH, type Tile, type TileId, tilePath, tileWidth } from './tile.ts';

/**
 * Reads tiles, in the order asked: their bytes, or the `TileTree` that a cache kept of them. Their
 * widths must be the ones asked for.
 */
export type ReadTiles = (tiles: readonly Tile[]) => Promise<readonly (Uint8Array | TileTree)[]>;

/**
 * A reader of the nodes of the first `size` leaves. Each call makes one call of `readTiles`, which
 * asks for each tile once, with the width that it has at `size`. The nodes are only as true as the
 * tiles: compare the root with one that is trusted. Throws `bad-encoding` for a tile of another width.
 */
export function tileHashReader(
  size: number,
  readTiles: ReadTiles,
  hasher: TreeHasher = rfc6962,
): ReadHashes {
  return async (nodes) => {
    const wanted: TileId[] = [];
    const plan = nodes.map((node) => {
      const tileLevel = Math.floor(node.level / TILE_HEIGHT);
      const height = node.level % TILE_HEIGHT;
      const nodesInTile = TILE_WIDTH / 2 ** height;
      const tileIndex = Math.floor(node.index / nodesInTile);
      const place = placeIn(wanted, { level: tileLevel, index: tileIndex });
      return { place, height, index: node.index % nodesInTile };
    });
    const tiles = wanted.map(({ level, index }) => ({
      level,
      index,
      width: tileWidth(level, index, size),
    }));
    const answers = await readTiles(tiles);
    const trees = tiles.map((tile, i) => openTile(tile, answers[i], hasher));
    return plan.map(({ place, height, index }) => (trees[place] as TileTree).node(height, index));
  };
}

function openTile(
  tile: Tile,
  answer: Uint8Array | TileTree | undefined,
  hasher: TreeHasher,
): TileTree {
  const tree = answer instanceof Uint8Array ? new TileTree(answer, hasher) : answer;
  if (tree?.width !== tile.width) {
    throw new DaybookError(
      'bad-encoding',
      `${tilePath(tile)} has ${(tree?.width ?? 0) * HASH_BYTES} bytes, want ${tile.width * HASH_BYTES}`,
    );
  }
  return tree;
}
