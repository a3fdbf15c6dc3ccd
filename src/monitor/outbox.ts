/**
 * Alerts, kept from the moment they are raised until each target has them:
 *
 *     alert/<id>              the alert, for good: what was raised is not raised again
 *     outbox/<target>/<id>    a target that does not have it yet
 *
 * A target gets each alert at least once, and a second time only when the monitor was killed between
 * delivering it and noting that down: then it has the same `id`.
 */
import { randomUUID } from 'node:crypto';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import type { Change } from '../store/record-store.ts';
import type { Alert } from './alert.ts';
import type { Records } from './change.ts';
import { Delivery, type DeliveryOptions, type Target } from './delivery.ts';
import type { Draft } from './draft.ts';
import { alertKey, alertPrefix, outboxKey, outboxPrefix } from './outbox-keys.ts';

export interface RaisedCount {
  readonly rule: string;
  readonly severity: string;
  readonly count: number;
}

/** So many of the newest are at hand, for the feed. */
const MAX_NEWEST = 200;
const feedKey = 'alert-feed';

export class Outbox {
  readonly #records: Records;
  readonly #deliveries: readonly Delivery[];
  readonly #known = new Set<string>();
  readonly #counts = new Map<string, RaisedCount>();
  #newest: Alert[] = [];
  #fresh = 0;
  /** The same records; alerts that are committed through them are delivered. */
  readonly records: Records;
  /** A URN that stays the same as long as the state does. */
  readonly feedId: string;

  private constructor(records: Records, deliveries: readonly Delivery[], feedId: string) {
    this.#records = records;
    this.#deliveries = deliveries;
    this.feedId = feedId;
    this.records = {
      get: (key) => records.get(key),
      list: (prefix) => records.list(prefix),
      commit: (change) => this.#commit(change),
    };
  }

  /**
   * Takes up what was not delivered, and begins to deliver it. What waits for a target that is no longer
   * in the config is dropped, and reported.
   */
  static async open(
    records: Records,
    targets: readonly Target[],
    options: DeliveryOptions,
  ): Promise<Outbox> {
    const deliveries = targets.map((target) => new Delivery(records, target, options));
    const outbox = new Outbox(records, deliveries, await feedIdOf(records));
    for await (const [, value] of records.list(alertPrefix)) outbox.#add(parse(value));
    await outbox.#takeUp(options);
    for (const delivery of deliveries) delivery.start();
    return outbox;
  }

  /** The newest first, at most 200. */
  get newest(): readonly Alert[] {
    return this.#newest;
  }

  /** All that was ever raised. */
  get counts(): Iterable<RaisedCount> {
    return this.#counts.values();
  }

  /** By target: how many alerts it does not have yet. */
  get pending(): ReadonlyMap<string, number> {
    return new Map(this.#deliveries.map(({ name, pending }) => [name, pending]));
  }

  /** How many alerts some target did not have when the outbox was opened, or were raised since then. */
  get fresh(): number {
    return this.#fresh;
  }

  /**
   * Puts an alert into the draft, unless it was raised before. It is delivered once the draft is
   * committed through `records`.
   */
  readonly raise = (alert: Alert, draft: Draft): void => {
    const key = alertKey(alert.id);
    if (draft.get(key) !== undefined) return;
    draft.put(key, utf8(JSON.stringify(alert)));
    for (const { name } of this.#deliveries) draft.put(outboxKey(name, alert.id), utf8(alert.id));
  };

  /** Whether all targets have all alerts; waits for that at most `timeoutMs`. */
  async drained(timeoutMs: number): Promise<boolean> {
    const signal = AbortSignal.timeout(timeoutMs);
    const drained = await Promise.all(this.#deliveries.map((delivery) => delivery.drained(signal)));
    return drained.every((done) => done);
  }

  /** What is not delivered by now, is delivered when the outbox is opened again. */
  async stop(): Promise<void> {
    await Promise.all(this.#deliveries.map((delivery) => delivery.stop()));
  }

  async #commit(change: Change): Promise<void> {
    const put = [...(change.put ?? [])];
    await this.#records.commit({ ...change, put });
    for (const [key, value] of put) {
      if (!key.startsWith(alertPrefix)) continue;
      const alert = parse(value);
      // Two drafts at once may raise the same alert.
      if (this.#known.has(alert.id)) continue;
      this.#fresh += 1;
      this.#add(alert);
      for (const delivery of this.#deliveries) delivery.add(alert.id);
    }
  }

  #add(alert: Alert): void {
    const { id, rule, severity } = alert;
    this.#known.add(id);
    const name = `${severity} ${rule}`;
    const count = (this.#counts.get(name)?.count ?? 0) + 1;
    this.#counts.set(name, { rule, severity, count });
    const place = this.#newest.findIndex(({ at }) => at <= alert.at);
    this.#newest.splice(place === -1 ? this.#newest.length : place, 0, alert);
    this.#newest.length = Math.min(this.#newest.length, MAX_NEWEST);
  }

  async #takeUp({ report }: DeliveryOptions): Promise<void> {
    const byName = new Map(this.#deliveries.map((delivery) => [delivery.name, delivery]));
    const waiting: { readonly at: number; readonly id: string; readonly to: Delivery }[] = [];
    const dropped: string[] = [];
    for await (const [key, value] of this.#records.list(outboxPrefix)) {
      const id = decodeUtf8(value);
      const to = byName.get(key.split('/')[1] ?? '');
      const alert = this.#records.get(alertKey(id));
      if (to !== undefined && alert !== undefined) waiting.push({ at: parse(alert).at, id, to });
      else dropped.push(key);
    }
    for (const { id, to } of waiting.sort((a, b) => a.at - b.at)) to.add(id);
    this.#fresh = new Set(waiting.map(({ id }) => id)).size;
    if (dropped.length === 0) return;
    report(`${dropped.length} alerts waited for a webhook that the config no longer has`);
    await this.#records.commit({ delete: dropped });
  }
}

function parse(value: Uint8Array): Alert {
  return JSON.parse(decodeUtf8(value)) as Alert;
}

async function feedIdOf(records: Records): Promise<string> {
  const kept = records.get(feedKey);
  if (kept !== undefined) return decodeUtf8(kept);
  const id = `urn:uuid:${randomUUID()}`;
  await records.commit({ put: [[feedKey, utf8(id)]] });
  return id;
}
