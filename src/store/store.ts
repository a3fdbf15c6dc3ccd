/**
 * The one durable interface. Engines differ; nothing above them knows which one runs, and all of
 * them pass the suite of test/store/conformance.ts.
 */
import type { LeafIndex, TreeSize } from '../encoding/integer.ts';

/** What the store says about the log; all of it was durable when it was last read or written. */
export interface StoreState {
  readonly size: TreeSize;
  /** RFC 6962 root of the first `size` entries, 32 bytes. */
  readonly root: Uint8Array;
  /** Below this size no entry needs to be hashed anew at the next start: it was, or it has long settled. */
  readonly verifiedSize: TreeSize;
  /** Newest signed checkpoint, as note bytes. */
  readonly signed: Uint8Array | undefined;
  /** Newest published checkpoint, as note bytes. */
  readonly published: Uint8Array | undefined;
}

/** A full tile: 256 hashes, 8192 bytes. Partial tiles are derived, never stored. */
export interface FullTile {
  readonly level: number;
  readonly index: number;
  readonly hashes: Uint8Array;
}

/** Kinds that name one index for each digest: statements, leaf hashes, places in a channel. */
export type UniqueKind = 'dedupe' | 'leaf' | 'channel';
/** `artifact` names many. */
export type IndexKind = UniqueKind | 'artifact';

/**
 * Whoever appends has looked the digests that name one index up: the store does not pay for a second
 * look-up of each.
 */
export interface IndexKey {
  readonly kind: IndexKind;
  /** 32 bytes. */
  readonly digest: Uint8Array;
  readonly index: LeafIndex;
}

export interface Append {
  /** The size that the store must have; otherwise `store-conflict` and nothing is written. */
  readonly expectedSize: TreeSize;
  readonly entries: readonly Uint8Array[];
  readonly tiles: readonly FullTile[];
  readonly keys: readonly IndexKey[];
  /** Root at expectedSize + entries.length. */
  readonly root: Uint8Array;
}

export interface Store {
  readonly state: StoreState;
  /**
   * Atomic and durable (synced) when it resolves. After any failed write the store refuses every
   * further write with `store-failed`: the outcome of the failed one is unknown until it is
   * closed, opened again and read.
   */
  append(batch: Append): Promise<void>;
  /** Synced. A checkpoint is recorded as signed before anyone sees its signature. */
  recordSigned(note: Uint8Array): Promise<void>;
  recordPublished(note: Uint8Array): Promise<void>;
  recordVerified(size: TreeSize): Promise<void>;
  /** `count` entries from `from`; throws `store-corrupt` when one below `size` is missing. */
  readEntries(from: LeafIndex, count: number): Promise<Uint8Array[]>;
  /** The C2SP entry bundle (uint16 length-prefixed entries) of `width` entries from index * 256. */
  readBundle(index: number, width: number): Promise<Uint8Array>;
  /** Full tiles, 8192 bytes each, in the order asked; throws `store-corrupt` when one is missing. */
  readTiles(
    tiles: readonly { readonly level: number; readonly index: number }[],
  ): Promise<Uint8Array[]>;
  /** The one index of a digest. Synchronous: it sits in the sequencer's inner loop. */
  lookup(kind: UniqueKind, digest: Uint8Array): LeafIndex | undefined;
  /** Indexes of an artifact digest, ascending, from `from` on, at most `limit`. */
  list(kind: 'artifact', digest: Uint8Array, from: LeafIndex, limit: number): Promise<LeafIndex[]>;
  /** The last `limit` indexes of an artifact digest below `end`, ascending. */
  listNewest(
    kind: 'artifact',
    digest: Uint8Array,
    end: TreeSize,
    limit: number,
  ): Promise<LeafIndex[]>;
  /** Every index key there is, in an order of the engine's own. */
  indexKeys(): AsyncIterable<IndexKey>;
  close(): Promise<void>;
}
