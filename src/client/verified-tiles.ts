/**
 * Tiles and entry bundles of a remote log (C2SP tlog-tiles), each checked against a checkpoint's root
 * before it is used or kept. The log, and every cache on the way to it, may send anything.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { decodeBundle, encodeBundle, MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { HASH_BYTES, rfc6962, type Hash, type TreeHasher } from '../merkle/hash.ts';
import { treeRoot } from '../merkle/root.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { TileTree } from '../merkle/tile-tree.ts';
import {
  bundlePath,
  TILE_HEIGHT,
  TILE_WIDTH,
  tilePath,
  tileWidth,
  type Tile,
} from '../merkle/tile.ts';
import type { ReadFiles } from './sources.ts';

/** A tree whose root is trusted. */
export interface TrustedTree {
  readonly size: number;
  readonly root: Hash;
}

export interface VerifiedBundle {
  /** The entry bundle (C2SP tlog-tiles) as it stands in the tree: the bytes of `entries`. */
  readonly bytes: Uint8Array;
  readonly entries: readonly Uint8Array[];
  /** The tile of their leaf hashes. */
  readonly leaves: TileTree;
}

/** 2,048 tiles with the nodes over their hashes are at most 32 MiB. */
const MAX_CACHED_TILES = 2048;
const MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);

export class VerifiedTiles {
  readonly #source: ReadFiles;
  readonly #hasher: TreeHasher;
  /**
   * By path, least recently used first. A tile that was verified once stays right for every tree that
   * continues the one it was verified in: so one object reads only trees that are known to be one log.
   */
  readonly #verified = new Map<string, TileTree>();

  constructor(source: ReadFiles, hasher: TreeHasher = rfc6962) {
    this.#source = source;
    this.#hasher = hasher;
  }

  /**
   * `tiles`, as wide as they are in `tree`, in the order asked. Fetches what is missing of
   * them and of the tiles above them in one round; throws `inclusion-invalid` for a tile that is not
   * part of `tree`.
   */
  async read(tree: TrustedTree, tiles: readonly Tile[]): Promise<TileTree[]> {
    const { held, wanted } = this.#plan(tree, tiles);
    await Promise.all(
      wanted.map(async (tile) => held.set(tilePath(tile), await this.#fetchTile(tile))),
    );
    const read = (tile: Tile): TileTree => held.get(tilePath(tile)) ?? missing(tilePath(tile));
    if (wanted.some(({ width }) => width < TILE_WIDTH)) await this.#checkEdge(tree, read);
    // From the top down: a tile is compared with the one above it, which was checked just before.
    for (const tile of wanted.filter(({ width }) => width === TILE_WIDTH).sort(higherFirst)) {
      this.#checkFull(tile, read(tile), read(tileAbove(tree, tile)));
    }
    for (const [path, tile] of held) this.#keep(path, tile);
    return tiles.map(read);
  }

  /** An empty one for a tree that may yet turn out to be a fork; `adopt` it when it did not. */
  separate(): VerifiedTiles {
    return new VerifiedTiles(this.#source, this.#hasher);
  }

  /** Takes over what `other` verified, once its trees are known to belong to this log. */
  adopt(other: VerifiedTiles): void {
    for (const [path, tile] of other.#verified) this.#keep(path, tile);
  }

  /**
   * Bundle `index`: its entries and their leaf hashes, which lead into `tree`. Of a full bundle whose
   * tile is not held yet no tile is fetched either: its entries give all hashes of it. Whoever reads
   * all bundles in turn needs no tile again: with `keep` false it is not held then.
   */
  async bundle(
    tree: TrustedTree,
    index: number,
    { keep = true }: { readonly keep?: boolean } = {},
  ): Promise<VerifiedBundle> {
    const tile = { level: 0, index, width: tileWidth(0, index, tree.size) };
    const { width } = tile;
    const computed = width === TILE_WIDTH && !this.#verified.has(tilePath(tile));
    const [fetched, [known]] = await Promise.all([
      this.#fetchCut((w) => bundlePath(index, w), width, MAX_BUNDLE_BYTES),
      this.read(tree, [computed ? tileAbove(tree, tile) : tile]),
    ]);
    // The full bundle may have stood in for a partial one that is gone.
    const entries = decodeBundle(fetched.body, fetched.width).slice(0, width);
    const leaves = new TileTree(leafHashes(entries, this.#hasher), this.#hasher);
    if (computed) {
      this.#checkFull(tile, leaves, known as TileTree);
      if (keep) this.#keep(tilePath(tile), leaves);
    } else if (!equalBytes(leaves.hashes, (known as TileTree).hashes)) {
      throw notInTree(bundlePath(index, width));
    }
    const bytes = fetched.width === width ? fetched.body : encodeBundle(entries);
    return { bytes, entries, leaves };
  }

  /** `tiles` and all above them up to the right edge: those verified before, and those to fetch. */
  #plan(
    tree: TrustedTree,
    tiles: readonly Tile[],
  ): { held: Map<string, TileTree>; wanted: Tile[] } {
    const held = new Map<string, TileTree>();
    const wanted = new Map<string, Tile>();
    const plan = (tile: Tile): void => {
      const path = tilePath(tile);
      if (held.has(path) || wanted.has(path)) return;
      if (tile.width !== tileWidth(tile.level, tile.index, tree.size)) missing(path);
      const verified = this.#verified.get(path);
      if (verified !== undefined) {
        held.set(path, verified);
        return;
      }
      wanted.set(path, tile);
      if (tile.width === TILE_WIDTH) plan(tileAbove(tree, tile));
      else edgeTiles(tree.size).forEach(plan);
    };
    tiles.forEach(plan);
    return { held, wanted: [...wanted.values()] };
  }

  /** The right edge's partial tiles together make up the root, every hash of them. */
  async #checkEdge(tree: TrustedTree, read: (tile: Tile) => TileTree): Promise<void> {
    const reader = tileHashReader(tree.size, async (tiles) => tiles.map(read), this.#hasher);
    if (!equalBytes(await treeRoot(tree.size, reader, this.#hasher), tree.root)) {
      throw notInTree(`the right edge of the tree of size ${tree.size}`);
    }
  }

  #checkFull(tile: Tile, tree: TileTree, above: TileTree): void {
    const expected = above.node(0, tile.index % TILE_WIDTH);
    if (!equalBytes(tree.node(TILE_HEIGHT, 0), expected)) throw notInTree(tilePath(tile));
  }

  async #fetchTile(tile: Tile): Promise<TileTree> {
    const path = (width: number): string => tilePath({ ...tile, width });
    const { body, width } = await this.#fetchCut(path, tile.width, TILE_WIDTH * HASH_BYTES);
    if (body.length !== width * HASH_BYTES) {
      throw notInTree(`${path(width)} with ${body.length} bytes, want ${width * HASH_BYTES}`);
    }
    return new TileTree(body.subarray(0, tile.width * HASH_BYTES), this.#hasher);
  }

  /** Fetches a partial resource, or the full one when the log has dropped the partial one since. */
  async #fetchCut(
    path: (width: number) => string,
    width: number,
    maxBytes: number,
  ): Promise<{ body: Uint8Array; width: number }> {
    try {
      return { body: (await this.#source.call(path(width), { maxBytes })).body, width };
    } catch (error) {
      const gone = error instanceof DaybookError && error.code === 'not-found';
      if (!gone || width === TILE_WIDTH) throw error;
      const full = await this.#source.call(path(TILE_WIDTH), { maxBytes }).catch(() => undefined);
      if (full === undefined) throw error;
      return { body: full.body, width: TILE_WIDTH };
    }
  }

  #keep(path: string, tile: TileTree): void {
    this.#verified.delete(path);
    this.#verified.set(path, tile);
    const [oldest] = this.#verified.keys();
    if (this.#verified.size > MAX_CACHED_TILES) this.#verified.delete(oldest as string);
  }
}

function leafHashes(entries: readonly Uint8Array[], hasher: TreeHasher): Uint8Array {
  const hashes = new Uint8Array(entries.length * HASH_BYTES);
  entries.forEach((entry, i) => hashes.set(hasher.leaf(entry), i * HASH_BYTES));
  return hashes;
}

/** The partial tiles of a tree: at most one on each level. */
function edgeTiles(size: number): Tile[] {
  const tiles: Tile[] = [];
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / TILE_WIDTH)) {
    const index = Math.floor(rest / TILE_WIDTH);
    if (rest % TILE_WIDTH > 0) tiles.push({ level, index, width: rest % TILE_WIDTH });
  }
  return tiles;
}

function tileAbove(tree: TrustedTree, { level, index }: Tile): Tile {
  const above = { level: level + 1, index: Math.floor(index / TILE_WIDTH) };
  return { ...above, width: tileWidth(above.level, above.index, tree.size) };
}

function higherFirst(a: Tile, b: Tile): number {
  return b.level - a.level;
}

function notInTree(what: string): DaybookError {
  return new DaybookError(
    'inclusion-invalid',
    `the log sent ${what}, which does not hash into its checkpoint: do not trust it`,
  );
}

function missing(path: string): never {
  throw new DaybookError('internal', `${path} was asked for but is not in the tree`);
}
