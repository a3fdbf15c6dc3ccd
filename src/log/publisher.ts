/**
 * Turns durable states into published checkpoints, at most one in each interval and none while the
 * log is idle. The order is the log's safety: the state is durable; it is signed; the signed head is
 * durable twice, in a file of its own and in the store; only then does anyone see it.
 */
import { DaybookError } from '../errors.ts';
import type { LeafIndex, TreeSize } from '../encoding/integer.ts';
import { asHash, type Hash } from '../merkle/hash.ts';
import type { HeadFile } from '../store/head-file.ts';
import type { Store } from '../store/store.ts';

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
  readonly intervalMs: number;
  readonly published: Published;
  readonly onPublished: (published: Published) => void;
  /** Called once, when a write failed: nothing more is signed. */
  readonly onFailure: (error: DaybookError) => void;
}

export class Publisher {
  readonly #options: PublisherOptions;
  #published: Published;
  #lastAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #publishing: Promise<void> | undefined;
  #stopped = false;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#published = options.published;
  }

  get published(): Published {
    return this.#published;
  }

  /** To be called when the store has grown: the first entry after an idle time is published at once. */
  notify(): void {
    if (this.#timer || this.#publishing || this.#stopped) return;
    if (this.#options.store.state.size <= this.#published.size) return;
    const dueIn = this.#lastAt + this.#options.intervalMs - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        void this.flush();
      },
      Math.max(0, dueIn),
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

  /** Signs nothing more; resolves when a checkpoint that is on its way has arrived. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#publishing;
  }

  async #publish(): Promise<void> {
    const { store, head, sign, onPublished, onFailure } = this.#options;
    const { size } = store.state;
    const root = asHash(store.state.root);
    if (this.#stopped || size <= this.#published.size) return;
    this.#lastAt = performance.now();
    try {
      const note = await sign(size, root);
      await head.write({ note, size, root });
      await store.recordSigned(note);
      await store.recordPublished(note);
      this.#published = { note, size, root };
    } catch (cause) {
      this.#stopped = true;
      const detail = cause instanceof Error ? cause.message : String(cause);
      onFailure(
        new DaybookError('store-failed', `a checkpoint could not be kept: ${detail}`, { cause }),
      );
      return;
    }
    onPublished(this.#published);
  }
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
