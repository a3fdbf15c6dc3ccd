/**
 * A record store that is opened again after a failed write: what of that write is durable is known
 * only then, and until then nothing is read or written.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { DaybookError } from '../errors.ts';
import type { Change, RecordStore } from './record-store.ts';

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 10_000;

export interface RecoveringStoreOptions {
  /** Opens the same store, after it was closed. */
  readonly reopen: () => Promise<RecordStore>;
  readonly report: (message: string, error?: unknown) => void;
}

export class RecoveringStore {
  readonly #options: RecoveringStoreOptions;
  readonly #stopping = new AbortController();
  #store: RecordStore;
  /** Why nothing is read or written now. */
  #halted: string | undefined;
  #recovery: Promise<void> | undefined;

  constructor(store: RecordStore, options: RecoveringStoreOptions) {
    this.#store = store;
    this.#options = options;
  }

  /** Undefined while the store can be used. */
  get halted(): string | undefined {
    return this.#halted;
  }

  /** The store as it is open now; throws `store-failed` while it is not. */
  get current(): RecordStore {
    if (this.#halted !== undefined) throw new DaybookError('store-failed', this.#halted);
    return this.#store;
  }

  /**
   * Commits to the store that the change was decided on: one that was opened since may hold something
   * else. Throws `store-failed`, and opens the store again.
   */
  async commit(decidedOn: RecordStore, change: Change): Promise<void> {
    try {
      await decidedOn.commit(change);
    } catch (error) {
      if (decidedOn === this.#store && this.#halted === undefined) this.#recover(error);
      throw error;
    }
  }

  /** Resolves when the directory is free. */
  async close(): Promise<void> {
    this.#halted ??= 'the store is closed';
    this.#stopping.abort();
    await this.#recovery;
    await this.#store.close();
  }

  #recover(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    this.#halted = `a write failed, and the state is not read back yet: ${reason}`;
    this.#options.report('a write failed: nothing is signed until the state was read back', error);
    this.#recovery = this.#reopen();
  }

  /** Tries until it succeeds; gives up on damage, which no retry heals. */
  async #reopen(): Promise<void> {
    const { reopen, report } = this.#options;
    await this.#store.close();
    for (let wait = FIRST_RETRY_MS; !this.#stopping.signal.aborted; wait *= 2) {
      try {
        this.#store = await reopen();
        this.#halted = undefined;
        report('the state was read back');
        return;
      } catch (error) {
        if (!(error instanceof DaybookError) || error.code !== 'store-failed') {
          this.#halted = `stopped for good: ${String(error)}`;
          report('the state cannot be used: this needs the operator', error);
          return;
        }
        report('the state cannot be opened yet', error);
      }
      await delay(Math.min(wait, LAST_RETRY_MS), undefined, {
        signal: this.#stopping.signal,
      }).catch(() => undefined);
    }
  }
}
