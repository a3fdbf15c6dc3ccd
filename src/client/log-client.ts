/** The client of a remote log: it trusts nothing that it cannot tie to a checkpoint it verified. */
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import { utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { proveConsistency } from '../merkle/consistency.ts';
import type { Hash, TreeHasher } from '../merkle/hash.ts';
import { proveInclusion } from '../merkle/inclusion.ts';
import type { ReadHashes } from '../merkle/node.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import { MAX_NOTE_BYTES } from '../note/note.ts';
import { formatTlogProof, type TlogProof } from '../proof/tlog-proof.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { webVerifier } from '../signature/web-verifier.ts';
import { policyOfLogs } from '../verify/log-policy.ts';
import type { TrustPolicy } from '../verify/policy.ts';
import { sendBatch } from './batch.ts';
import { type Http, pause, type HttpOptions } from '../http/outbound.ts';
import { acceptAnswer, MAX_POLLS, POLL_MS, submitEntry, type Submitted } from './submit.ts';
import { FileMaker, type ReleaseFileOptions } from './file-maker.ts';
import { Sources } from './sources.ts';
import { HeadKeeper, memoryState, type HeadState, type TrustedHead } from './trusted-head.ts';
import { VerifiedTiles, type VerifiedBundle } from './verified-tiles.ts';

/** Exactly one of `vkeys` and `policy` says whose checkpoints are trusted. */
export interface LogClientOptions extends HttpOptions {
  /** Base URL of the log. */
  readonly url: string;
  /**
   * Base URLs of mirrors of the log, with the origin hash that a mirror puts at their end: they are read
   * while the log is away, and verified as it is.
   */
  readonly mirrors?: readonly string[] | undefined;
  /** The log's keys; no cosignature is asked for then. */
  readonly vkeys?: readonly string[];
  readonly policy?: TrustPolicy;
  /** Remembers the last trusted checkpoint between runs; without it the client does as long as it lives. */
  readonly state?: HeadState;
  readonly verifier?: SignatureVerifier;
  /** How tiles are hashed; in JavaScript when not given, since the client runs in browsers too. */
  readonly hasher?: TreeHasher;
  /** Where the newest checkpoint is asked for below `url`; `checkpoint` when not given. */
  readonly checkpointPath?: string;
  /** Told of what is given as the newest checkpoint, before anything about it is checked. */
  readonly onShown?: (note: Uint8Array) => void;
}

export interface LoggedEntry {
  readonly index: LeafIndex;
  readonly entry: Uint8Array;
  /** The checkpoint that the entry was verified against. */
  readonly head: TrustedHead;
}

/** Up to 256 consecutive entries, the first of which has an index that 256 divides. */
export interface LoggedBundle extends VerifiedBundle {
  readonly first: LeafIndex;
}

/** Bundles that are fetched while an earlier one is being read. */
const READ_AHEAD = 4;
/** Pauses of a first retry that an old checkpoint in a cache may need to be forgotten. */
const STALE_PAUSES = 4;

export class LogClient {
  /** The log itself. */
  readonly #http: Http;
  readonly #sources: Sources;
  readonly #tiles: VerifiedTiles;
  readonly #heads: HeadKeeper;
  readonly #files: FileMaker;
  readonly #verifier: SignatureVerifier;
  readonly #checkpointPath: string;
  readonly #onShown: LogClientOptions['onShown'];

  /** Throws `bad-usage` for a URL that is not http(s), `bad-note` or `bad-policy` for malformed trust. */
  constructor(options: LogClientOptions) {
    const { verifier = webVerifier, state = memoryState(), mirrors = [] } = options;
    this.#sources = new Sources(options.url, mirrors, options);
    this.#http = this.#sources.log;
    this.#tiles = new VerifiedTiles(this.#sources, options.hasher);
    this.#verifier = verifier;
    this.#checkpointPath = options.checkpointPath ?? 'checkpoint';
    this.#onShown = options.onShown;
    this.#heads = new HeadKeeper(trustOf(options), verifier, state, this.#tiles);
    this.#files = new FileMaker({
      sources: this.#sources,
      heads: this.#heads,
      tiles: this.#tiles,
      verifier,
      newest: (signal) => this.checkpoint(signal),
    });
  }

  get url(): string {
    return this.#http.base.href;
  }

  /**
   * The log's newest checkpoint: signed as the policy wants, and proven from tiles to continue the
   * last one that was trusted. Throws `untrusted-checkpoint`, `quorum-missing`, `network`, and
   * `log-forked` for a log that went back or forked. While the log is away, the checkpoint of a mirror
   * that stands no further back than what was trusted.
   */
  async checkpoint(signal?: AbortSignal): Promise<TrustedHead> {
    const call = { accept: 'text/plain', fresh: true, maxBytes: MAX_NOTE_BYTES, signal };
    const pauseMs = STALE_PAUSES * this.#http.options.backoffMs;
    return this.#sources.read(
      (source, isMirror) => {
        const path = isMirror ? 'checkpoint' : this.#checkpointPath;
        const fetchNote = async (): Promise<Uint8Array> => {
          const { body } = await source.call(path, call);
          this.#onShown?.(body);
          return body;
        };
        return isMirror
          ? this.#heads.mirrored(fetchNote, source.base.href)
          : this.#heads.newest(fetchNote, pauseMs);
      },
      // Two heads that the log signed convict it, whoever showed them.
      ({ code }) => code === 'log-forked',
    );
  }

  /** The proof that entry `index` is in the tree of `head`, computed from verified tiles. */
  async inclusion(index: number, head: TrustedHead): Promise<Hash[]> {
    return [...(await proveInclusion(index, head.size, this.#reader(head))).proof];
  }

  /** The proof that the tree of `head` continues the log's first `from` entries. */
  async consistency(from: number, head: TrustedHead): Promise<Hash[]> {
    return proveConsistency(from, head.size, this.#reader(head));
  }

  /** Entry `index`, verified against `head`; throws `not-found` when `head` does not cover it. */
  async entry(index: number, head: TrustedHead): Promise<Uint8Array> {
    if (leafIndex(index) >= head.size) {
      throw new DaybookError('not-found', `entry ${index} is not in the tree of size ${head.size}`);
    }
    const { entries } = await this.#tiles.bundle(head, Math.floor(index / TILE_WIDTH));
    return entries[index % TILE_WIDTH] as Uint8Array;
  }

  /** The entries from `from` up to the end of `head`, in order, each verified against it. */
  async *entries(from: number, head: TrustedHead): AsyncGenerator<LoggedEntry, void, undefined> {
    const start = leafIndex(from);
    for await (const { first, entries } of this.bundles(Math.floor(start / TILE_WIDTH), head)) {
      for (let i = Math.max(start - first, 0); i < entries.length; i++) {
        yield { index: leafIndex(first + i), entry: entries[i] as Uint8Array, head };
      }
    }
  }

  /** The bundles from bundle `from` up to the end of `head`, in order, each verified against it. */
  async *bundles(from: number, head: TrustedHead): AsyncGenerator<LoggedBundle, void, undefined> {
    const last = Math.ceil(head.size / TILE_WIDTH);
    const ahead: Promise<VerifiedBundle>[] = [];
    let next = from;
    for (let index = from; index < last; index++) {
      while (next < last && ahead.length < READ_AHEAD) {
        const bundle = this.#tiles.bundle(head, next++, { keep: false });
        // Whoever stops reading early never awaits the ones ahead.
        bundle.catch(() => undefined);
        ahead.push(bundle);
      }
      const bundle = (await ahead.shift()) as VerifiedBundle;
      yield { first: leafIndex(index * TILE_WIDTH), ...bundle };
    }
  }

  /**
   * All entries from `from` on, those to come too, until `signal` is aborted. The index after the
   * last one that was handled is all that a follower must remember. Throws as `checkpoint` does.
   */
  async *follow(options: {
    readonly from?: number;
    /** Milliseconds between questions for a new checkpoint; 1,000 when not given. */
    readonly pollMs?: number;
    readonly signal?: AbortSignal;
  }): AsyncGenerator<LoggedEntry, void, undefined> {
    const { pollMs = 1000, signal } = options;
    let next = options.from ?? 0;
    try {
      for (;;) {
        const head = await this.checkpoint(signal);
        for await (const entry of this.entries(next, head)) {
          signal?.throwIfAborted();
          yield entry;
          next = entry.index + 1;
        }
        await pause(pollMs, signal);
      }
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    }
  }

  /** The `.tlog-proof` file of an entry, made from tiles: also from a log or mirror that only serves files. */
  async proof(index: number, head: TrustedHead): Promise<Uint8Array> {
    const entry = await this.entry(index, head);
    return utf8(formatTlogProof(await this.#proofOf(leafIndex(index), entry, head)));
  }

  /**
   * A release file: the statements about the file with this digest, and about its source, under the
   * newest checkpoint or the one that `auditor` cosigned last, with a channel file of each of
   * `channels`. Throws `not-found` when there are no statements or a channel has none,
   * `inclusion-invalid` when the log lied, and as `checkpoint` does. While the log is away, from a
   * mirror, which has no index: that reads all of it.
   */
  async releaseFile(sha256: Uint8Array, options: ReleaseFileOptions = {}): Promise<Uint8Array> {
    return this.#files.releaseFile(sha256, options);
  }

  /**
   * The newest statement of a channel that the log shows, proven against a checkpoint that is trusted.
   * Who may publish the channel is for a policy to say. Throws `not-found` when it has none.
   */
  async channelFile(name: string, signal?: AbortSignal): Promise<Uint8Array> {
    return this.#files.channelFile(name, signal);
  }

  /**
   * Logs one entry and waits for its proof, which is verified before this resolves. Safe to repeat:
   * the same statement under the same key gives the first index.
   */
  async submit(entry: Uint8Array, signal?: AbortSignal): Promise<Submitted> {
    return submitEntry(this.#http, this.#heads, entry, signal);
  }

  /**
   * Logs many entries in few requests, and proves each from tiles of a checkpoint that covers them
   * all. In the place of an entry that was refused there is the error. Safe to repeat, as `submit`.
   */
  async submitBatch(
    entries: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<(Submitted | DaybookError)[]> {
    const outcomes = await sendBatch(this.#http, entries, signal);
    const indexes = outcomes.flatMap((outcome) => ('index' in outcome ? [outcome.index] : []));
    const head = await this.#headCovering(
      indexes.reduce((a, b) => Math.max(a, b), -1),
      signal,
    );
    const bundles = new Map<number, Promise<VerifiedBundle>>();
    const submitted: (Submitted | DaybookError)[] = [];
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome instanceof DaybookError) {
        submitted.push(outcome);
        continue;
      }
      const { index, duplicate } = outcome;
      const number = Math.floor(index / TILE_WIDTH);
      const bundle = bundles.get(number) ?? this.#tiles.bundle(head, number);
      bundles.set(number, bundle);
      const logged = (await bundle).entries[index % TILE_WIDTH] as Uint8Array;
      const proof = await this.#proofOf(index, logged, head);
      submitted.push(acceptAnswer(entries[i] as Uint8Array, proof, head, duplicate));
    }
    return submitted;
  }

  /** The newest checkpoint, once it covers entry `index`. */
  async #headCovering(index: number, signal?: AbortSignal): Promise<TrustedHead> {
    for (let poll = 0; poll < MAX_POLLS; poll++) {
      const head = await this.checkpoint(signal);
      if (head.size > index) return head;
      await pause(POLL_MS, signal);
    }
    throw new DaybookError(
      'overloaded',
      `no checkpoint covers entry ${index} yet; the entries are in the log: submit them again later to get their proofs`,
    );
  }

  async #proofOf(index: LeafIndex, extra: Uint8Array, head: TrustedHead): Promise<TlogProof> {
    return { extra, index, hashes: await this.inclusion(index, head), checkpoint: head.note };
  }

  #reader(head: TrustedHead): ReadHashes {
    return tileHashReader(head.size, (tiles) => this.#tiles.read(head, tiles));
  }
}

function trustOf({ vkeys, policy }: LogClientOptions): TrustPolicy {
  if ((vkeys === undefined) === (policy === undefined)) {
    throw new DaybookError('bad-usage', 'give the log client either vkeys or a policy');
  }
  return policy ?? policyOfLogs(vkeys ?? []);
}
