/** A monitor: its logs, its rules, its alerts, its cosignature, on one state. */
import type { Logger } from 'pino';
import type { ForkEvidence } from '../client/trusted-head.ts';
import { DaybookError } from '../errors.ts';
import type { VerifierKey } from '../note/vkey.ts';
import type { RecordStore } from '../store/record-store.ts';
import type { MonitorConfig } from './config.ts';
import { Cosigner } from './cosigner.ts';
import { openCosigner } from '../cosigner/directory.ts';
import { Gossip } from './gossip/gossip.ts';
import { findingsFrom, type FindingsPage } from './findings.ts';
import { logTarget } from './log-target.ts';
import { MonitorMetrics } from './metrics.ts';
import { Outbox } from './outbox.ts';
import { Rules } from './rules/rules.ts';
import { WatchedLog, type WatchStatus } from './watched-log.ts';
import { openWebhook } from './webhook.ts';

export interface MonitorOptions {
  readonly config: MonitorConfig;
  readonly logger: Logger;
  /** Milliseconds since 1970; the machine's clock when not given. */
  readonly clock?: () => number;
}

export interface OnceOutcome {
  readonly logs: readonly WatchStatus[];
  /** Alerts that were raised and had never been. */
  readonly alerts: number;
  /** Whether every target has all alerts; those that were not delivered stay in the state. */
  readonly delivered: boolean;
  /** What kept the first log that could not be followed to its end. */
  readonly problem?: DaybookError;
}

export class Monitor {
  readonly #options: MonitorOptions;
  readonly #store: RecordStore;
  readonly outbox: Outbox;
  readonly metrics: MonitorMetrics;
  readonly #cosigner: Cosigner | undefined;
  readonly #logs = new Map<string, WatchedLog>();
  #gossip!: Gossip;
  /** What was told last of each log that cannot be followed. */
  readonly #problems = new Map<string, string | undefined>();
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(
    options: MonitorOptions,
    store: RecordStore,
    outbox: Outbox,
    cosigner: Cosigner | undefined,
  ) {
    this.#options = options;
    this.#store = store;
    this.outbox = outbox;
    this.#cosigner = cosigner;
    this.metrics = new MonitorMetrics(outbox);
  }

  /**
   * Goes on where the state in `config.data` ends. Throws `state-missing` and `store-corrupt`: then
   * the monitor must not start anew with the same key, see docs/monitor.md.
   */
  static async open(options: MonitorOptions): Promise<Monitor> {
    const { config, logger } = options;
    const { store, signers } = await openCosigner(config.data);
    let outbox: Outbox | undefined;
    try {
      if (config.cosign && signers.length === 0) {
        throw new DaybookError(
          'bad-usage',
          `${config.data} was made without --name, so that it has no key to cosign with: leave "cosign" out of the config, or make a new monitor`,
        );
      }
      const webhooks = await Promise.all(
        config.alerts.webhooks.map((webhook) => openWebhook(webhook)),
      );
      const report = (message: string, err?: unknown): void => logger.warn({ err }, message);
      outbox = await Outbox.open(store, [logTarget(logger), ...webhooks], { report });
      const monitor = new Monitor(
        options,
        store,
        outbox,
        config.cosign ? new Cosigner(signers) : undefined,
      );
      await monitor.#openLogs();
      await monitor.#openGossip();
      return monitor;
    } catch (error) {
      await outbox?.stop();
      await store.close();
      throw error;
    }
  }

  get logs(): Iterable<WatchedLog> {
    return this.#logs.values();
  }

  /** The log whose origin has this hash. */
  log(originHash: string): WatchedLog | undefined {
    return this.#logs.get(originHash);
  }

  /** The keys by which it cosigns. */
  get keys(): readonly VerifierKey[] {
    return this.#cosigner?.keys.map(({ key }) => key) ?? [];
  }

  get gossip(): Gossip {
    return this.#gossip;
  }

  findings(originHash: string, from: number): Promise<FindingsPage> {
    return findingsFrom(this.#store, originHash, from);
  }

  /** Follows all logs until `close`. Throws when the monitor itself fails, as WatchedLog.poll does. */
  run(): Promise<void> {
    const { signal } = this.#stopping;
    const { pollSeconds, gossip } = this.#options.config;
    const following = [...this.logs].map((log) => log.follow(pollSeconds * 1000, signal));
    if (gossip) following.push(this.#gossip.follow(signal));
    const running = Promise.all(following);
    this.#running = running;
    return running.then(() => undefined);
  }

  /** One poll of each log and neighbour, and then at most `deliverMs` for the alerts to be delivered. */
  async once(deliverMs = 30_000): Promise<OnceOutcome> {
    const { signal } = this.#stopping;
    this.#running = Promise.all([...this.logs].map((log) => log.poll(signal)));
    await this.#running;
    if (this.#options.config.gossip) await (this.#running = this.#gossip.round(signal));
    const delivered = await this.outbox.drained(deliverMs);
    const problem = [...this.logs].find((log) => log.problem)?.problem;
    const logs = [...this.logs].map((log) => log.status());
    return { logs, alerts: this.outbox.fresh, delivered, ...(problem && { problem }) };
  }

  /** Finishes what is under way, and gives the directory back. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running.catch(() => undefined);
    await this.outbox.stop();
    await this.#store.close();
  }

  async #openLogs(): Promise<void> {
    const { config, clock } = this.#options;
    const rules = new Rules(config);
    for (const each of config.logs) {
      const log = await WatchedLog.open({
        config: each,
        records: this.outbox.records,
        raise: this.outbox.raise,
        rules,
        cosigner: this.#cosigner,
        clock,
        onConflict: (conflict) => this.#conflict(each.origin, conflict),
        onRefused: (note) => this.#refused(each.origin, note),
        onGrown: ({ hash }) => this.#gossip.grown(hash),
        onPolled: (polled) => this.#polled(polled),
      });
      this.#logs.set(log.hash, log);
      this.#measure(log);
    }
  }

  async #openGossip(): Promise<void> {
    const { config, clock, logger } = this.#options;
    const watched = new Map([...this.logs].map((log) => [log.origin, log]));
    this.#gossip = await Gossip.open({
      config: config.gossip,
      logs: config.logs.map((each) => ({
        config: each,
        log: watched.get(each.origin) as WatchedLog,
      })),
      records: this.outbox.records,
      raise: this.outbox.raise,
      ...(clock && { clock }),
      report: (neighbour, problem) => {
        if (problem) logger.warn({ neighbour, code: problem.code }, problem.message);
        else logger.warn({ neighbour }, 'the neighbour can be read again');
      },
    });
  }

  /** Whether it was judged, or will be when the tree has grown: what convicts, gossip tells. */
  async #conflict(origin: string, conflict: ForkEvidence): Promise<boolean> {
    try {
      await this.#gossip.conflict(conflict);
      return true;
    } catch (err) {
      if (!(err instanceof DaybookError) || err.code.startsWith('store-')) throw err;
      this.#options.logger.warn({ origin, err }, 'a conflict could not be judged');
    }
    return this.#gossip.convicted(origin);
  }

  /** A head that the log signed and does not explain is compared with what others were shown. */
  async #refused(origin: string, note: Uint8Array): Promise<void> {
    try {
      await this.#gossip.take(note, 'log');
    } catch (err) {
      if (!(err instanceof DaybookError) || err.code.startsWith('store-')) throw err;
      this.#options.logger.debug({ origin, err }, 'a checkpoint could not be judged');
    }
  }

  #polled(log: WatchedLog): void {
    const { origin, problem } = log;
    this.metrics.polled({ origin, at: Math.floor(Date.now() / 1000), ok: problem === undefined });
    this.#measure(log);
    if (problem?.message === this.#problems.get(origin)) return;
    this.#problems.set(origin, problem?.message);
    const { logger } = this.#options;
    if (problem) logger.warn({ origin, code: problem.code }, problem.message);
    else logger.warn({ origin }, 'the log can be followed again');
  }

  #measure(log: WatchedLog): void {
    const { origin, audited, findings, size } = log.status();
    this.metrics.sawHead(origin, size);
    this.metrics.audited({ origin, size: audited, findings });
  }
}
