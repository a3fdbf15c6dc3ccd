/** What a monitor counts, for Prometheus: `GET /metrics`. */
import { Counter, Gauge, Registry } from 'prom-client';
import type { Outbox } from './outbox.ts';

export interface PollOutcome {
  readonly origin: string;
  /** Seconds since 1970. */
  readonly at: number;
  /** Whether a checkpoint came that verified. */
  readonly ok: boolean;
}

/** Of one log, after the entries of a head were checked. */
export interface AuditProgress {
  readonly origin: string;
  readonly size: number;
  /** Entries that should not be in the log. */
  readonly findings: number;
}

export class MonitorMetrics {
  readonly #registry = new Registry();
  readonly #head = this.#gauge('log_size', 'Size of the newest verified checkpoint', 'origin');
  readonly #audited = this.#gauge('audited_size', 'Entries that were checked', 'origin');
  readonly #findings = this.#gauge('findings', 'Entries that should not be in the log', 'origin');
  readonly #success = this.#gauge(
    'last_success_timestamp_seconds',
    'When a poll last brought a checkpoint that verified',
    'origin',
  );
  readonly #polls: Counter<'origin' | 'outcome'>;

  constructor(outbox: Pick<Outbox, 'counts' | 'pending'>) {
    this.#polls = new Counter({
      name: 'daybook_monitor_polls_total',
      help: 'Polls of a log',
      labelNames: ['origin', 'outcome'],
      registers: [this.#registry],
    });
    this.#watch(outbox);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** In the text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  polled({ origin, at, ok }: PollOutcome): void {
    this.#polls.inc({ origin, outcome: ok ? 'ok' : 'failed' });
    if (ok) this.#success.set({ origin }, at);
  }

  sawHead(origin: string, size: number): void {
    this.#head.set({ origin }, size);
  }

  audited({ origin, size, findings }: AuditProgress): void {
    this.#audited.set({ origin }, size);
    this.#findings.set({ origin }, findings);
  }

  /** Read when they are asked for: the outbox keeps them. */
  #watch(outbox: Pick<Outbox, 'counts' | 'pending'>): void {
    new Counter({
      name: 'daybook_monitor_alerts_total',
      help: 'Alerts that were ever raised',
      labelNames: ['rule', 'severity'],
      registers: [this.#registry],
      collect(): void {
        this.reset();
        for (const { rule, severity, count } of outbox.counts) this.inc({ rule, severity }, count);
      },
    });
    new Gauge({
      name: 'daybook_monitor_undelivered_alerts',
      help: 'Alerts that a target does not have yet',
      labelNames: ['target'],
      registers: [this.#registry],
      collect(): void {
        for (const [target, count] of outbox.pending) this.set({ target }, count);
      },
    });
  }

  #gauge<Label extends string>(name: string, help: string, ...labels: Label[]): Gauge<Label> {
    const full = `daybook_monitor_${name}`;
    return new Gauge({ name: full, help, labelNames: labels, registers: [this.#registry] });
  }
}
