/**
 * How far a log was audited: its tree, its admission, and the rules' view of it, which move forward
 * together or not at all.
 *
 *     progress/<origin hash>    JSON: size and root of what was audited, and how many entries failed
 */
import type { LoggedBundle } from '../client/log-client.ts';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import { leafIndex } from '../encoding/integer.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { Audit, type Judged, type LogName } from './audit.ts';
import type { Change, Records } from './change.ts';
import type { AuditedEntry, Draft } from './draft.ts';
import { addFindings } from './findings.ts';
import { VerifiedTree } from './verified-tree.ts';

export interface AuditSteps {
  /** Begins what is committed at once. */
  readonly change: () => Change;
  /** Each entry once, in order. */
  readonly entry: (entry: AuditedEntry, draft: Draft) => void;
  /** The entries of a change that the log should not have; at least one. */
  readonly failed: (failed: readonly AuditedEntry[], draft: Draft) => void;
}

/** Entries in one commit. */
const CHUNK_ENTRIES = 16 * TILE_WIDTH;
/** Bytes and bundles of entries that are being verified while earlier ones are judged. */
const AHEAD_BYTES = 4 << 20;
const AHEAD_BUNDLES = 4;

interface Ahead {
  readonly bundle: LoggedBundle;
  readonly bytes: number;
  readonly judged: Promise<readonly Judged[]>;
}

export class AuditedLog {
  readonly tree: VerifiedTree;
  readonly #hash: string;
  readonly #audit: Audit;
  readonly #steps: AuditSteps;
  readonly #ahead: Ahead[] = [];
  #findings: number;
  /** What was accepted and is not committed yet. */
  #chunk: { readonly change: Change; readonly failed: AuditedEntry[]; entries: number } | undefined;

  private constructor(
    hash: string,
    { tree, audit, findings }: { tree: VerifiedTree; audit: Audit; findings: number },
    steps: AuditSteps,
  ) {
    this.#hash = hash;
    this.tree = tree;
    this.#audit = audit;
    this.#findings = findings;
    this.#steps = steps;
  }

  /** Goes on where the records end. Throws `store-corrupt`. */
  static async load(
    records: Records,
    name: LogName,
    verifier: SignatureVerifier,
    steps: AuditSteps,
  ): Promise<AuditedLog> {
    const { hash } = name;
    const progress = progressOf(records, hash);
    const tree = await VerifiedTree.load(records, hash, progress);
    const audit = await Audit.load(records, name, verifier);
    return new AuditedLog(hash, { tree, audit, findings: progress.findings }, steps);
  }

  /** How many entries should not be in the log. */
  get findings(): number {
    return this.#findings;
  }

  /**
   * Takes the next bundle, the first time the one in which `tree.size` lies. Its entries are judged
   * when `finish` resolves, or when enough others came.
   */
  async add(bundle: LoggedBundle): Promise<void> {
    const fresh = bundle.entries.slice(Math.max(this.tree.size - bundle.first, 0));
    const from = bundle.first + bundle.entries.length - fresh.length;
    const judged = Promise.all(
      fresh.map((entry, i) => this.#audit.judge(leafIndex(from + i), entry)),
    );
    // Awaited in its turn; until then nobody else may call it unhandled.
    judged.catch(() => undefined);
    const bytes = bundle.entries.reduce((sum, { length }) => sum + length, 0);
    this.#ahead.push({ bundle, bytes, judged });
    while (this.#ahead.length > 1 && this.#isFull()) await this.#take();
  }

  /** Everything that was added is judged and durable when it resolves. */
  async finish(): Promise<void> {
    while (this.#ahead.length > 0) await this.#take();
    await this.#commit();
  }

  #isFull(): boolean {
    const bytes = this.#ahead.reduce((sum, each) => sum + each.bytes, 0);
    return this.#ahead.length > AHEAD_BUNDLES || bytes > AHEAD_BYTES;
  }

  async #take(): Promise<void> {
    const { bundle, judged } = this.#ahead.shift() as Ahead;
    const chunk = (this.#chunk ??= { change: this.#steps.change(), failed: [], entries: 0 });
    const accepted = await judged;
    const before = chunk.failed.length;
    for (const each of accepted) {
      const entry = await this.#audit.accept(each, chunk.change);
      if (entry.problem) chunk.failed.push(entry);
      this.#steps.entry(entry, chunk.change);
    }
    const known = bundle.entries.length - accepted.length;
    this.#findings += chunk.failed.length - before;
    const grown = this.tree.grow(bundle.leaves, known, chunk.change);
    const progress = { ...grown, findings: this.#findings };
    chunk.change.put(progressKey(this.#hash), format(progress));
    chunk.entries += accepted.length;
    if (chunk.entries >= CHUNK_ENTRIES) await this.#commit();
  }

  async #commit(): Promise<void> {
    if (this.#chunk === undefined) return;
    const { change, failed } = this.#chunk;
    this.#chunk = undefined;
    if (failed.length > 0) {
      addFindings(this.#hash, failed, change);
      this.#steps.failed(failed, change);
    }
    await change.commit();
    this.tree.settle();
  }
}

interface Progress {
  readonly size: number;
  readonly root: Uint8Array;
  readonly findings: number;
}

function progressOf(records: Pick<Records, 'get'>, hash: string): Progress {
  const value = records.get(progressKey(hash));
  if (value === undefined) return { size: 0, root: hasher.emptyRoot, findings: 0 };
  const { root, ...counts } = JSON.parse(decodeUtf8(value)) as Omit<Progress, 'root'> & {
    root: string;
  };
  return { ...counts, root: decodeHex(root) };
}

function format(progress: Progress): Uint8Array {
  return utf8(JSON.stringify({ ...progress, root: encodeHex(progress.root) }));
}

function progressKey(hash: string): string {
  return `progress/${hash}`;
}
