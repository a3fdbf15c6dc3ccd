/** What a witness does (C2SP tlog-witness): it cosigns a log's checkpoint only if it continues the one before. */
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { treeSize, type TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { nodeTreeHasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import type { Hash } from '../merkle/hash.ts';
import {
  formatSignatureLines,
  mergeSignatures,
  parseAddCheckpoint,
} from '../note/add-checkpoint.ts';
import { parseCheckpoint, type Checkpoint } from '../note/checkpoint.ts';
import { verifyContinuation } from '../note/continuation.ts';
import { decodeSignature } from '../note/cosignature.ts';
import { formatNote, openNote, parseNote, type SignedNote } from '../note/note.ts';
import { originHash } from '../note/origin-hash.ts';
import { signNote, type NoteSigner } from '../note/sign.ts';
import type { VerifierKey } from '../note/vkey.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import type { RecordStore } from '../store/record-store.ts';
import { RecoveringStore } from '../store/recovering-store.ts';
import { openState, openCosigner } from '../cosigner/directory.ts';
import type { LogKeys } from './log-list.ts';

export interface WitnessOptions {
  /** Asked at each request, so that a list may change. */
  readonly list: { readonly logs: LogKeys };
  /** Seconds since 1970; the machine's clock unless given. */
  readonly now?: () => number;
  readonly report?: (message: string, error?: unknown) => void;
}

export interface WitnessParts extends WitnessOptions {
  readonly state: RecoveringStore;
  /** The first one's times are the witness's. */
  readonly signers: readonly NoteSigner[];
  readonly verifier: SignatureVerifier;
}

/** What add-checkpoint comes to: signature lines, or the size that was cosigned last. */
export type Answer = { readonly cosignatures: Uint8Array } | { readonly conflict: TreeSize };

/** A request whose checkpoint a known log has signed. */
interface Request {
  readonly oldSize: TreeSize;
  readonly proof: readonly Hash[];
  readonly checkpoint: Checkpoint;
  /** With those signatures only that verified. */
  readonly note: SignedNote;
}

/** What was cosigned last for a log. */
interface Last extends Checkpoint {
  readonly note: Uint8Array;
  readonly time: number;
}

/** The same trouble is reported once in this time. */
const QUIET_MS = 60_000;
const MAX_QUIET = 1000;

/**
 * Opens the witness that `initCosigner` made in `directory`. Throws `state-missing`, `store-corrupt`,
 * `store-locked`, `store-failed`, `wrong-directory`, and what reading keys throws.
 */
export async function openWitness(directory: string, options: WitnessOptions): Promise<Witness> {
  const { store, signers } = await openCosigner(directory);
  const state = new RecoveringStore(store, {
    reopen: () => openState(directory, false),
    report: options.report ?? (() => undefined),
  });
  return new Witness({ ...options, state, signers, verifier: nodeVerifier });
}

export class Witness {
  readonly #parts: WitnessParts;
  /** The end of the queue of each log that has requests in flight. */
  readonly #turns = new Map<string, Promise<unknown>>();
  readonly #reportedAt = new Map<string, number>();

  constructor(parts: WitnessParts) {
    this.#parts = parts;
  }

  get keys(): readonly VerifierKey[] {
    return this.#parts.signers.map(({ key }) => key);
  }

  /** Why nothing is cosigned now; undefined while the witness works. */
  get halted(): string | undefined {
    return this.#parts.state.halted;
  }

  /**
   * Answers the body of an add-checkpoint request when what it answers is durable. Throws, in this
   * order, `bad-request`, `bad-note`, `bad-checkpoint` and the like for what cannot be read;
   * `unknown-origin`; `untrusted-checkpoint` and `signature-invalid`; `bad-request` for an old size
   * above the new one; `checkpoint-inconsistent`; `clock-went-back`; `store-failed`.
   */
  async addCheckpoint(body: Uint8Array): Promise<Answer> {
    const { oldSize, proof, checkpoint: bytes } = parseAddCheckpoint(body);
    const note = parseNote(bytes);
    const checkpoint = parseCheckpoint(note.text);
    const { origin, size } = checkpoint;
    const keys = this.#parts.list.logs.get(origin);
    if (keys === undefined) {
      throw new DaybookError('unknown-origin', `no log "${origin}" is in this witness's list`);
    }
    const opened = await openNote(note, keys, this.#parts.verifier);
    if (oldSize > size) {
      throw new DaybookError('bad-request', `old size ${oldSize} is above the new size ${size}`);
    }
    const signatures = opened.map(({ key, signature }) => ({ ...key, signature }));
    const request = { oldSize, proof, checkpoint, note: { text: note.text, signatures } };
    return this.#inTurn(origin, () => this.#decide(request));
  }

  /**
   * The newest cosigned checkpoint of the log with this origin hash, signed by the log and as it was
   * cosigned; undefined when there is none. Throws `store-failed` and `store-corrupt`.
   */
  checkpoint(hash: string): Uint8Array | undefined {
    return this.#parts.state.current.get(recordKey(hash));
  }

  /** Lets requests in flight finish, and gives the directory back. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#turns.values());
    await this.#parts.state.close();
  }

  /**
   * One request of a log after the other, each from its look at the state to its durable end: so the
   * check and the write are one atomic step. Writes of different logs are synced together.
   */
  #inTurn<Result>(origin: string, work: () => Promise<Result>): Promise<Result> {
    const turn = (this.#turns.get(origin) ?? Promise.resolve()).then(work);
    const ended = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#turns.set(origin, ended);
    void ended.then(() => {
      if (this.#turns.get(origin) === ended) this.#turns.delete(origin);
    });
    return turn;
  }

  async #decide(request: Request): Promise<Answer> {
    const { state, signers } = this.#parts;
    const { oldSize, checkpoint, note } = request;
    const store = state.current;
    const key = recordKey(originHash(checkpoint.origin));
    const last = this.#last(store, key);
    const lastSize = last?.size ?? treeSize(0);
    if (oldSize !== lastSize) return { conflict: lastSize };
    this.#checkContinuation(request, last);
    const time = this.#time(checkpoint.origin, last);
    const { signatures } = await signNote(note.text, signers, time);
    const cosigned = formatNote(mergeSignatures(note, signatures));
    await state.commit(store, { put: [[key, utf8(cosigned)]] });
    return { cosignatures: formatSignatureLines(signatures) };
  }

  #last(store: RecordStore, key: string): Last | undefined {
    const note = store.get(key);
    if (note === undefined) return undefined;
    const { text, signatures } = parseNote(note);
    const [own] = this.keys;
    const line = signatures.find(({ name, keyId }) => name === own?.name && keyId === own.keyId);
    const time = own && line && decodeSignature(own, line.signature)?.timestamp;
    if (time === undefined) {
      throw new DaybookError('store-corrupt', `${key} has no cosignature of this witness`);
    }
    return { ...parseCheckpoint(text), note, time };
  }

  #checkContinuation({ proof, checkpoint, note }: Request, last: Last | undefined): void {
    try {
      verifyContinuation(last, checkpoint, proof, nodeTreeHasher);
    } catch (error) {
      // Both are signed by the log: if they cannot both be true, they convict it.
      const notes = [formatNote(note), last ? decodeUtf8(last.note) : ''].map((each) =>
        JSON.stringify(each),
      );
      this.#reportSeldom(
        note.text,
        `a log signed ${notes.join(', not shown to continue ')}`,
        error,
      );
      throw error;
    }
  }

  /** Seconds since 1970: never 0, and never lower than before for this log. */
  #time(origin: string, last: Last | undefined): number {
    const time = Math.floor((this.#parts.now ?? machineTime)());
    const least = last?.time ?? 1;
    if (time >= least) return time;
    const error = new DaybookError(
      'clock-went-back',
      `the witness's clock shows ${time}, but it cosigned "${origin}" last at ${least}: ` +
        'nothing is cosigned for this log until the clock shows that time again',
    );
    this.#reportSeldom(`${origin} clock`, 'the clock went back: set it right', error);
    throw error;
  }

  #reportSeldom(trouble: string, message: string, error?: unknown): void {
    const now = performance.now();
    if (now - (this.#reportedAt.get(trouble) ?? Number.NEGATIVE_INFINITY) < QUIET_MS) return;
    // As many as anybody can make a log sign: more than these are not worth a memory.
    if (this.#reportedAt.size >= MAX_QUIET) this.#reportedAt.clear();
    this.#reportedAt.set(trouble, now);
    this.#parts.report?.(message, error);
  }
}

function machineTime(): number {
  return Date.now() / 1000;
}

function recordKey(hash: string): string {
  return `log/${hash}`;
}
