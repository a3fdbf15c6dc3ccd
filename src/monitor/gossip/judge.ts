/**
 * The judge of one log's heads. Each is proved against the tree that the monitor itself has verified;
 * one above that tree waits until it has grown, and is asked for where its tiles may be.
 *
 *     gossip/cosigned/<origin hash>/<witness>    the largest head of the verified tree that a witness
 *                                                cosigned: with it, one that cosigns a fork is convicted
 */
import type { ReadFiles } from '../../client/sources.ts';
import { decodeUtf8, equalBytes, utf8 } from '../../encoding/bytes.ts';
import { DaybookError } from '../../errors.ts';
import { nodeVerifier as verifier } from '../../keys/node-verifier.ts';
import type { ReadHashes } from '../../merkle/node.ts';
import { mergeSignatures } from '../../note/add-checkpoint.ts';
import { formatNote } from '../../note/note.ts';
import { convict, type EvidenceKeys } from '../../verify/evidence.ts';
import { parseHead, signersOf, type NotedHead } from '../../verify/signed-head.ts';
import type { Change, Records } from '../change.ts';
import type { Draft } from '../draft.ts';
import { explain, type Explained } from './explain.ts';
import { EvidenceStore, type KeptEvidence } from './evidence-store.ts';
import { PendingHeads, type PendingHead } from './pending-heads.ts';

export type Verdict = 'consistent' | 'pending' | 'convicted';

/** A log that the monitor follows, as far as it has come. */
export interface FollowedLog {
  readonly origin: string;
  readonly hash: string;
  readonly tree: {
    readonly size: number;
    /** Of the first `size` entries, at most the tree's own. */
    reader(size: number): ReadHashes;
  };
  /** The newest head that was trusted; the tree may be behind it. */
  readonly head: { readonly note: Uint8Array } | undefined;
}

export interface JudgeOptions {
  readonly log: FollowedLog;
  readonly keys: EvidenceKeys;
  readonly records: Records;
  readonly begin: () => Change;
  /** Where the tiles of a head may be. */
  readonly sources: readonly ReadFiles[];
  /** Called within the change that makes new evidence durable. */
  readonly onEvidence: (evidence: KeptEvidence, draft: Draft) => void;
  /** Called when it is durable. */
  readonly onKept: () => void;
}

/** Heads that are asked for in one round: each takes a few requests. */
const MAX_ASKED = 4;
/** A log that cannot be reached is given so many times as long as one that answers something else. */
const AWAY_PATIENCE = 4;

export class Judge {
  readonly #options: JudgeOptions;
  readonly #pending: PendingHeads;
  readonly #store: EvidenceStore;
  /** The newest head up to which the tree is verified. */
  #verified: NotedHead | undefined;
  /** When a pending head was last asked for: those longest ago are next. */
  readonly #asked = new WeakMap<NotedHead, number>();
  /** One change at a time, so that each is made by what the one before left. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(options: JudgeOptions, pending: PendingHeads, store: EvidenceStore) {
    this.#options = options;
    this.#pending = pending;
    this.#store = store;
  }

  static async open(options: JudgeOptions): Promise<Judge> {
    const { records, log, keys } = options;
    const pending = await PendingHeads.load(records, log.hash);
    const store = await EvidenceStore.load(records, log.hash, keys);
    const judge = new Judge(options, pending, store);
    await judge.grown();
    return judge;
  }

  get origin(): string {
    return this.#options.log.origin;
  }

  get held(): Pick<EvidenceStore, 'evidence' | 'accusations' | 'convicted'> {
    return this.#store;
  }

  get pending(): readonly PendingHead[] {
    return this.#pending.all();
  }

  /** What others may want to compare, as notes: the head verified last, the newest one that is being audited, those that wait. */
  heads(): Uint8Array[] {
    const own = [this.#verified, this.#options.log.head].flatMap((head) => (head ? [head] : []));
    const heads = [...own, ...this.#pending.all().map(({ head }) => head)];
    return [...new Map(heads.map(({ note }) => [decodeUtf8(note), note])).values()];
  }

  /**
   * Judges a head of this log. Throws `untrusted-checkpoint` when the log did not sign it, and
   * `overloaded` when too many wait already.
   */
  async take(head: NotedHead, source: string): Promise<Verdict> {
    if ((await signersOf(head, this.#options.keys.logKeys, verifier)).length === 0) {
      throw new DaybookError(
        'untrusted-checkpoint',
        `the checkpoint of size ${head.size} is not signed by the log ${this.origin}`,
      );
    }
    return this.#inTurn((change) => this.#judge(head, source, change));
  }

  /** Verifies and keeps evidence; false when it convicts nobody new. Throws as verifyEvidence does. */
  async takeEvidence(bytes: Uint8Array): Promise<boolean> {
    const evidence = await this.#store.verify(bytes);
    return this.#inTurn(async (change) => this.#keep(evidence, change));
  }

  /** To be called when the tree has grown: judges what waited for it. */
  async grown(): Promise<void> {
    const { log } = this.#options;
    const { head } = log;
    if (head === undefined || equalBytes(head.note, this.#verified?.note ?? new Uint8Array(0)))
      return;
    const newest = parseHead(head.note);
    if (newest.size > log.tree.size) return;
    await this.#inTurn(async (change) => {
      this.#verified = newest;
      await this.#noteCosigners(newest, change);
      for (const pending of this.#pending.all()) {
        if (pending.head.size > newest.size) break;
        this.#pending.remove(pending, change);
        await this.#judge(pending.head, pending.source, change);
      }
    });
  }

  /**
   * Asks for the trees of heads that wait. One of them that nobody shows to continue the verified tree
   * within `accuseAfter` milliseconds becomes an accusation.
   */
  async explain(accuseAfter: number, signal?: AbortSignal): Promise<void> {
    const known = this.#verified;
    if (known === undefined || known.size === 0) return;
    const askedAt = ({ head }: PendingHead): number => this.#asked.get(head) ?? 0;
    const next = this.#pending.all().sort((a, b) => askedAt(a) - askedAt(b));
    for (const pending of next.slice(0, MAX_ASKED)) {
      const explained = await explain(known, pending.head, this.#options.sources, signal);
      if (explained === undefined) return;
      await this.#inTurn(async (change) => {
        this.#asked.set(pending.head, change.now);
        if (this.#pending.known(pending.head) !== pending) return;
        await this.#conclude(pending, known, explained, accuseAfter, change);
      });
    }
  }

  async #judge(head: NotedHead, source: string, change: Change): Promise<Verdict> {
    const { tree } = this.#options.log;
    const verified = this.#verified;
    if (verified && head.size <= verified.size) {
      const evidence = await convict(head, verified, tree.reader(verified.size));
      if (evidence === undefined) {
        await this.#noteCosigners(head, change);
        return 'consistent';
      }
      return this.#convict(head, evidence, change);
    }
    const rival = this.#rivalOf(head);
    if (rival) {
      const evidence = await convict(rival, head, readNothing);
      if (evidence) return this.#convict(head, evidence, change);
    }
    return this.#wait(head, source, change);
  }

  /** A head of the same size and another root that the tree has not grown to either. */
  #rivalOf(head: NotedHead): NotedHead | undefined {
    const rival = this.#pending.contradicting(head)?.head;
    if (rival || this.#options.log.head === undefined) return rival;
    const own = parseHead(this.#options.log.head.note);
    return own.size === head.size ? own : undefined;
  }

  async #wait(head: NotedHead, source: string, change: Change): Promise<Verdict> {
    const known = this.#pending.known(head);
    if (known) {
      const merged = await this.#merged(known.head, head);
      if (merged) this.#pending.update({ ...known, head: merged }, change);
      return 'pending';
    }
    if (this.#pending.add({ head, source, since: change.now, accused: false }, change)) {
      return 'pending';
    }
    throw new DaybookError(
      'overloaded',
      `too many checkpoints of ${this.origin} wait for its tree to grow to them; send this one later`,
    );
  }

  /** `known` with those cosignatures of `other` that verify; undefined when there are no new ones. */
  async #merged(known: NotedHead, other: NotedHead): Promise<NotedHead | undefined> {
    if (known.parsed.text !== other.parsed.text) return undefined;
    const { logKeys, witnessKeys = [] } = this.#options.keys;
    const keys = await signersOf(other, [...logKeys, ...witnessKeys], verifier);
    const by = ({ name, keyId }: { name: string; keyId: number }): string => `${name} ${keyId}`;
    const there = new Set((await signersOf(known, keys, verifier)).map(by));
    const wanted = new Set(keys.map(by).filter((key) => !there.has(key)));
    const lines = other.parsed.signatures.filter((line) => wanted.has(by(line)));
    if (lines.length === 0) return undefined;
    return parseHead(utf8(formatNote(mergeSignatures(known.parsed, lines))));
  }

  /** Keeps evidence against the log, and against each witness of `head` who cosigned the verified tree too. */
  async #convict(head: NotedHead, evidence: Uint8Array, change: Change): Promise<'convicted'> {
    this.#keep(await this.#store.verify(evidence), change);
    const { keys, log } = this.#options;
    for (const { name } of await signersOf(head, keys.witnessKeys ?? [], verifier)) {
      const note = change.get(cosignedKey(log.hash, name));
      if (note === undefined || this.#store.convicted(name)) continue;
      const other = parseHead(note);
      // A smaller one would need the tiles of the other branch.
      if (other.size < head.size) continue;
      const both = await convict(head, other, log.tree.reader(other.size));
      if (both) this.#keep(await this.#store.verify(both), change);
    }
    return 'convicted';
  }

  #keep(evidence: KeptEvidence, change: Change): boolean {
    const fresh = this.#store.add(evidence, change);
    if (fresh) this.#options.onEvidence(evidence, change);
    return fresh;
  }

  async #noteCosigners(head: NotedHead, change: Change): Promise<void> {
    const { keys, log } = this.#options;
    for (const { name } of await signersOf(head, keys.witnessKeys ?? [], verifier)) {
      const key = cosignedKey(log.hash, name);
      const before = change.get(key);
      if (before && parseHead(before).size >= head.size) continue;
      change.put(key, head.note);
    }
  }

  async #conclude(
    pending: PendingHead,
    known: NotedHead,
    explained: Explained,
    accuseAfter: number,
    change: Change,
  ): Promise<void> {
    // It waits on: what continues the tree now may be of a branch that the tree does not take.
    if (explained.kind === 'consistent') return;
    if (explained.kind === 'convicted') {
      this.#pending.remove(pending, change);
      await this.#convict(pending.head, explained.evidence, change);
      return;
    }
    const { reason, away } = explained;
    const waited = change.now - pending.since;
    if (pending.accused || waited < accuseAfter * (away ? AWAY_PATIENCE : 1)) return;
    const { head } = pending;
    if (this.#store.accuse({ origin: this.origin, head, known, reason }, change)) {
      this.#pending.update({ ...pending, accused: true }, change);
    }
  }

  #inTurn<T>(run: (change: Change) => Promise<T>): Promise<T> {
    const turn = this.#turn.then(async () => {
      const change = this.#options.begin();
      const before = this.#store.evidence.length;
      const result = await run(change);
      await change.commit();
      if (this.#store.evidence.length > before) this.#options.onKept();
      return result;
    });
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

function cosignedKey(hash: string, witness: string): string {
  return `gossip/cosigned/${hash}/${witness}`;
}

/** Heads of one size are compared without reading anything. */
function readNothing(): never {
  throw new DaybookError('internal', 'the tree of a head that waits is not here to be read');
}
