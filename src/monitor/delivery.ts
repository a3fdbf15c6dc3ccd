/** The way of alerts to one target: one at a time, new ones first, tried until it has each of them. */
import { decodeUtf8 } from '../encoding/bytes.ts';
import { pause } from '../http/outbound.ts';
import type { Alert } from './alert.ts';
import type { Records } from './change.ts';
import { alertKey, outboxKey } from './outbox-keys.ts';

export interface Target {
  /** In the store's keys and in metrics: letters, digits, "-" and ".". */
  readonly name: string;
  /** Resolves when the target has it. Throws `Undelivered` when it is to be tried again. */
  deliver(alert: Alert, signal: AbortSignal): Promise<void>;
}

/** Why a target does not have an alert yet. */
export class Undelivered extends Error {
  /** How long the target asked us to wait. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: { cause?: unknown; retryAfterMs?: number | undefined } = {},
  ) {
    super(message, options);
    this.name = 'Undelivered';
    this.retryAfterMs = options.retryAfterMs;
  }
}

export interface DeliveryOptions {
  readonly report: (message: string, error?: unknown) => void;
  /** Before the first retry, doubled for each further one; 1000 when not given. */
  readonly backoffMs?: number;
}

const MAX_BACKOFF_MS = 300_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

export class Delivery {
  readonly name: string;
  readonly #records: Records;
  readonly #target: Target;
  readonly #report: DeliveryOptions['report'];
  readonly #backoffMs: number;
  readonly #stopping = new AbortController();
  /** Ids of alerts, in the order in which they are tried. */
  readonly #untried = new Set<string>();
  /** Tried when no other is left, so that one that the target refuses does not keep others from it. */
  readonly #failed = new Set<string>();
  #failures = 0;
  #wake: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #idle: (() => void)[] = [];

  constructor(records: Records, target: Target, { report, backoffMs = 1000 }: DeliveryOptions) {
    this.name = target.name;
    this.#records = records;
    this.#target = target;
    this.#report = report;
    this.#backoffMs = backoffMs;
  }

  get pending(): number {
    return this.#untried.size + this.#failed.size;
  }

  /** An alert that is durable. */
  add(id: string): void {
    this.#untried.add(id);
    this.#wake();
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Resolves with true as soon as nothing is pending, with false when the signal is aborted before. */
  async drained(signal: AbortSignal): Promise<boolean> {
    if (this.pending === 0) return true;
    return new Promise((resolve) => {
      this.#idle.push(() => resolve(true));
      signal.addEventListener('abort', () => resolve(false), { once: true });
    });
  }

  /** Cuts what is under way. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const id = this.#next();
      if (id === undefined) {
        for (const resolve of this.#idle.splice(0)) resolve();
        await new Promise<void>((resolve) => (this.#wake = resolve));
        continue;
      }
      try {
        await this.#deliver(id, signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#putOff(id, error, signal);
        continue;
      }
      this.#failures = 0;
      try {
        await this.#records.commit({ delete: [outboxKey(this.name, id)] });
      } catch (error) {
        // To go on would deliver it again and again; the state must be opened anew first.
        return this.#report(`alert ${id} was delivered to ${this.name}, but not noted down`, error);
      }
      this.#untried.delete(id);
      this.#failed.delete(id);
    }
  }

  #next(): string | undefined {
    const [id] = this.#untried.size > 0 ? this.#untried : this.#failed;
    return id;
  }

  async #deliver(id: string, signal: AbortSignal): Promise<void> {
    const alert = this.#records.get(alertKey(id));
    if (alert === undefined) return;
    await this.#target.deliver(JSON.parse(decodeUtf8(alert)) as Alert, signal);
  }

  async #putOff(id: string, error: unknown, signal: AbortSignal): Promise<void> {
    this.#failures += 1;
    this.#untried.delete(id);
    this.#failed.delete(id);
    this.#failed.add(id);
    const { retryAfterMs } = error instanceof Undelivered ? error : {};
    const wait = this.#waitMs(retryAfterMs ?? 0);
    this.#report(
      `alert ${id} is not delivered to ${this.name}, ${this.pending} wait; next try in ${Math.ceil(wait / 1000)} s`,
      error,
    );
    // A new alert is tried at once, unless the target asked for peace.
    const cut = new AbortController();
    if (retryAfterMs === undefined) this.#wake = () => cut.abort();
    await pause(wait, AbortSignal.any([signal, cut.signal])).catch(() => undefined);
  }

  #waitMs(askedMs: number): number {
    const full = Math.min(this.#backoffMs * 2 ** (this.#failures - 1), MAX_BACKOFF_MS);
    return Math.max(full * (0.5 + Math.random() / 2), Math.min(askedMs, MAX_RETRY_AFTER_MS));
  }
}
