/**
 * C2SP tlog-tiles, entry bundles: 1 to 256 entries, each after its length as a big-endian uint16.
 * The entries "a" and "" are the bytes 00 01 61 00 00.
 */
import { DaybookError } from '../errors.ts';
import { TILE_WIDTH } from './tile.ts';

/** The longest entry that a bundle can hold. */
export const MAX_ENTRY_BYTES = 65_535;
const LENGTH_BYTES = 2;

/** Throws `bad-encoding` unless there are 1 to 256 entries, `entry-too-large` for one that does not fit. */
export function encodeBundle(entries: readonly Uint8Array[]): Uint8Array {
  expectCount(entries.length);
  let length = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) {
      throw new DaybookError(
        'entry-too-large',
        `entry has ${entry.length} bytes, a log entry holds at most ${MAX_ENTRY_BYTES}`,
      );
    }
    length += LENGTH_BYTES + entry.length;
  }
  const bundle = new Uint8Array(length);
  const view = new DataView(bundle.buffer);
  let offset = 0;
  for (const entry of entries) {
    view.setUint16(offset, entry.length);
    bundle.set(entry, offset + LENGTH_BYTES);
    offset += LENGTH_BYTES + entry.length;
  }
  return bundle;
}

/**
 * The entries of a bundle, as views into `bundle`. Throws `bad-encoding` when it is cut short, goes
 * on behind its last entry, or does not have 1 to 256 entries, or not `count` of them.
 */
export function decodeBundle(bundle: Uint8Array, count?: number): Uint8Array[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const entries: Uint8Array[] = [];
  let offset = 0;
  while (offset < bundle.length && entries.length <= TILE_WIDTH) {
    const start = offset + LENGTH_BYTES;
    const end = start <= bundle.length ? start + view.getUint16(offset) : start;
    if (end > bundle.length) {
      throw new DaybookError(
        'bad-encoding',
        `entry bundle has ${bundle.length} bytes, want at least ${end} (entry ${entries.length})`,
      );
    }
    entries.push(bundle.subarray(start, end));
    offset = end;
  }
  expectCount(entries.length, count);
  return entries;
}

function expectCount(found: number, wanted?: number): void {
  if (found < 1 || found > TILE_WIDTH || found !== (wanted ?? found)) {
    throw new DaybookError(
      'bad-encoding',
      `entry bundle has ${found > TILE_WIDTH ? `over ${TILE_WIDTH}` : found} entries, want ${wanted ?? `1 to ${TILE_WIDTH}`}`,
    );
  }
}
