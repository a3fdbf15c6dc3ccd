/**
 * Whom the monitor reads on a schedule: its peers, and the witnesses' monitoring prefixes. Each answer
 * is bounded in bytes, in number and in time; one who sends rubbish is reported, and read again.
 *
 *     gossip/push/<peer>/<origin hash>/<id>    evidence that this peer was not given yet
 */
import { decodeUtf8, utf8 } from '../../encoding/bytes.ts';
import { parseStrictJson, type JsonObject, type JsonValue } from '../../encoding/strict-json.ts';
import { DaybookError, type ErrorCode } from '../../errors.ts';
import { isAway } from '../../client/sources.ts';
import type { Http } from '../../http/outbound.ts';
import { MAX_EVIDENCE_BYTES } from '../../verify/evidence.ts';
import { MAX_NOTE_BYTES } from '../../note/note.ts';
import { originHash } from '../../note/origin-hash.ts';
import type { Records } from '../change.ts';
import type { Draft } from '../draft.ts';
import type { Judge } from './judge.ts';

export type ReportNeighbour = (neighbour: string, problem: DaybookError | undefined) => void;

/** What a neighbour's heads and evidence are given to. */
interface Taker {
  take(note: Uint8Array, source: string): Promise<unknown>;
  takeEvidence(bytes: Uint8Array): Promise<unknown>;
}

/** Of one log in one round; more than an honest peer serves. */
const MAX_HEADS = 128;
const MAX_HEADS_BYTES = 8 << 20;
const MAX_LISTED = 256;
const MAX_LIST_BYTES = 1 << 20;
/** Evidence files that are fetched from one peer in one round. */
const MAX_FETCHED = 16;
/** Ids of what a peer lists that was looked at and is not kept. */
const MAX_LOOKED_AT = 1024;
/** The monitor itself fails: not what a neighbour can bring about. */
const ours: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'store-failed',
  'store-corrupt',
  'store-locked',
  'internal',
]);

/** Reports each change from good to bad and back, once. */
class Neighbour {
  readonly source: string;
  readonly #report: ReportNeighbour | undefined;
  #problem: string | undefined;

  constructor(source: string, report: ReportNeighbour | undefined) {
    this.source = source;
    this.#report = report;
  }

  /** Runs `run`, whose failures are the neighbour's unless they are the monitor's own: those it throws. */
  async visit(run: () => Promise<void>, signal?: AbortSignal): Promise<void> {
    let problem: DaybookError | undefined;
    try {
      await run();
    } catch (error) {
      if (signal?.aborted) return;
      if (!(error instanceof DaybookError) || ours.has(error.code)) throw error;
      problem = error;
    }
    if (problem?.code !== this.#problem) this.#report?.(this.source, problem);
    this.#problem = problem?.code;
  }
}

export class Peer {
  readonly #name: string;
  readonly #http: Http;
  readonly #records: Records;
  readonly #state: Neighbour;
  readonly #lookedAt = new Set<string>();

  constructor(name: string, http: Http, records: Records, report?: ReportNeighbour) {
    this.#name = name;
    this.#http = http;
    this.#records = records;
    this.#state = new Neighbour(`peer ${name}`, report);
  }

  /** Evidence that is to be given to the peer `name` once. */
  static owe(name: string, hash: string, id: string, draft: Draft): void {
    draft.put(`gossip/push/${name}/${hash}/${id}`, new Uint8Array(0));
  }

  /** Takes its heads and its evidence. */
  read(taker: Taker, judges: readonly Judge[], signal?: AbortSignal): Promise<void> {
    return this.#state.visit(async () => {
      for (const judge of judges) await this.#takeHeads(taker, judge, signal);
      await this.#takeEvidence(taker, judges, signal);
    }, signal);
  }

  /** Gives the evidence that the peer is owed. */
  async give(judges: readonly Judge[], signal?: AbortSignal): Promise<void> {
    const owed: string[] = [];
    for await (const [key] of this.#records.list(`gossip/push/${this.#name}/`)) owed.push(key);
    if (owed.length > 0) await this.#state.visit(() => this.#give(owed, judges, signal), signal);
  }

  async #give(
    owed: readonly string[],
    judges: readonly Judge[],
    signal?: AbortSignal,
  ): Promise<void> {
    const held = judges.flatMap((judge) => judge.held.evidence);
    for (const key of owed) {
      const evidence = held.find(({ id }) => key.endsWith(`/${id}`));
      if (evidence) {
        const call = {
          method: 'POST',
          body: evidence.bytes,
          contentType: 'application/json',
        } as const;
        try {
          await this.#http.call('gossip/evidence', { ...call, maxBytes: MAX_LIST_BYTES, signal });
        } catch (error) {
          // A peer that refuses it, such as one that does not follow the log, was told all the same.
          if (isAway(error) || !(error instanceof DaybookError)) throw error;
        }
      }
      await this.#records.commit({ delete: [key] });
    }
  }

  async #takeHeads(taker: Taker, judge: Judge, signal?: AbortSignal): Promise<void> {
    const path = `gossip/heads/${originHash(judge.origin)}`;
    const body = await ifThere(this.#http, path, MAX_HEADS_BYTES, signal);
    if (body === undefined) return;
    const heads = listIn(body, 'heads', MAX_HEADS);
    for (const note of heads) {
      if (typeof note !== 'string') throw new DaybookError('bad-note', 'a head is no text');
      await excusing(taker.take(utf8(note), this.#state.source));
    }
  }

  async #takeEvidence(taker: Taker, judges: readonly Judge[], signal?: AbortSignal): Promise<void> {
    const body = await ifThere(this.#http, 'gossip/evidence', MAX_LIST_BYTES, signal);
    if (body === undefined) return;
    const held = new Set(judges.flatMap(({ held }) => held.evidence.map(({ id }) => id)));
    const ids = listIn(body, 'evidence', MAX_LISTED).flatMap((listed) => {
      const id = (listed as JsonObject | null)?.['id'];
      const wanted = typeof id === 'string' && /^[0-9a-f]{32}$/.test(id);
      return wanted && !held.has(id) && !this.#lookedAt.has(id) ? [id] : [];
    });
    for (const id of ids.slice(0, MAX_FETCHED)) {
      const file = await ifThere(this.#http, `gossip/evidence/${id}`, MAX_EVIDENCE_BYTES, signal);
      this.#lookAt(id);
      if (file) await excusing(taker.takeEvidence(file));
    }
  }

  #lookAt(id: string): void {
    this.#lookedAt.add(id);
    const [oldest] = this.#lookedAt;
    if (this.#lookedAt.size > MAX_LOOKED_AT) this.#lookedAt.delete(oldest as string);
  }
}

/** Reads what a witness cosigned last (C2SP tlog-witness, "Monitoring"). */
export class WitnessReader {
  readonly #http: Http;
  readonly #state: Neighbour;

  constructor(name: string, http: Http, report?: ReportNeighbour) {
    this.#http = http;
    this.#state = new Neighbour(`witness ${name}`, report);
  }

  read(taker: Taker, judges: readonly Judge[], signal?: AbortSignal): Promise<void> {
    return this.#state.visit(async () => {
      for (const { origin } of judges) {
        const path = `${originHash(origin)}/checkpoint`;
        const note = await ifThere(this.#http, path, MAX_NOTE_BYTES, signal);
        if (note) await excusing(taker.take(note, this.#state.source));
      }
    }, signal);
  }
}

async function ifThere(
  http: Http,
  path: string,
  maxBytes: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  try {
    return (await http.call(path, { fresh: true, maxBytes, signal })).body;
  } catch (error) {
    const absent = error instanceof DaybookError && error.status === 404;
    if (absent) return undefined;
    throw error;
  }
}

function listIn(body: Uint8Array, member: string, most: number): readonly JsonValue[] {
  const json = parseStrictJson(body, { maxDepth: 4 }) as JsonObject | null;
  const list = json?.[member];
  if (Array.isArray(list) && list.length <= most) return list as readonly JsonValue[];
  const shown = decodeUtf8(body).slice(0, 80);
  throw new DaybookError('bad-request', `want at most ${most} "${member}", got ${shown}`);
}

/** What says nothing against the neighbour who sent it: no room now, or keys and logs that it knows and we do not. */
const excused: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'overloaded',
  'untrusted-checkpoint',
  'unknown-origin',
  'not-convicted',
]);

async function excusing(taken: Promise<unknown>): Promise<void> {
  await taken.catch((error: unknown) => {
    if (!(error instanceof DaybookError && excused.has(error.code))) throw error;
  });
}
