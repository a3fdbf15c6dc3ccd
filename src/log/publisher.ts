/**
 * Turns durable states into published checkpoints, at most one in each interval; while the log is
 * idle, witnesses cosign the last one anew at each heartbeat. The order is the log's safety: the state
 * is durable; it is signed; the signed head is durable twice, in a file of its own and in the store;
 * only then do witnesses see it, and everybody when a quorum of them has cosigned it.
 */
import { DaybookError } from '../errors.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import type { LeafIndex, TreeSize } from '../encoding/integer.ts';
import { asHash, type Hash } from '../merkle/hash.ts';
import { mergeSignatures } from '../note/add-checkpoint.ts';
import { formatNote, parseNote, type SignatureLine } from '../note/note.ts';
import type { HeadFile } from '../store/head-file.ts';
import type { Store } from '../store/store.ts';
import type { Gatherer } from './gather.ts';
import type { ShownCheckpoint } from './monitoring-prefix.ts';
import type { Witness } from './witness.ts';

/** A checkpoint that anyone may see; its tiles are readable. */
export interface Published {
  /** The signed note, bytes as served. */
  readonly note: Uint8Array;
  readonly size: TreeSize;
  readonly root: Hash;
}

export interface PublisherOptions {
  readonly store: Store;
  readonly head: HeadFile;
  /** Signs the checkpoint of this size and root; gives the note's bytes. */
  readonly sign: (size: TreeSize, root: Hash) => Promise<Uint8Array>;
  /** Whose quorum a checkpoint needs before it is published. */
  readonly gatherer: Gatherer;
  readonly intervalMs: number;
  /** How long after the last one the checkpoint of an idle log is cosigned anew; never when infinite. */
  readonly heartbeatMs: number;
  /** What was published when the log ran last. */
  readonly published: Published;
  readonly onPublished: (published: Published) => void;
  readonly onContradiction: (witness: Witness) => void;
  /** Called once, when a write failed: nothing more is signed. */
  readonly onFailure: (error: DaybookError) => void;
  readonly report: (message: string) => void;
}

/** While there is no quorum it is sought at most so often. */
const RETRY_MS = 250;
/** Longer waits than Node's timers know are cut into pieces. */
const MAX_WAIT_MS = 0x7fff_ffff;

export class Publisher {
  readonly #options: PublisherOptions;
  #published: Published;
  #cosigned: Published;
  #lastAt = Number.NEGATIVE_INFINITY;
  /** Whether the last search for a quorum was in vain. */
  #away = false;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #publishing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#published = options.published;
    this.#cosigned = options.published;
  }

  /** The newest checkpoint that the quorum has cosigned. */
  get published(): Published {
    return this.#published;
  }

  /** The newest one that every witness was asked for: as a rule a little older, with more cosignatures. */
  get cosigned(): Published {
    return this.#cosigned;
  }

  /** Whether checkpoints find their quorum; not before the first one has. */
  get publishing(): boolean {
    return !this.#away && this.#published.size > 0;
  }

  /** To be called when the store has grown: the first entry after an idle time is published at once. */
  notify(): void {
    if (this.#publishing || this.#stopped) return;
    const now = performance.now();
    const at = Math.max(now, this.#nextAt());
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => {
        this.#clearTimer();
        void this.flush();
      },
      Math.min(at - now, MAX_WAIT_MS),
    );
  }

  /** Publishes what is durable now, without waiting for the interval. Failures go to `onFailure`. */
  async flush(): Promise<void> {
    while (this.#publishing) await this.#publishing;
    this.#publishing = this.#publish();
    await this.#publishing;
    this.#publishing = undefined;
    this.notify();
  }

  /**
   * Takes in a checkpoint that somebody else shows, and `lines`, which are theirs: for what is
   * published, or as an older one that is cosigned by more.
   */
  offer({ note, checkpoint }: ShownCheckpoint, lines: readonly SignatureLine[]): void {
    if (this.#stopped) return;
    this.#improve(note.text, lines);
    const { size, root } = checkpoint;
    if (size <= this.#cosigned.size || size >= this.#published.size) return;
    this.#cosigned = { note: utf8(formatNote(note)), size, root };
  }

  /** Signs nothing more; resolves when a checkpoint that is on its way has arrived or was given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#clearTimer();
    this.#options.gatherer.stop();
    await this.#publishing;
  }

  #clearTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  get #hasGrown(): boolean {
    return this.#options.store.state.size > this.#published.size;
  }

  /** When the next attempt is due; never, for an idle log without a heartbeat. */
  #nextAt(): number {
    const { intervalMs, heartbeatMs } = this.#options;
    if (this.#away) return this.#lastAt + Math.max(intervalMs, RETRY_MS);
    if (this.#hasGrown) return this.#lastAt + intervalMs;
    return heartbeatMs === Number.POSITIVE_INFINITY ? heartbeatMs : this.#lastAt + heartbeatMs;
  }

  async #publish(): Promise<void> {
    const { gatherer, onContradiction } = this.#options;
    const isDue = this.#away || this.#hasGrown || performance.now() >= this.#nextAt();
    if (this.#stopped || !isDue) return;
    this.#lastAt = performance.now();
    // Nothing larger is signed while it is known that nobody would see it.
    if (!gatherer.hopeful) {
      this.#noQuorum();
      return;
    }
    const signed = await this.#sign();
    if (!signed) return;
    const { text } = parseNote(signed.note);
    const lines: SignatureLine[] = [];
    const onCosigned = (more: readonly SignatureLine[]): void => {
      lines.push(...more);
      this.#improve(text, more);
    };
    const { quorum, ended } = gatherer.gather(signed, { onCosigned, onContradiction });
    if (!(await quorum)) {
      if (!this.#stopped) this.#noQuorum();
      return;
    }
    await this.#show(signed, text, lines);
    void ended.then((complete) => {
      if (complete && this.#published.size >= signed.size) this.#complete(signed, text, lines);
    });
  }

  /** The newest durable state, signed; what was signed already is not signed again. Undefined after a failure. */
  async #sign(): Promise<Published | undefined> {
    const { store, head, sign } = this.#options;
    const { size } = store.state;
    const root = asHash(store.state.root);
    try {
      const newest = head.read();
      const note = newest?.size === size ? newest.note : await sign(size, root);
      if (newest?.size !== size) await head.write({ note, size, root });
      const recorded = store.state.signed;
      if (!recorded || !equalBytes(recorded, note)) await store.recordSigned(note);
      return { note, size, root };
    } catch (cause) {
      this.#fail(cause);
      return undefined;
    }
  }

  /** Makes a checkpoint public that its quorum has cosigned. */
  async #show(signed: Published, text: string, lines: readonly SignatureLine[]): Promise<void> {
    const { store, onPublished, report } = this.#options;
    if (this.#away) report('enough witnesses cosign again: the log publishes its checkpoints');
    this.#away = false;
    if (this.#stopped || textOf(this.#published) === text) return;
    const count = lines.length;
    const published = withSignatures(signed, lines);
    try {
      await store.recordPublished(published.note);
    } catch (cause) {
      this.#fail(cause);
      return;
    }
    this.#published = published;
    const isLone = this.#options.gatherer.witnesses.length === 0;
    if (isLone || this.#cosigned.size === 0) this.#cosigned = published;
    onPublished(published);
    if (lines.length > count) this.#improve(text, lines.slice(count));
  }

  /** Every witness has had its say on this checkpoint. */
  #complete(signed: Published, text: string, lines: readonly SignatureLine[]): void {
    if (signed.size < this.#cosigned.size || textOf(this.#cosigned) === text) return;
    const isNewest = textOf(this.#published) === text;
    this.#cosigned = isNewest ? this.#published : withSignatures(signed, lines);
  }

  /** Adds cosignatures to what is shown of this text: they may come at any time, and newer ones replace older ones. */
  #improve(text: string, lines: readonly SignatureLine[]): void {
    if (this.#stopped) return;
    if (textOf(this.#cosigned) === text) this.#cosigned = withSignatures(this.#cosigned, lines);
    if (textOf(this.#published) !== text) return;
    const improved = withSignatures(this.#published, lines);
    if (equalBytes(improved.note, this.#published.note)) return;
    this.#published = improved;
    this.#options.store
      .recordPublished(this.#published.note)
      .catch((cause: unknown) => this.#fail(cause));
  }

  #noQuorum(): void {
    if (this.#away) return;
    this.#away = true;
    const { gatherer, report } = this.#options;
    report(
      `too few witnesses cosign: the log publishes no checkpoints until enough of ${gatherer.silent.join(', ')} do`,
    );
  }

  #fail(cause: unknown): void {
    if (this.#stopped) return;
    this.#stopped = true;
    const detail = cause instanceof Error ? cause.message : String(cause);
    this.#options.onFailure(
      new DaybookError('store-failed', `a checkpoint could not be kept: ${detail}`, { cause }),
    );
  }
}

function textOf({ note }: Published): string | undefined {
  return note.length === 0 ? undefined : parseNote(note).text;
}

function withSignatures(head: Published, lines: readonly SignatureLine[]): Published {
  const note = utf8(formatNote(mergeSignatures(parseNote(head.note), lines)));
  return { ...head, note };
}

/** Those who wait until a published checkpoint covers their entry. They outlive a publisher that failed. */
export class InclusionWaiters {
  readonly #waiting = new Set<{ index: LeafIndex; resolve: (published: Published) => void }>();

  /** Rejects with the signal's reason when `signal` is aborted first. */
  wait(index: LeafIndex, signal?: AbortSignal): Promise<Published> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        this.#waiting.delete(waiter);
        reject(signal?.reason as Error);
      };
      const waiter = {
        index,
        resolve: (published: Published) => {
          signal?.removeEventListener('abort', abort);
          resolve(published);
        },
      };
      if (signal?.aborted) {
        abort();
        return;
      }
      signal?.addEventListener('abort', abort, { once: true });
      this.#waiting.add(waiter);
    });
  }

  publish(published: Published): void {
    for (const waiter of this.#waiting) {
      if (waiter.index >= published.size) continue;
      this.#waiting.delete(waiter);
      waiter.resolve(published);
    }
  }
}
