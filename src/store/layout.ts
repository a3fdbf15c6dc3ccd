/**
 * Where everything lies in a key-value engine with ordered byte keys; pure. Nothing is rewritten
 * but the records: entries, tiles and index keys are only ever added.
 *
 *     e | be64(first index)           a run: consecutive entries in bundle format (tlog-tiles),
 *                                     within one bundle of 256; one run per append and bundle
 *     t | level | be64(index)         a full tile, 256 hashes
 *     d | digest, l | digest          be64(index): dedupe digest, leaf hash
 *     c | digest                      be64(index): place in a channel, see log/channels.ts
 *     a | digest | be64(index)        empty: one for each entry that names the artifact
 *     r.format r.state r.signed r.published    the records of record.ts
 */
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { decodeBundle, encodeBundle } from '../merkle/bundle.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import type { IndexKey, IndexKind, UniqueKind } from './store.ts';

const DIGEST_BYTES = 32;
export const TILE_BYTES = TILE_WIDTH * DIGEST_BYTES;
const INDEX_BYTES = 8;

const prefix = {
  entry: 0x65,
  tile: 0x74,
  dedupe: 0x64,
  leaf: 0x6c,
  channel: 0x63,
  artifact: 0x61,
} as const;

function writeIndex(into: Uint8Array, offset: number, value: number): void {
  const view = new DataView(into.buffer, into.byteOffset + offset, INDEX_BYTES);
  view.setUint32(0, Math.floor(value / 2 ** 32));
  view.setUint32(4, value % 2 ** 32);
}

function readIndex(from: Uint8Array, offset: number): LeafIndex {
  const view = new DataView(from.buffer, from.byteOffset + offset, INDEX_BYTES);
  return leafIndex(view.getUint32(0) * 2 ** 32 + view.getUint32(4));
}

function checkDigest(digest: Uint8Array): void {
  if (digest.length !== DIGEST_BYTES) {
    throw new DaybookError('internal', `digest has ${digest.length} bytes, want ${DIGEST_BYTES}`);
  }
}

export function entryKey(first: number): Uint8Array {
  const key = new Uint8Array(1 + INDEX_BYTES);
  key[0] = prefix.entry;
  writeIndex(key, 1, first);
  return key;
}

export function tileKey(level: number, index: number): Uint8Array {
  const key = new Uint8Array(2 + INDEX_BYTES);
  key[0] = prefix.tile;
  key[1] = level;
  writeIndex(key, 2, index);
  return key;
}

export const DIGEST_KEY_BYTES = 1 + DIGEST_BYTES;

/** Key of a digest that names one index; written to `into` where the caller has no need to keep it. */
export function digestKey(
  kind: UniqueKind,
  digest: Uint8Array,
  into: Uint8Array = new Uint8Array(DIGEST_KEY_BYTES),
): Uint8Array {
  checkDigest(digest);
  into[0] = prefix[kind];
  into.set(digest, 1);
  return into;
}

export function indexValue(
  index: LeafIndex,
  into: Uint8Array = new Uint8Array(INDEX_BYTES),
): Uint8Array {
  writeIndex(into, 0, index);
  return into;
}

/** Throws `store-corrupt` unless `value` is what `indexValue` writes. */
export function parseIndexValue(value: Uint8Array): LeafIndex {
  if (value.length !== INDEX_BYTES) {
    throw new DaybookError('store-corrupt', `an index key's value has ${value.length} bytes`);
  }
  return readIndex(value, 0);
}

export function artifactKey(digest: Uint8Array, index: LeafIndex): Uint8Array {
  checkDigest(digest);
  const key = new Uint8Array(1 + DIGEST_BYTES + INDEX_BYTES);
  key[0] = prefix.artifact;
  key.set(digest, 1);
  writeIndex(key, 1 + DIGEST_BYTES, index);
  return key;
}

export function indexOfArtifactKey(key: Uint8Array): LeafIndex {
  return readIndex(key, 1 + DIGEST_BYTES);
}

/** Keys between which all index keys of a kind lie. */
export function indexKeyRange(kind: IndexKind): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: Uint8Array.of(prefix[kind]), lt: Uint8Array.of(prefix[kind] + 1) };
}

/** Reads an index key back. Throws `store-corrupt` for one that was never written so. */
export function parseIndexKey(kind: IndexKind, key: Uint8Array, value: Uint8Array): IndexKey {
  if (key.length !== DIGEST_KEY_BYTES + (kind === 'artifact' ? INDEX_BYTES : 0)) {
    throw new DaybookError('store-corrupt', `an index key ${kind} has ${key.length} bytes`);
  }
  // A copy: an engine's Buffers share their memory, and their `slice` does too.
  const digest = new Uint8Array(key.subarray(1, DIGEST_KEY_BYTES));
  return {
    kind,
    digest,
    index: kind === 'artifact' ? indexOfArtifactKey(key) : parseIndexValue(value),
  };
}

/** Consecutive entries as they are stored under one key. */
export interface Run {
  readonly first: number;
  readonly bytes: Uint8Array;
}

/** Cuts entries that begin at index `from` into runs, at the edges of bundles. */
export function packRuns(from: number, entries: readonly Uint8Array[]): Run[] {
  const runs: Run[] = [];
  for (let start = 0; start < entries.length;) {
    const first = from + start;
    const end = Math.min(entries.length, start + TILE_WIDTH - (first % TILE_WIDTH));
    runs.push({ first, bytes: encodeBundle(entries.slice(start, end)) });
    start = end;
  }
  return runs;
}

/** Keys between which all runs lie that hold any of `count` entries from `from`. */
export function runRange(from: number, count: number): { gte: Uint8Array; lt: Uint8Array } {
  return { gte: entryKey(bundleStart(from)), lt: entryKey(from + count) };
}

/**
 * `count` entries from `from`, out of all rows of `runRange`. Throws `store-corrupt` when a run is
 * missing, overlaps another, crosses the edge of a bundle or does not decode.
 */
export function unpackRuns(
  rows: Iterable<readonly [key: Uint8Array, value: Uint8Array]>,
  from: number,
  count: number,
): Uint8Array[] {
  const start = bundleStart(from);
  const entries: Uint8Array[] = [];
  for (const [key, value] of rows) {
    const first = readIndex(key, 1);
    const next = start + entries.length;
    if (first !== next) {
      throw new DaybookError(
        'store-corrupt',
        `a run begins at entry ${first}, want one at ${next}`,
      );
    }
    const run = decodeRun(first, value);
    for (const entry of run) entries.push(entry);
  }
  if (entries.length < from - start + count) {
    throw new DaybookError(
      'store-corrupt',
      `entries ${start + entries.length} to ${from + count - 1} are missing`,
    );
  }
  return entries.slice(from - start, from - start + count);
}

function decodeRun(first: number, bytes: Uint8Array): Uint8Array[] {
  let entries: Uint8Array[];
  try {
    entries = decodeBundle(bytes);
  } catch (cause) {
    throw new DaybookError('store-corrupt', `the run of entries at index ${first} is damaged`, {
      cause,
    });
  }
  if (entries.length === 0 || (first % TILE_WIDTH) + entries.length > TILE_WIDTH) {
    throw new DaybookError(
      'store-corrupt',
      `the run at index ${first} has ${entries.length} entries and so leaves its bundle`,
    );
  }
  return entries;
}

function bundleStart(index: number): number {
  return index - (index % TILE_WIDTH);
}
