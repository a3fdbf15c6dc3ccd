/**
 * C2SP tlog-tiles: tiles of 256 hashes, their widths and their paths, such as
 * `tile/0/x001/x234/067`, `tile/1/000.p/17` and `tile/entries/x001/x234/067.p/3`.
 */
import { treeSize } from '../encoding/integer.ts';

/** Hashes in a full tile, and entries in a full bundle. */
export const TILE_WIDTH = 256;
/** Levels of the tree that lie between a tile's hashes and its root: 2^8 = 256. */
export const TILE_HEIGHT = 8;

/** Tile `index` of a level: its hashes are those of nodes index * 256 and on, at level 8 * level. */
export interface TileId {
  readonly level: number;
  readonly index: number;
}

/** A tile as it stands in a tree of some size: `width` hashes, 1 to 256. */
export interface Tile extends TileId {
  readonly width: number;
}

/** A tile that will never change: 256 hashes, 8192 bytes. */
export interface FullTile extends TileId {
  readonly hashes: Uint8Array;
}

export type TileResource =
  | { readonly kind: 'tile'; readonly tile: Tile }
  | { readonly kind: 'entries'; readonly index: number; readonly width: number };

/** Hashes that a tree of `size` leaves has in this tile: 0 (absent) to 256 (full). */
export function tileWidth(level: number, index: number, size: number): number {
  const hashes = Math.floor(treeSize(size) / TILE_WIDTH ** level);
  return Math.min(TILE_WIDTH, Math.max(0, hashes - index * TILE_WIDTH));
}

/** All tiles of a tree of `size` leaves, level by level, from left to right. */
export function* tilesOf(size: number): Generator<Tile> {
  for (let level = 0; tileWidth(level, 0, size) > 0; level++) {
    for (let index = 0; ; index++) {
      const width = tileWidth(level, index, size);
      if (width > 0) yield { level, index, width };
      if (width < TILE_WIDTH) break;
    }
  }
}

/** The path of a tile: `tile/0/x001/x234/067`, with `.p/12` at its end when 12 hashes wide. */
export function tilePath({ level, index, width }: Tile): string {
  return `tile/${level}/${indexAndWidth(index, width)}`;
}

/** The path of an entry bundle: `tile/entries/x001/x234/067`, with `.p/12` for 12 entries. */
export function bundlePath(index: number, width: number): string {
  return `tile/entries/${indexAndWidth(index, width)}`;
}

const resourcePath =
  /^tile\/(entries|\d|[1-5]\d|6[0-3])\/(?!x000\/)((?:x\d{3}\/){0,5}\d{3})(?:\.p\/([1-9]\d{0,2}))?$/;

/** What a path names; undefined for any text that is not the one path of a tile or bundle. */
export function parseTilePath(path: string): TileResource | undefined {
  const [, level, groups, partial] = resourcePath.exec(path) ?? [];
  if (level === undefined || groups === undefined) return undefined;
  const index = Number(groups.replaceAll(/[x/]/g, ''));
  const width = partial === undefined ? TILE_WIDTH : Number(partial);
  if (!Number.isSafeInteger(index)) return undefined;
  if (partial !== undefined && width >= TILE_WIDTH) return undefined;
  if (level === 'entries') return { kind: 'entries', index, width };
  return { kind: 'tile', tile: { level: Number(level), index, width } };
}

function indexAndWidth(index: number, width: number): string {
  const digits = String(index);
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0');
  const groups = padded.replaceAll(/\d{3}(?=\d)/g, 'x$&/');
  return width === TILE_WIDTH ? groups : `${groups}.p/${width}`;
}
