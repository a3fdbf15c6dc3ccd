/**
 * One witness as the log sees it (C2SP tlog-witness): which size it cosigned last, one request on its
 * way, and how long it is left alone after it failed. What it says is examined, never believed.
 */
import { decodeUtf8 } from '../encoding/bytes.ts';
import { parseDecimal, treeSize, type TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { errorOf, Http, retryAfter, type Answer } from '../http/outbound.ts';
import type { Hash } from '../merkle/hash.ts';
import { formatAddCheckpoint, parseSignatureLines } from '../note/add-checkpoint.ts';
import { parseNote, type SignatureLine } from '../note/note.ts';
import type { PolicyWitness } from '../verify/policy.ts';
import { linesOf, openCosignatures } from './cosignatures.ts';
import { readShown, type LogIdentity, type ShownCheckpoint } from './monitoring-prefix.ts';

/** A checkpoint that the log has signed, and asks witnesses to cosign. */
export interface Signed {
  /** The note with the log's signatures. */
  readonly note: Uint8Array;
  readonly size: TreeSize;
}

export type WitnessAnswer =
  | {
      readonly kind: 'cosigned';
      /** Cosignatures that verified, of a plausible time. */
      readonly lines: readonly SignatureLine[];
      /** The policy's names of the keys that made them. */
      readonly names: readonly string[];
    }
  /** It says that it has cosigned a larger tree of this log (409). */
  | { readonly kind: 'ahead'; readonly size: TreeSize }
  /** It says that the checkpoint does not continue the one that it cosigned (422). */
  | { readonly kind: 'conflict' }
  | { readonly kind: 'silent' }
  /** It was busy with an older checkpoint until a newer one than this came. */
  | { readonly kind: 'superseded' };

export interface WitnessOptions {
  readonly log: LogIdentity;
  /** Size of the newest checkpoint that the log has signed: most likely what the witness knows. */
  readonly knownSize: TreeSize;
  /** Time for one answer, catching up included, in ms. */
  readonly timeoutMs: number;
  /** Proof from a size of the log's tree to another; empty from 0, and to the same size. */
  readonly prove: (from: TreeSize, to: TreeSize) => Promise<Hash[]>;
  /** Told when the witness begins to fail, and when it is well again. */
  readonly report: (message: string) => void;
  /** Ends everything that is on its way. */
  readonly signal: AbortSignal;
}

const FIRST_BACKOFF_MS = 250;
const LAST_BACKOFF_MS = 15_000;
/** A witness that wants to be left alone for longer is asked again nevertheless. */
const MAX_RETRY_AFTER_MS = 60_000;
/** Requests of one answer: a witness that others feed too may have moved on meanwhile. */
const MAX_REQUESTS = 4;
/** Signature lines of two keys, with room to spare. */
const MAX_ANSWER_BYTES = 64 << 10;

interface Task {
  readonly signed: Signed;
  readonly settle: (answer: WitnessAnswer) => void;
}

export class Witness {
  readonly url: string;
  /** Its names in the policy: one for each of its keys. */
  readonly names: readonly string[];
  readonly #lines: readonly PolicyWitness[];
  readonly #options: WitnessOptions;
  readonly #http: Http;
  #knownSize: TreeSize;
  #failures = 0;
  #askableAt = 0;
  #busy = false;
  #next: Task | undefined;

  /** `lines` are those of the policy that have the URL. Throws `bad-usage` when it is none. */
  constructor(url: string, lines: readonly PolicyWitness[], options: WitnessOptions) {
    this.url = url;
    this.names = lines.map(({ name }) => name);
    this.#lines = lines;
    this.#options = options;
    this.#http = new Http(url, { timeoutMs: options.timeoutMs });
    this.#knownSize = options.knownSize;
  }

  /** Whether it cosigned nothing when it was asked last. */
  get silent(): boolean {
    return this.#failures > 0;
  }

  /** False while it is left alone after a failure: then it counts as silent without being asked. */
  get askable(): boolean {
    return performance.now() >= this.#askableAt;
  }

  /** Asks for cosignatures, when those asked for before are there; never rejects. */
  ask(signed: Signed): Promise<WitnessAnswer> {
    this.#next?.settle({ kind: 'superseded' });
    return new Promise((settle) => {
      this.#next = { signed, settle };
      if (!this.#busy) void this.#work();
    });
  }

  /** The newest checkpoint with the log's own signature that it shows at its monitoring prefix. */
  shown(): Promise<ShownCheckpoint | undefined> {
    return readShown(this.#http, this.#options.log, this.#options.signal);
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (let task = this.#take(); task; task = this.#take()) {
      task.settle(this.askable ? await this.#answer(task.signed) : { kind: 'silent' });
    }
    this.#busy = false;
  }

  #take(): Task | undefined {
    const task = this.#next;
    this.#next = undefined;
    return task;
  }

  async #answer(signed: Signed): Promise<WitnessAnswer> {
    const { signal, timeoutMs } = this.#options;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    let answer: WitnessAnswer;
    try {
      answer = await this.#submit(signed, deadline);
    } catch (error) {
      if (!signal.aborted) this.#failed(deadline.aborted ? `no answer in ${timeoutMs} ms` : error);
      return { kind: 'silent' };
    }
    if (answer.kind === 'cosigned') this.#cosigns();
    else if (answer.kind === 'ahead') this.#failed(`it says that it cosigned size ${answer.size}`);
    else this.#failed('it says that it cosigned another tree');
    return answer;
  }

  async #submit(signed: Signed, signal: AbortSignal): Promise<WitnessAnswer> {
    for (let request = 1; request <= MAX_REQUESTS; request++) {
      const oldSize = treeSize(Math.min(this.#knownSize, signed.size));
      const proof = await this.#options.prove(oldSize, signed.size);
      const answer = await this.#http.once('add-checkpoint', {
        method: 'POST',
        contentType: 'text/plain; charset=utf-8',
        body: formatAddCheckpoint({ oldSize, proof, checkpoint: signed.note }),
        maxBytes: MAX_ANSWER_BYTES,
        signal,
      });
      if (answer.status === 200) {
        const cosigned = await this.#open(signed, answer);
        this.#knownSize = signed.size;
        return cosigned;
      }
      if (answer.status === 422) return { kind: 'conflict' };
      if (answer.status !== 409) throw this.#refused(answer);
      const size = sizeIn(answer);
      if (size > signed.size) return { kind: 'ahead', size };
      this.#knownSize = size;
    }
    throw new DaybookError('network', `it named another size ${MAX_REQUESTS} times`);
  }

  async #open({ note }: Signed, { body }: Answer): Promise<WitnessAnswer> {
    const opened = await openCosignatures(
      { text: parseNote(note).text, signatures: parseSignatureLines(body) },
      this.#lines.map(({ key }) => key),
    );
    const names = opened.flatMap(
      (each) => this.#lines.find(({ key }) => key === each.key)?.name ?? [],
    );
    return { kind: 'cosigned', lines: linesOf(opened), names };
  }

  #refused({ status, headers, body }: Answer): DaybookError {
    const wait = Math.min(retryAfter(headers) ?? 0, MAX_RETRY_AFTER_MS);
    this.#askableAt = performance.now() + wait;
    return errorOf(problemIn(body), `it answered ${status}`);
  }

  #cosigns(): void {
    if (this.#failures > 0) this.#options.report(`witness ${this.#shortName()} cosigns again`);
    this.#failures = 0;
  }

  #failed(reason: unknown): void {
    if (this.#failures === 0) {
      const text = reason instanceof Error ? reason.message : String(reason);
      this.#options.report(`witness ${this.#shortName()} does not cosign: ${text}`);
    }
    const wait = Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures, LAST_BACKOFF_MS);
    this.#failures += 1;
    this.#askableAt = Math.max(this.#askableAt, performance.now() + wait);
  }

  #shortName(): string {
    return this.names.join(', ');
  }
}

/** Of a 409: its size line. Throws what parseDecimal throws. */
function sizeIn({ body }: Answer): TreeSize {
  return treeSize(parseDecimal(decodeUtf8(body).replace(/\n$/, '')));
}

/** Witnesses of other makers answer with a line of text, if with anything. */
function problemIn(body: Uint8Array): unknown {
  const text = Buffer.from(body).toString('utf8');
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return { detail: JSON.stringify(text.trim().slice(0, 300)) };
  }
}
