/** A draft over the monitor's records: reads see what it changes, and one commit makes it durable. */
import type { RecordStore } from '../store/record-store.ts';
import type { Alert } from './alert.ts';
import type { Draft } from './draft.ts';

export type Records = Pick<RecordStore, 'get' | 'list' | 'commit'>;
/** Keeps an alert in `draft` until it is delivered, unless it was raised before. */
export type RaiseAlert = (alert: Alert, draft: Draft) => void;

export class Change implements Draft {
  readonly #records: Records;
  readonly #raise: RaiseAlert;
  /** Undefined for what is deleted. */
  readonly #changed = new Map<string, Uint8Array | undefined>();
  readonly now: number;

  /** `now` is in milliseconds since 1970. */
  constructor(records: Records, raise: RaiseAlert, now: number) {
    this.#records = records;
    this.#raise = raise;
    this.now = now;
  }

  get(key: string): Uint8Array | undefined {
    return this.#changed.has(key) ? this.#changed.get(key) : this.#records.get(key);
  }

  put(key: string, value: Uint8Array): void {
    this.#changed.set(key, value);
  }

  delete(key: string): void {
    this.#changed.set(key, undefined);
  }

  raise(alert: Alert): void {
    this.#raise(alert, this);
  }

  /** Resolves when all of it is durable. Throws `store-failed` when that is unknown. */
  async commit(): Promise<void> {
    if (this.#changed.size === 0) return;
    const put: [string, Uint8Array][] = [];
    const gone: string[] = [];
    for (const [key, value] of this.#changed) {
      if (value === undefined) gone.push(key);
      else put.push([key, value]);
    }
    await this.#records.commit({ put, delete: gone });
  }
}
