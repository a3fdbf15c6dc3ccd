/**
 * Gossip of tree heads: compares what the monitor has verified with what its clients, its peers and
 * the witnesses were shown. Nobody is believed: heads count for the log's signature on them, and
 * evidence for what it shows.
 */
import type { ForkEvidence } from '../../client/trusted-head.ts';
import { DaybookError } from '../../errors.ts';
import { Http, pause } from '../../http/outbound.ts';
import { originHash } from '../../note/origin-hash.ts';
import type { VerifierKey } from '../../note/vkey.ts';
import { parseEvidence } from '../../verify/evidence.ts';
import { parseHead } from '../../verify/signed-head.ts';
import { Change, type RaiseAlert, type Records } from '../change.ts';
import type { GossipConfig, WatchedLogConfig } from '../config.ts';
import type { Draft } from '../draft.ts';
import type { KeptAccusation, KeptEvidence } from './evidence-store.ts';
import { Judge, type FollowedLog, type Verdict } from './judge.ts';
import { Peer, WitnessReader, type ReportNeighbour } from './neighbours.ts';

export interface GossipOptions {
  /** Without it heads are judged, and nobody is asked or told. */
  readonly config: GossipConfig | undefined;
  readonly logs: readonly { readonly config: WatchedLogConfig; readonly log: FollowedLog }[];
  readonly records: Records;
  readonly raise: RaiseAlert;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Told when a neighbour cannot be read, and with `undefined` when it can again. */
  readonly report?: ReportNeighbour;
  readonly fetch?: typeof fetch;
}

/** A source that does not answer may be asked again in the next round. */
const ONE_TRY = { attempts: 1, timeoutMs: 10_000 } as const;

export class Gossip {
  readonly acceptReports: boolean;
  readonly #judges: ReadonlyMap<string, Judge>;
  readonly #peers: readonly Peer[];
  readonly #witnesses: readonly WitnessReader[];
  readonly #news: News;
  readonly #accuseAfter: number;
  readonly #interval: number;

  private constructor(
    { config, records, report, ...options }: GossipOptions,
    judges: ReadonlyMap<string, Judge>,
    news: News,
  ) {
    const http = { ...ONE_TRY, ...(options.fetch && { fetch: options.fetch }) };
    this.acceptReports = config?.acceptReports ?? false;
    this.#judges = judges;
    this.#news = news;
    this.#peers = (config?.peers ?? []).map(
      (peer) => new Peer(peer.name, new Http(peer.url, http), records, report),
    );
    this.#witnesses = (config?.witnesses ?? []).map(
      ({ key, url }) => new WitnessReader(key.name, new Http(url, http), report),
    );
    this.#accuseAfter = (config?.accuseAfter ?? 3600) * 1000;
    this.#interval = (config?.intervalSeconds ?? 60) * 1000;
  }

  /** Goes on where the records end. */
  static async open(options: GossipOptions): Promise<Gossip> {
    const { config, logs, records, raise, clock = Date.now } = options;
    const judges = new Map<string, Judge>();
    const news = new News();
    const peers = (config?.peers ?? []).map(({ name }) => name);
    for (const { config: watched, log } of logs) {
      const onEvidence = ({ id }: KeptEvidence, draft: Draft): void => {
        for (const name of peers) Peer.owe(name, log.hash, id, draft);
      };
      const http = { ...ONE_TRY, ...(options.fetch && { fetch: options.fetch }) };
      const judge = await Judge.open({
        log,
        keys: {
          logKeys: watched.policy.logs.map(({ key }) => key),
          witnessKeys: witnessKeys(watched, config),
        },
        records,
        begin: () => new Change(records, raise, clock()),
        sources: [watched.url, ...watched.mirrors].map((url) => new Http(url, http)),
        onEvidence,
        onKept: () => news.ring(),
      });
      judges.set(log.hash, judge);
    }
    return new Gossip(options, judges, news);
  }

  /** By the hash of its origin. Throws `unknown-origin`. */
  judge(hash: string): Judge {
    const judge = this.#judges.get(hash);
    if (judge) return judge;
    throw new DaybookError('unknown-origin', 'this monitor does not follow a log of this origin');
  }

  /** Judges a signed checkpoint of any log that is followed; throws as Judge.take and parseHead do. */
  async take(note: Uint8Array, source: string): Promise<Verdict> {
    const head = parseHead(note);
    return this.judge(originHash(head.origin)).take(head, source);
  }

  /** Throws `bad-evidence`, `not-convicted`, `unknown-origin`. */
  async takeEvidence(bytes: Uint8Array): Promise<boolean> {
    return this.judge(originHash(parseEvidence(bytes).origin)).takeEvidence(bytes);
  }

  /**
   * What the monitor's own client of a log was shown: evidence, or an older head than before, which may
   * be one of a cache on the way. Throws as `takeEvidence` and `take` do.
   */
  async conflict({ offered, evidence }: ForkEvidence): Promise<Verdict> {
    if (evidence === undefined) return this.take(offered, 'log');
    await this.takeEvidence(evidence);
    return 'convicted';
  }

  /** The trees of these logs have grown; all of them when none is named. */
  async grown(hash?: string): Promise<void> {
    const judges = hash === undefined ? this.#judges.values() : [this.judge(hash)];
    for (const judge of judges) await judge.grown();
  }

  /** Whether there is evidence against the log of this origin. */
  convicted(origin: string): boolean {
    return this.judge(originHash(origin)).held.convicted();
  }

  held(): { evidence: KeptEvidence[]; accusations: (KeptAccusation & { origin: string })[] } {
    const judges = [...this.#judges.values()];
    return {
      evidence: judges.flatMap(({ held }) => held.evidence),
      accusations: judges.flatMap(({ origin, held }) =>
        held.accusations.map((accusation) => ({ ...accusation, origin })),
      ),
    };
  }

  /** Reads all neighbours once, asks for what nobody explained, and tells the peers what is new. */
  async round(signal?: AbortSignal): Promise<void> {
    await Promise.all(this.#tasks(signal).map((run) => run()));
    await Promise.all(this.#peers.map((peer) => peer.give([...this.#judges.values()], signal)));
  }

  /**
   * Does the same in intervals, each neighbour and log for itself, so that a slow one keeps nobody
   * waiting; what convicts somebody is told at once. Ends when `signal` is aborted. Throws only when the
   * monitor's own state failed.
   */
  async follow(signal: AbortSignal): Promise<void> {
    const judges = [...this.#judges.values()];
    const repeat = async (run: () => Promise<void>, early?: () => Promise<void>): Promise<void> => {
      while (!signal.aborted) {
        const waited = early?.() ?? new Promise(() => undefined);
        await run();
        await Promise.race([waited, pause(this.#interval, signal).catch(() => undefined)]);
      }
    };
    await Promise.all([
      ...this.#tasks(signal).map((run) => repeat(run)),
      ...this.#peers.map((peer) =>
        repeat(
          () => peer.give(judges, signal),
          () => this.#news.next(),
        ),
      ),
    ]);
  }

  #tasks(signal?: AbortSignal): (() => Promise<void>)[] {
    const judges = [...this.#judges.values()];
    return [
      ...[...this.#peers, ...this.#witnesses].map((each) => () => each.read(this, judges, signal)),
      ...judges.map((judge) => () => judge.explain(this.#accuseAfter, signal)),
    ];
  }
}

/** Wakes whoever waits for evidence that others are to be told of. */
class News {
  #bell = Promise.withResolvers<void>();

  ring(): void {
    this.#bell.resolve();
    this.#bell = Promise.withResolvers();
  }

  /** Resolves with the next evidence from now on. */
  next(): Promise<void> {
    return this.#bell.promise;
  }
}

/** Of the log's policy, and of those whose monitoring prefixes are read. */
function witnessKeys(watched: WatchedLogConfig, config: GossipConfig | undefined): VerifierKey[] {
  const keys = [...watched.policy.witnesses, ...(config?.witnesses ?? [])].map(({ key }) => key);
  return [...new Map(keys.map((key) => [`${key.name} ${key.keyId}`, key])).values()];
}
