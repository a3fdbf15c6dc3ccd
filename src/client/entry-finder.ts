/**
 * Finds entries about a digest, and the newest one of a channel: by asking the log, which keeps an
 * index, or by reading a mirror, which has files only. Nobody is believed: what is found is proven later.
 */
import { decodeUtf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import type { Http } from '../http/outbound.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import type { ReleaseEntry } from '../proof/release-file.ts';

/** The newest entries first, some at a time; among them may be entries about something else. */
export type FindEntries = (digest: Uint8Array) => AsyncIterable<readonly ReleaseEntry[]>;

/** Statements about one digest that are looked through, so that no log can keep a client busy. */
const MAX_LOOKED_THROUGH = 10_000;
const PAGE = 1000;
const MAX_PAGE_BYTES = 64 * 1024;
const FETCHED_AT_ONCE = 16;

/** Asks the log for entries in its tree of `size`. */
export function askingLog(http: Http, size: number, signal?: AbortSignal): FindEntries {
  return async function* (digest) {
    const indexes = await lookUp(http, digest, size, signal);
    while (indexes.length > 0) {
      const part = indexes.splice(-FETCHED_AT_ONCE);
      yield await Promise.all(part.map((index) => fetchEntry(http, index, signal)));
    }
  };
}

/** Reads all entries of a tree of `size`, from the last bundle to the first, and leaves the choice to the caller. */
export async function* newestFirst(
  size: number,
  readBundle: (index: number) => Promise<readonly Uint8Array[]>,
): AsyncGenerator<readonly ReleaseEntry[], void, undefined> {
  const ahead: Promise<readonly Uint8Array[]>[] = [];
  let next = Math.ceil(size / TILE_WIDTH) - 1;
  for (let index = next; index >= 0; index--) {
    while (next >= 0 && ahead.length < FETCHED_AT_ONCE / 4) {
      const bundle = readBundle(next--);
      // Whoever has found enough never awaits the ones ahead.
      bundle.catch(() => undefined);
      ahead.push(bundle);
    }
    const entries = (await ahead.shift()) ?? [];
    const first = index * TILE_WIDTH;
    yield entries.map((entry, i) => ({ index: leafIndex(first + i), entry }));
  }
}

async function fetchEntry(
  http: Http,
  index: LeafIndex,
  signal: AbortSignal | undefined,
): Promise<ReleaseEntry> {
  const accept = 'application/octet-stream';
  const call = { accept, maxBytes: MAX_ENTRY_BYTES, signal };
  return { index, entry: (await http.call(`entries/${index}`, call)).body };
}

/** The indexes below `size` of statements about `digest`, as the log lists them: ascending. */
async function lookUp(
  http: Http,
  digest: Uint8Array,
  size: number,
  signal: AbortSignal | undefined,
): Promise<LeafIndex[]> {
  const found: LeafIndex[] = [];
  let from: number | undefined = 0;
  while (from !== undefined && from < size) {
    const path = `entries?sha256=${encodeHex(digest)}&from=${from}&limit=${PAGE}`;
    const call = { accept: 'application/json', fresh: true, maxBytes: MAX_PAGE_BYTES, signal };
    const page = pageIn((await http.call(path, call)).body, from);
    found.push(...page.indexes.filter((index) => index < size));
    if (found.length > MAX_LOOKED_THROUGH) {
      throw new DaybookError(
        'network',
        `the log lists more than ${MAX_LOOKED_THROUGH} statements about ${encodeHex(digest)}`,
      );
    }
    from = page.next;
  }
  return found;
}

interface Page {
  readonly indexes: readonly LeafIndex[];
  readonly next: number | undefined;
}

/** Throws `network` unless the indexes ascend from `from` on and the next page lies behind them. */
function pageIn(body: Uint8Array, from: number): Page {
  try {
    const { indexes, next } = JSON.parse(decodeUtf8(body)) as Record<string, unknown>;
    let least = from;
    const ascending = (indexes as readonly number[]).map((index) => {
      if (index < least) throw new Error(`index ${index} comes after ${least - 1}`);
      least = leafIndex(index) + 1;
      return leafIndex(index);
    });
    if (next === undefined) return { indexes: ascending, next };
    const then = leafIndex(next as number);
    if (then < least || ascending.length === 0) {
      throw new Error(`its next page begins at ${then}`);
    }
    return { indexes: ascending, next: then };
  } catch (cause) {
    throw new DaybookError(
      'network',
      `the log's answer to a look-up is none: ${(cause as Error).message}`,
      { cause },
    );
  }
}
