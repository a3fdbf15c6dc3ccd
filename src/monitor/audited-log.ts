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
import type { TileTree } from '../merkle/tile-tree.ts';
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
/**
 * Entries whose signatures are being verified while earlier ones are judged: enough that the thread
 * pool does not run dry, and few enough that what was parsed of them is soon forgotten again.
 */
const AHEAD = 256;

interface Ahead {
  readonly judged: Promise<Judged>;
  /** Of the last entry of a bundle: with it, the tree grows. */
  readonly ends: { readonly leaves: TileTree; readonly known: number } | undefined;
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
  async add({ first, entries, leaves }: LoggedBundle): Promise<void> {
    const known = Math.max(this.tree.size - first, 0);
    for (let i = known; i < entries.length; i++) {
      const judged = this.#audit.judge(leafIndex(first + i), entries[i] as Uint8Array);
      // Awaited in its turn; until then nobody else may call it unhandled.
      judged.catch(() => undefined);
      const ends = i === entries.length - 1 ? { leaves, known } : undefined;
      this.#ahead.push({ judged, ends });
      if (this.#ahead.length > AHEAD) await this.#accept();
    }
  }

  /** Everything that was added is judged and durable when it resolves. */
  async finish(): Promise<void> {
    while (this.#ahead.length > 0) await this.#accept();
    await this.#commit();
  }

  async #accept(): Promise<void> {
    const { judged, ends } = this.#ahead.shift() as Ahead;
    const chunk = (this.#chunk ??= { change: this.#steps.change(), failed: [], entries: 0 });
    const entry = await this.#audit.accept(await judged, chunk.change);
    chunk.entries += 1;
    if (entry.problem) chunk.failed.push(entry);
    this.#steps.entry(entry, chunk.change);
    if (ends === undefined) return;
    const grown = this.tree.grow(ends.leaves, ends.known, chunk.change);
    chunk.change.put(
      progressKey(this.#hash),
      format({ ...grown, findings: this.#findings + chunk.failed.length }),
    );
    if (chunk.entries >= CHUNK_ENTRIES) await this.#commit();
  }

  async #commit(): Promise<void> {
    if (this.#chunk === undefined) return;
    const { change, failed } = this.#chunk;
    this.#chunk = undefined;
    this.#findings += failed.length;
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
