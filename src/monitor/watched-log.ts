/**
 * One log under watch: its newest checkpoint, the entries up to it, the rules, the cosignature. What
 * it does wrong is told in alerts; nothing that it does ends the watch.
 *
 *     head/<origin hash>    the newest checkpoint that was trusted: note bytes
 *     owed/<origin hash>    since when the entries of a checkpoint do not come: ms since 1970
 */
import { LogClient, type TrustedHead } from '../client/index.ts';
import type { ForkEvidence } from '../client/trusted-head.ts';
import { decodeUtf8, equalBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError, type ErrorCode } from '../errors.ts';
import { pause, type HttpOptions } from '../http/outbound.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { parseNote } from '../note/note.ts';
import { originHash } from '../note/origin-hash.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { checkCheckpoint } from '../verify/policy.ts';
import { accuse, accuseOfEntries } from './accuse.ts';
import { AuditedLog } from './audited-log.ts';
import { Change, type RaiseAlert, type Records } from './change.ts';
import type { WatchedLogConfig } from './config.ts';
import { checkpointKey, type Cosigner } from './cosigner.ts';
import type { Rules } from './rules/rules.ts';
import type { VerifiedTree } from './verified-tree.ts';

export interface WatchOptions {
  readonly config: WatchedLogConfig;
  readonly records: Records;
  readonly raise: RaiseAlert;
  readonly rules: Pick<Rules, 'entry' | 'head' | 'tick'>;
  /** Absent in a monitor that cosigns nothing. */
  readonly cosigner?: Cosigner | undefined;
  /** Milliseconds since 1970. */
  readonly clock?: (() => number) | undefined;
  /** Told after each poll what is wrong at the log, if anything. */
  readonly onPolled?: ((log: WatchedLog) => void) | undefined;
  /**
   * Given each checkpoint that contradicts what was trusted, or is older; whether it could be judged, so
   * that nothing has to be told of it but what the judge tells.
   */
  readonly onConflict?: ((conflict: ForkEvidence) => Promise<boolean>) | undefined;
  /**
   * Given each checkpoint that was not trusted, whatever the reason: of the log's signature and what it
   * means, nothing was said.
   */
  readonly onRefused?: ((note: Uint8Array) => Promise<void>) | undefined;
  /** Called in each poll that made the verified tree grow. */
  readonly onGrown?: ((log: WatchedLog) => Promise<void>) | undefined;
  /** What differs from 3 tries of 30 seconds. */
  readonly http?: HttpOptions | undefined;
  /** Node's own when not given. */
  readonly verifier?: SignatureVerifier | undefined;
}

export interface WatchStatus {
  readonly origin: string;
  /** Entries that were audited. */
  readonly audited: number;
  /** Of these, entries that should not be in the log. */
  readonly findings: number;
  /** Entries of the newest trusted checkpoint. */
  readonly size: number;
  /** Why the log could not be followed just now. */
  readonly problem?: string;
}

/** A log that stays silent must not keep the rules that wait for it from being asked. */
const HTTP = { attempts: 3, timeoutMs: 30_000 };
/** Entries that a signed checkpoint covers are the log's duty to show: after so long it is told. */
const WITHHELD_MS = 3_600_000;
/** Errors that only wrong answers lead to. For others the log, or the way to it, is away. */
const lies: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'bad-note',
  'bad-checkpoint',
  'bad-encoding',
  'untrusted-checkpoint',
  'signature-invalid',
  'inclusion-invalid',
  'consistency-invalid',
]);

/** What went wrong at the log, or on the way to it; everything else is the monitor's own failure. */
class LogFailure extends Error {
  readonly error: DaybookError;

  constructor(error: DaybookError) {
    super(error.message);
    this.error = error;
  }
}

export class WatchedLog {
  readonly origin: string;
  readonly hash: string;
  readonly #options: WatchOptions;
  readonly #client: LogClient;
  readonly #audited: AuditedLog;
  #problem: DaybookError | undefined;
  #served: Uint8Array | undefined;
  /** The note that the log gave last in this poll. */
  #shown: Uint8Array | undefined;
  /** Whether it was an older one than before, in this poll. */
  #wentBack = false;

  private constructor(options: WatchOptions, hash: string, audited: AuditedLog) {
    const { config, records } = options;
    this.#options = options;
    this.origin = config.origin;
    this.hash = hash;
    this.#audited = audited;
    this.#served = records.get(checkpointKey(hash));
    this.#client = new LogClient({
      ...HTTP,
      ...options.http,
      url: config.url,
      mirrors: config.mirrors,
      policy: config.policy,
      ...(config.cosigned && { checkpointPath: 'cosigned-checkpoint' }),
      onShown: (note) => (this.#shown = note),
      verifier: verifierOf(options),
      hasher,
      state: {
        load: async () => records.get(headKey(hash)),
        save: (note) => records.commit({ put: [[headKey(hash), note]] }),
      },
    });
  }

  /** Goes on where the records end. Throws `store-corrupt`. */
  static async open(options: WatchOptions): Promise<WatchedLog> {
    const { origin } = options.config;
    const hash = originHash(origin);
    const audited = await AuditedLog.load(options.records, { origin, hash }, verifierOf(options), {
      change: () => newChange(options),
      entry: (entry, draft) => options.rules.entry(entry, draft),
      failed: (failed, draft) => accuseOfEntries(origin, failed, draft),
    });
    return new WatchedLog(options, hash, audited);
  }

  /** The tree of all entries that were audited. */
  get tree(): VerifiedTree {
    return this.#audited.tree;
  }

  /** The newest checkpoint that the monitor cosigned: the note as it is served. */
  get checkpoint(): Uint8Array | undefined {
    return this.#served;
  }

  /** The newest checkpoint that was trusted; its entries may be audited in part only. */
  get head(): TrustedHead | undefined {
    const note = this.#options.records.get(headKey(this.hash));
    return note && { ...parseCheckpoint(parseNote(note).text), note };
  }

  /** What is wrong at the log since the last poll. */
  get problem(): DaybookError | undefined {
    return this.#problem;
  }

  status(): WatchStatus {
    return {
      origin: this.origin,
      audited: this.tree.size,
      findings: this.#audited.findings,
      size: this.head?.size ?? 0,
      ...(this.#problem && { problem: this.#problem.message }),
    };
  }

  /** Polls until `signal` is aborted. Throws what `poll` throws. */
  async follow(pollMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.poll(signal);
      await pause(pollMs, signal).catch(() => undefined);
    }
  }

  /**
   * Looks for a newer checkpoint, audits up to it, asks the rules, cosigns. What is wrong at the log
   * becomes `problem`, and alerts. Throws only when the monitor itself fails: `store-failed` or
   * `store-corrupt`, or a bug; it must not go on then.
   */
  async poll(signal?: AbortSignal): Promise<void> {
    let found: TrustedHead | undefined;
    this.#shown = undefined;
    this.#wentBack = false;
    const problem = await this.#firstFailure(
      signal,
      async () => {
        found = await asLogs(() => this.#client.checkpoint(signal));
      },
      async () => {
        if (!found && this.#shown) await this.#options.onRefused?.(this.#shown);
      },
      // A log that shows no newer checkpoint still owes the entries of the one it signed before.
      async () => this.#auditTo(found ?? this.head, signal),
      async () => this.#conclude(found),
    );
    if (signal?.aborted) return;
    this.#problem = problem;
    this.#options.onPolled?.(this);
  }

  /** Takes every step, whatever became of those before it. */
  async #firstFailure(
    signal: AbortSignal | undefined,
    ...steps: readonly (() => Promise<void>)[]
  ): Promise<DaybookError | undefined> {
    let first: DaybookError | undefined;
    for (const step of steps) {
      if (signal?.aborted) return first;
      try {
        await step();
      } catch (failure) {
        if (signal?.aborted && !isStoreFailure(failure)) return first;
        if (!(failure instanceof LogFailure)) throw failure;
        await this.#accuse(failure.error);
        first ??= failure.error;
      }
    }
    return first;
  }

  async #auditTo(head: TrustedHead | undefined, signal?: AbortSignal): Promise<void> {
    if (head === undefined || head.size <= this.tree.size) return;
    const before = this.tree.size;
    const bundles = this.#client.bundles(Math.floor(before / TILE_WIDTH), head);
    let failure: unknown;
    while (failure === undefined && signal?.aborted !== true) {
      const next = await asLogs(() => bundles.next()).catch((error: unknown) => {
        failure = error;
      });
      if (!next || next.done === true) break;
      await this.#audited.add(next.value);
    }
    // Every bundle that came was verified: it counts, whatever went wrong behind it.
    await this.#audited.finish();
    await bundles.return();
    if (this.tree.size > before) await this.#options.onGrown?.(this);
    if (failure !== undefined) throw failure as Error;
  }

  /** The rules about heads and times, and the cosignature, once all entries are audited. */
  async #conclude(found: TrustedHead | undefined): Promise<void> {
    const { rules, config, cosigner } = this.#options;
    const { size } = this.tree;
    const change = newChange(this.#options);
    const owed = (found ?? this.head)?.size ?? 0;
    if (size < owed || this.#wentBack) this.#owes(owed, change);
    else if (change.get(owedKey(this.hash))) change.delete(owedKey(this.hash));
    if (size < owed) return change.commit();
    if (found) {
      const { cosignatures } = await checkCheckpoint(
        found.note,
        config.policy,
        verifierOf(this.#options),
      );
      rules.head({ origin: this.origin, size: found.size, note: found.note, cosignatures }, change);
    }
    rules.tick(this.origin, change);
    await change.commit();
    if (found && cosigner && size > 0 && found.size === size) await this.#cosign(found, cosigner);
  }

  async #cosign(head: TrustedHead, cosigner: Cosigner): Promise<void> {
    // The client proved it from the log's tiles; this is the same from the monitor's own.
    if (!equalBytes(await this.tree.rootAt(head.size), head.root)) {
      throw new LogFailure(
        new DaybookError(
          'consistency-invalid',
          `the entries that were audited do not lead to the checkpoint of size ${head.size}`,
        ),
      );
    }
    const change = newChange(this.#options);
    const served = await asLogs(() => cosigner.cosign(this.hash, head, change));
    await change.commit();
    this.#served = served ?? this.#served;
  }

  /** A log that signs what it does not show, or shows no more, is told of as soon as it does so for long. */
  #owes(owed: number, change: Change): void {
    const since = change.get(owedKey(this.hash));
    if (since === undefined) {
      change.put(owedKey(this.hash), utf8(String(change.now)));
    } else if (change.now - Number(decodeUtf8(since)) >= WITHHELD_MS) {
      const cause = ['withheld', decodeUtf8(since)];
      const { size } = this.tree;
      const title =
        size < owed
          ? `the log has not shown entry ${size} for over an hour`
          : 'the log has shown no checkpoint but older ones for over an hour';
      const detail =
        size < owed
          ? `It signed a checkpoint of size ${owed}, and serves no valid entries from index ${size} on.`
          : `It signed a checkpoint of size ${owed} before.`;
      accuse(change, this.origin, 'log-misbehaved', { cause, title, detail });
    }
  }

  /** Tells what only a log that lies can be the cause of. */
  async #accuse(error: DaybookError): Promise<void> {
    const change = newChange(this.#options);
    const detail = error.message;
    if (error.code === 'log-forked') {
      const conflict = error.cause as ForkEvidence | undefined;
      this.#wentBack = conflict !== undefined && conflict.evidence === undefined;
      if (conflict && (await this.#options.onConflict?.(conflict))) return;
      const cause = [conflict ? parseNote(conflict.offered).text : detail];
      const title = 'the log shows checkpoints that cannot both be true';
      accuse(change, this.origin, 'log-forked', { cause, title, detail });
    } else if (lies.has(error.code)) {
      const cause = ['answer', error.code, String(this.tree.size)];
      const title = 'the log answers what does not hold';
      accuse(change, this.origin, 'log-misbehaved', { cause, title, detail });
    }
    await change.commit();
  }
}

async function asLogs<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    throw error instanceof DaybookError ? new LogFailure(error) : error;
  }
}

function isStoreFailure(error: unknown): boolean {
  return error instanceof DaybookError && error.code.startsWith('store-');
}

function verifierOf({ verifier = nodeVerifier }: WatchOptions): SignatureVerifier {
  return verifier;
}

function newChange({ records, raise: raiseAlert, clock = Date.now }: WatchOptions): Change {
  return new Change(records, raiseAlert, clock());
}

function headKey(hash: string): string {
  return `head/${hash}`;
}

function owedKey(hash: string): string {
  return `owed/${hash}`;
}
