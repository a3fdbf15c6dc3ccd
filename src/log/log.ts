/**
 * The log: one data directory, opened and verified, that takes entries and answers for them. After
 * a failed write it stops, reopens and reads its state back before it acknowledges or signs again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DaybookError } from '../errors.ts';
import { treeSize, type LeafIndex, type TreeSize } from '../encoding/integer.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import type { Hash } from '../merkle/hash.ts';
import type { Inclusion } from '../merkle/inclusion.ts';
import type { Tile } from '../merkle/tile.ts';
import type { AdmissionMode, AdmissionState } from '../statement/admission.ts';
import { NewestOfChannels, channelPlace } from './channels.ts';
import { InclusionWaiters, type Published } from './publisher.ts';
import { prepare, type Prepared } from './prepare.ts';
import { openRunning, type Running, type WitnessOptions } from './running.ts';
import type { Assigned, SequencerLimits } from './sequencer.ts';

export interface LogOptions {
  /** Holds all that the log keeps; made when it is missing. */
  readonly directory: string;
  /** Of a new log; an existing one must have this one. Default: a name made from the log's key. */
  readonly origin?: string | undefined;
  /** Of a new log, fixed for its life; an existing one must have this one. Default: `issuers`. */
  readonly admission?: AdmissionMode | undefined;
  /** At most one checkpoint in this time, in milliseconds. Default: 1000. */
  readonly intervalMs?: number | undefined;
  readonly limits?: Partial<SequencerLimits> | undefined;
  /** Checkpoints are published when a quorum of these has cosigned them. Default: at once. */
  readonly witnesses?: WitnessOptions | undefined;
  /** Entries that are taken without being published, while there is no quorum. Default: 1,000,000. */
  readonly maxUnpublished?: number | undefined;
  /** Told what an operator should know: failed writes, recoveries. */
  readonly report?: ((message: string, error?: unknown) => void) | undefined;
}

export interface Sequenced extends Assigned {
  /** Of the entry at `index`. */
  readonly leafHash: Hash;
}

export interface LogStatus {
  /** Whether entries are taken. */
  readonly accepting: boolean;
  /** Whether checkpoints find their quorum of witnesses. */
  readonly publishing: boolean;
  /** Why not, where it does not do both. */
  readonly reason?: DaybookError;
  /** Names, in the policy, of the witnesses that cosigned nothing when they were asked last. */
  readonly silent: readonly string[];
  /** Durable entries. */
  readonly size: TreeSize;
  /** Entries that the newest published checkpoint covers. */
  readonly published: TreeSize;
  /** Entries that wait for their index. */
  readonly pending: number;
}

const DEFAULT_INTERVAL_MS = 1000;
const DEFAULT_MAX_UNPUBLISHED = 1_000_000;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;

export class Log {
  readonly #options: LogOptions;
  readonly #waiters = new InclusionWaiters();
  readonly #submitting = new Set<Promise<unknown>>();
  readonly #stopping = new AbortController();
  readonly #channels = new NewestOfChannels();
  #running!: Running;
  /** Why the log takes no entries and signs nothing; undefined while it does. */
  #halted: DaybookError | undefined;
  #recovery: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(options: LogOptions) {
    this.#options = options;
  }

  /**
   * Opens the log in `options.directory`, or makes one there: keys, genesis entry, first checkpoint.
   * With witnesses it takes entries and signs as soon as they know of nothing newer, which `status`
   * shows. Throws `store-locked`, `store-failed`, `store-corrupt`, `wrong-directory`, `bad-key`, and
   * `bad-policy` or `bad-usage` for a witness whose URL is missing or none.
   */
  static async open(options: LogOptions): Promise<Log> {
    const log = new Log(options);
    log.#running = await log.#open(treeSize(0));
    const begun = log.#begin();
    if (options.witnesses) {
      log.#halted = new DaybookError('quorum-away', 'the log asks its witnesses what they know');
      log.#recovery = begun.catch((error: unknown) => log.#stop(error));
      return log;
    }
    try {
      await begun;
    } catch (error) {
      await log.#running.close();
      throw error;
    }
    return log;
  }

  get origin(): string {
    return this.#running.origin;
  }

  /** Public keys that sign this log's checkpoints. */
  get vkeys(): readonly string[] {
    return this.#running.vkeys;
  }

  /** Who may log what, as of the last entry that was given an index. */
  get admission(): AdmissionState {
    return this.#running.sequencer.admission;
  }

  /** The newest checkpoint that anyone may see: its note is empty before there is one. */
  get published(): Published {
    return this.#running.publisher.published;
  }

  /** The newest one that every witness was asked for: as a rule a little older, with more cosignatures. */
  get cosigned(): Published {
    return this.#running.publisher.cosigned;
  }

  status(): LogStatus {
    const { store, publisher, sequencer, gatherer } = this.#running;
    const reason = this.#halted ?? this.#quorumAway();
    return {
      accepting: this.refusal() === undefined,
      publishing: this.#halted === undefined && publisher.publishing,
      ...(reason === undefined ? {} : { reason }),
      silent: gatherer.silent,
      size: store.state.size,
      published: publisher.published.size,
      pending: sequencer.pending,
    };
  }

  /** Why no entry is taken just now: `log-stopping`, `log-behind` or `quorum-away`. */
  refusal(): DaybookError | undefined {
    if (this.#halted) return asRefusal(this.#halted);
    const { store, publisher } = this.#running;
    const unpublished = store.state.size - publisher.published.size;
    const most = this.#options.maxUnpublished ?? DEFAULT_MAX_UNPUBLISHED;
    return unpublished < most ? undefined : this.#quorumAway();
  }

  /**
   * Examines an entry and gives it an index; resolves when it is durable. The same statement under
   * the same key always gets its first index. Throws what `examine` throws, `entry-too-large`,
   * `overloaded`, what `refusal` gives, or `store-failed` when it is unknown whether the entry was logged.
   */
  async submit(entry: Uint8Array): Promise<Sequenced> {
    return this.#tracked(this.#submitOne(entry));
  }

  /** As `submit`, for many: an outcome for each entry, in their order. */
  async submitMany(entries: readonly Uint8Array[]): Promise<(Sequenced | DaybookError)[]> {
    return this.#tracked(
      Promise.all(entries.map((entry) => this.#submitOne(entry).catch(refusal))),
    );
  }

  /** Resolves when a published checkpoint covers `index`; rejects when `signal` is aborted first. */
  async included(index: LeafIndex, signal?: AbortSignal): Promise<Published> {
    const { published } = this;
    return index < published.size ? published : this.#waiters.wait(index, signal);
  }

  /** The bytes of a published entry. Throws `not-found`. */
  entry(index: LeafIndex): Promise<Uint8Array> {
    return this.#running.reader.entry(index);
  }

  /** A ready `.tlog-proof` that carries the entry in `extra`, under the published checkpoint. */
  entryProof(index: LeafIndex): Promise<Uint8Array> {
    return this.#running.reader.entryProof(index);
  }

  /**
   * A release file: the published entries of these indexes, which ascend, and one proof of all of them
   * under the published checkpoint. Throws `not-found`.
   */
  releaseFile(indexes: readonly LeafIndex[]): Promise<Uint8Array> {
    return this.#running.reader.releaseFile(indexes);
  }

  /** An inclusion proof at `size`, by default the published one. Throws `not-found`. */
  inclusion(index: LeafIndex, size: TreeSize = this.published.size): Promise<Inclusion> {
    return this.#running.reader.inclusion(index, size);
  }

  /** A consistency proof between published sizes. Throws `not-found` or `bad-request`. */
  consistency(from: TreeSize, to: TreeSize = this.published.size): Promise<Hash[]> {
    return this.#running.reader.consistency(from, to);
  }

  /** Index of a published leaf. That there is none is not proven by the answer. */
  lookupLeaf(leafHash: Uint8Array): LeafIndex | undefined {
    const index = this.#running.store.lookup('leaf', leafHash);
    return index !== undefined && index < this.published.size ? index : undefined;
  }

  /** Indexes, from `from` on, of published statements about the artifact with this SHA-256 digest. */
  async lookupArtifact(sha256: Uint8Array, from: LeafIndex, limit: number): Promise<LeafIndex[]> {
    const indexes = await this.#running.store.list('artifact', sha256, from, limit);
    return indexes.filter((index) => index < this.published.size);
  }

  /** The newest `limit` of these indexes, ascending. */
  newestOfArtifact(sha256: Uint8Array, limit: number): Promise<LeafIndex[]> {
    return this.#running.store.listNewest('artifact', sha256, this.published.size, limit);
  }

  /** Index of the newest published statement of a channel. */
  channel(name: string): LeafIndex | undefined {
    const { store, publisher } = this.#running;
    const { size } = publisher.published;
    return this.#channels.find(name, (sequence) => {
      const index = store.lookup('channel', channelPlace(name, sequence));
      return index !== undefined && index < size ? index : undefined;
    });
  }

  /** Hashes of a tile (C2SP tlog-tiles). Throws `not-found` for what is not published. */
  tile(tile: Tile): Promise<Uint8Array> {
    return this.#running.reader.tile(tile);
  }

  /** An entry bundle (C2SP tlog-tiles). Throws `not-found` for what is not published. */
  bundle(index: number, width: number): Promise<Uint8Array> {
    return this.#running.reader.bundle(index, width);
  }

  /** Takes no more entries, publishes those it took, and gives the directory back. */
  close(): Promise<void> {
    return (this.#closing ??= this.#close());
  }

  async #close(): Promise<void> {
    const healthy = this.#halted === undefined;
    this.#halted ??= new DaybookError('log-stopping', 'the log is stopping');
    this.#stopping.abort();
    if (!healthy) this.#running.gatherer.stop();
    await Promise.allSettled([...this.#submitting, this.#recovery]);
    if (healthy) await this.#running.publisher.flush();
    await this.#running.close();
  }

  /** Lets `close` wait for what is under way. */
  async #tracked<Result>(submitting: Promise<Result>): Promise<Result> {
    this.#submitting.add(submitting);
    try {
      return await submitting;
    } finally {
      this.#submitting.delete(submitting);
    }
  }

  async #submitOne(entry: Uint8Array): Promise<Sequenced> {
    const refused = this.refusal();
    if (refused) throw refused;
    let prepared: Prepared;
    try {
      prepared = await prepare(this.admission, entry);
    } catch (error) {
      const logged = error instanceof DaybookError ? this.#loggedBefore(entry) : undefined;
      if (logged) return logged;
      throw error;
    }
    const { sequencer, store } = this.#running;
    const outcome = await new Promise<Assigned | DaybookError>((settle) =>
      sequencer.enqueue({ ...prepared, settle }),
    );
    if (outcome instanceof DaybookError) throw outcome;
    const { index, duplicate } = outcome;
    if (!duplicate) return { index, duplicate, leafHash: prepared.leafHash };
    const [first] = await store.readEntries(index, 1);
    return { index, duplicate, leafHash: hasher.leaf(first as Uint8Array) };
  }

  /** An entry sent again may be admissible no more: its issuer was revoked, its admission sequence used by itself. */
  #loggedBefore(entry: Uint8Array): Sequenced | undefined {
    const leafHash = hasher.leaf(entry);
    const index = this.#running.store.lookup('leaf', leafHash);
    return index === undefined ? undefined : { index, leafHash, duplicate: true };
  }

  #open(minimumSize: TreeSize): Promise<Running> {
    return openRunning({
      ...this.#options,
      intervalMs: this.#options.intervalMs ?? DEFAULT_INTERVAL_MS,
      minimumSize,
      onPublished: (published) => this.#waiters.publish(published),
      onFailure: (error) => this.#fail(error),
      report: (message) => this.#options.report?.(message),
    });
  }

  /** Takes entries and signs, as soon as the witnesses know of nothing newer. */
  async #begin(): Promise<void> {
    this.#halted = new DaybookError(
      'quorum-away',
      'the log asks its witnesses what they know of it',
    );
    await this.#running.begin((reason) => {
      this.#halted = new DaybookError('quorum-away', reason);
      this.#options.report?.(reason);
    }, this.#stopping.signal);
    this.#stopping.signal.throwIfAborted();
    this.#halted = undefined;
  }

  #quorumAway(): DaybookError | undefined {
    const { publisher, gatherer } = this.#running;
    if (publisher.publishing) return undefined;
    const silent = gatherer.silent.join(', ');
    return new DaybookError(
      'quorum-away',
      `too few witnesses cosign, so that no checkpoint is published; silent: ${silent}`,
    );
  }

  #fail(error: DaybookError): void {
    if (this.#halted !== undefined) return;
    if (error.code !== 'store-failed') {
      this.#stop(error);
      return;
    }
    this.#halted = new DaybookError(
      'log-stopping',
      `the log recovers from a failed write (${error.message}); submit again later`,
    );
    this.#options.report?.('a write failed: the log stops, and reads its state back', error);
    this.#recovery = this.#recover();
  }

  /** Signs nothing more and takes no entries; what is published stays readable. */
  #stop(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#halted = new DaybookError(
      error instanceof DaybookError ? error.code : 'internal',
      `the log has stopped: ${String(error)}`,
      { cause: error },
    );
    this.#options.report?.('the log has stopped for good: it needs its operator', error);
    void this.#running.publisher.stop();
  }

  /** Opens the directory until it can be written again; gives up on what no retry heals. */
  async #recover(): Promise<void> {
    const failed = this.#running;
    const acknowledged = failed.store.state.size;
    await failed.close();
    for (let wait = FIRST_RETRY_MS; !this.#stopping.signal.aborted; wait *= 2) {
      try {
        this.#running = await this.#open(acknowledged);
        await this.#begin();
        this.#waiters.publish(this.published);
        this.#options.report?.('the log has read its state back and goes on');
        return;
      } catch (error) {
        if (!(error instanceof DaybookError) || error.code !== 'store-failed') {
          this.#stop(error);
          return;
        }
        await this.#running.close();
        this.#options.report?.('the data directory cannot be opened yet', error);
      }
      await delay(Math.min(wait, LAST_RETRY_MS), undefined, {
        signal: this.#stopping.signal,
      }).catch(() => undefined);
    }
  }
}

/** What is told to whoever submits: that the log cannot go on is not the entry's fault. */
function asRefusal(reason: DaybookError): DaybookError {
  if (reason.code === 'quorum-away' || reason.code === 'log-behind') return reason;
  return new DaybookError('log-stopping', reason.message, { cause: reason });
}

/** The outcome of an entry that was refused, or whose fate is unknown. */
function refusal(error: unknown): DaybookError {
  if (error instanceof DaybookError) return error;
  throw error;
}
