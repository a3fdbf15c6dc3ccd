/**
 * The one writer: takes what has gathered into a batch, refuses nothing twice and logs nothing
 * twice, gives each new entry its index, and commits the batch in one synced write. An index is
 * given out only when it is durable.
 */
import { DaybookError } from '../errors.ts';
import { leafIndex, type LeafIndex, type TreeSize } from '../encoding/integer.ts';
import type { GrowingTree } from '../merkle/growing-tree.ts';
import type { Hash } from '../merkle/hash.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import { advance, authorize, type AdmissionState, type Claim } from '../statement/admission.ts';
import { checkChannelLink, type ChannelLink } from '../statement/channel.ts';
import type { FullTile, IndexKey, Store, UniqueKind } from '../store/store.ts';
import { channelPlace } from './channels.ts';

export interface Assigned {
  readonly index: LeafIndex;
  /** The statement was in the log already; `index` is that of the entry logged first. */
  readonly duplicate: boolean;
}

/** One entry on its way, and whom to answer. */
export interface Submission {
  readonly entry: Uint8Array;
  readonly leafHash: Hash;
  /** What makes two submissions the same: a digest under which the first one's index is found. */
  readonly dedupe: { readonly kind: 'dedupe' | 'leaf'; readonly digest: Uint8Array };
  /** Digests (SHA-256) under which the entry can be looked up. */
  readonly artifacts: readonly Uint8Array[];
  /** What the entry's verified signature claims to be allowed; absent where admission is open. */
  readonly claim: Claim | undefined;
  settle(outcome: Assigned | DaybookError): void;
}

export interface SequencerLimits {
  readonly batchEntries: number;
  readonly batchBytes: number;
  readonly queuedEntries: number;
  readonly queuedBytes: number;
}

const defaultSequencerLimits: SequencerLimits = {
  batchEntries: 1024,
  batchBytes: 8 << 20,
  queuedEntries: 65_536,
  queuedBytes: 256 << 20,
};

/** Index of each new statement by its dedupe digest and its place in a channel, until the store finds it. */
type Fresh = ReadonlyMap<string, LeafIndex>;

interface Batch {
  readonly expectedSize: TreeSize;
  readonly entries: Uint8Array[];
  readonly tiles: readonly FullTile[];
  readonly keys: IndexKey[];
  readonly root: Hash;
  readonly fresh: Fresh;
  readonly answers: readonly Answer[];
}

interface Answer extends Assigned {
  readonly submission: Submission;
}

export interface SequencerOptions {
  readonly store: Store;
  readonly tree: GrowingTree;
  readonly admission: AdmissionState;
  readonly limits?: Partial<SequencerLimits> | undefined;
  /** Called after each commit, when `store.state` has grown by entries of so many bytes. */
  readonly onDurable: (bytes: number) => void;
  /** Called once, when a write failed: nothing more is sequenced. */
  readonly onFailure: (error: DaybookError) => void;
}

export class Sequencer {
  readonly #store: Store;
  readonly #tree: GrowingTree;
  readonly #limits: SequencerLimits;
  readonly #onDurable: (bytes: number) => void;
  readonly #onFailure: (error: DaybookError) => void;
  #admission: AdmissionState;
  #queue: Submission[] = [];
  #queuedBytes = 0;
  /** Prepared batches that look-ups in the store do not find yet: one being synced, one behind it. */
  #unstored: Batch[] = [];
  #commit: Promise<void> = Promise.resolve();
  #running = false;
  #failure: DaybookError | undefined;

  constructor(options: SequencerOptions) {
    this.#store = options.store;
    this.#tree = options.tree;
    this.#admission = options.admission;
    this.#limits = { ...defaultSequencerLimits, ...options.limits };
    this.#onDurable = options.onDurable;
    this.#onFailure = options.onFailure;
  }

  /** Who may log what, as of the last entry that was given an index. */
  get admission(): AdmissionState {
    return this.#admission;
  }

  /** Entries that wait for their index. */
  get pending(): number {
    return this.#unstored.reduce((sum, { answers }) => sum + answers.length, this.#queue.length);
  }

  /** Answers through `settle`, never by throwing: `overloaded` when the queue is full. */
  enqueue(submission: Submission): void {
    if (this.#failure) {
      submission.settle(this.#failure);
      return;
    }
    if (
      this.#queue.length >= this.#limits.queuedEntries ||
      this.#queuedBytes + submission.entry.length > this.#limits.queuedBytes
    ) {
      submission.settle(
        new DaybookError(
          'overloaded',
          `${this.#queue.length} entries wait for their index already; submit again in a second`,
        ),
      );
      return;
    }
    this.#queue.push(submission);
    this.#queuedBytes += submission.entry.length;
    if (!this.#running) void this.#run();
  }

  /** A tile's hashes where the store may not have them yet: tiles being committed, and the right edge. */
  recentTile(level: number, index: number): Uint8Array | undefined {
    for (const { tiles } of this.#unstored) {
      const tile = tiles.find((each) => each.level === level && each.index === index);
      if (tile) return tile.hashes;
    }
    const edge = Math.floor(this.#tree.size / TILE_WIDTH ** (level + 1));
    return index === edge ? this.#tree.partialTile(level) : undefined;
  }

  /** Prepares the next batch while the last one is being synced, once a full one has gathered. */
  async #run(): Promise<void> {
    this.#running = true;
    // A turn of the event loop lets what arrives together travel together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (!this.#failure) {
      if (this.#queue.length < this.#limits.batchEntries) await this.#commit;
      if (this.#queue.length === 0) break;
      const submissions = this.#take();
      let batch: Batch;
      try {
        batch = this.#prepare(submissions);
      } catch (error) {
        this.#fail(error, submissions);
        break;
      }
      this.#unstored.push(batch);
      await this.#commit;
      this.#commit = this.#write(batch);
    }
    this.#running = false;
  }

  #take(): Submission[] {
    let count = 0;
    let bytes = 0;
    for (const { entry } of this.#queue) {
      if (count >= this.#limits.batchEntries || bytes >= this.#limits.batchBytes) break;
      count += 1;
      bytes += entry.length;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  #prepare(submissions: readonly Submission[]): Batch {
    const expectedSize = this.#tree.size;
    const entries: Uint8Array[] = [];
    const leafHashes: Hash[] = [];
    const keys: IndexKey[] = [];
    const answers: Answer[] = [];
    const fresh = new Map<string, LeafIndex>();
    for (const submission of submissions) {
      const { dedupe, leafHash, artifacts, claim } = submission;
      const known = this.#lookup(dedupe.kind, dedupe.digest, fresh);
      if (known !== undefined) {
        answers.push({ submission, index: known, duplicate: true });
        continue;
      }
      const channel = claim?.kind === 'admission' ? undefined : claim?.channel;
      if (claim) {
        // The state may have moved since the signature was verified: entry i is valid only by 0..i-1.
        try {
          authorize(this.#admission, claim);
          if (channel) this.#checkChannel(channel, fresh);
        } catch (error) {
          submission.settle(error as DaybookError);
          continue;
        }
        this.#admission = advance(this.#admission, claim);
      }
      const index = leafIndex(expectedSize + entries.length);
      fresh.set(digestName(dedupe.digest), index);
      entries.push(submission.entry);
      leafHashes.push(leafHash);
      keys.push({ kind: 'leaf', digest: leafHash, index });
      if (dedupe.kind === 'dedupe') keys.push({ kind: 'dedupe', digest: dedupe.digest, index });
      if (channel) {
        const place = channelPlace(channel.name, channel.sequence);
        fresh.set(digestName(place), index);
        keys.push({ kind: 'channel', digest: place, index });
      }
      for (const digest of artifacts) keys.push({ kind: 'artifact', digest, index });
      answers.push({ submission, index, duplicate: false });
    }
    const tiles = this.#tree.append(leafHashes);
    return { expectedSize, entries, tiles, keys, root: this.#tree.root(), fresh, answers };
  }

  /** Does the statement come next in its channel, after all that have an index so far? */
  #checkChannel(channel: ChannelLink, fresh: Fresh): void {
    checkChannelLink(channel, (name, sequence) =>
      this.#lookup('channel', channelPlace(name, sequence), fresh),
    );
  }

  /** In the batch that is being prepared, in those that wait for the store, and in the store. */
  #lookup(kind: UniqueKind, digest: Uint8Array, preparing: Fresh): LeafIndex | undefined {
    const name = digestName(digest);
    let index = preparing.get(name);
    for (const { fresh } of this.#unstored) index ??= fresh.get(name);
    return index ?? this.#store.lookup(kind, digest);
  }

  /** Never rejects: a failure is told to those who wait and to `onFailure`. */
  async #write(batch: Batch): Promise<void> {
    if (this.#failure) return;
    try {
      if (batch.entries.length > 0) await this.#store.append(batch);
    } catch (error) {
      this.#fail(error);
      return;
    }
    this.#unstored.shift();
    for (const answer of batch.answers) answer.submission.settle(answer);
    if (batch.entries.length > 0) {
      this.#onDurable(batch.entries.reduce((sum, entry) => sum + entry.length, 0));
    }
  }

  #fail(cause: unknown, taken: readonly Submission[] = []): void {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const failure = new DaybookError(
      'store-failed',
      `a write failed (${detail}); whether the entry was logged is unknown: submit it again, which is safe`,
      { cause },
    );
    this.#failure = failure;
    const unanswered = [
      ...taken,
      ...this.#unstored.flatMap(({ answers }) => answers.map(({ submission }) => submission)),
      ...this.#queue.splice(0),
    ];
    this.#unstored = [];
    this.#queuedBytes = 0;
    for (const submission of unanswered) submission.settle(failure);
    this.#onFailure(failure);
  }
}

/** A map's key for a 32-byte digest. */
function digestName(digest: Uint8Array): string {
  return Buffer.from(digest.buffer, digest.byteOffset, digest.byteLength).toString('latin1');
}
