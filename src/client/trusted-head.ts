/**
 * The newest checkpoint that a client trusted. Each further one must continue it, proven from tiles:
 * a log that went back or forked is refused, and both notes are the evidence.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import type { TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { proveConsistency, verifyConsistency } from '../merkle/consistency.ts';
import type { Hash } from '../merkle/hash.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { parseNote } from '../note/note.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { checkCheckpoint, type TrustPolicy } from '../verify/policy.ts';
import type { TrustedTree, VerifiedTiles } from './verified-tiles.ts';

/** Where the last trusted checkpoint is kept between runs: note bytes, verbatim. */
export interface HeadState {
  load(): Promise<Uint8Array | undefined>;
  /** Must be durable when it resolves. */
  save(note: Uint8Array): Promise<void>;
}

export interface TrustedHead extends TrustedTree {
  readonly origin: string;
  readonly size: TreeSize;
  readonly root: Hash;
  /** The signed note, verbatim. */
  readonly note: Uint8Array;
}

/** What a log that forked is shown by: `cause` of the `log-forked` error. */
export interface ForkEvidence {
  readonly trusted: Uint8Array;
  readonly offered: Uint8Array;
}

export class HeadKeeper {
  readonly #policy: TrustPolicy;
  readonly #verifier: SignatureVerifier;
  readonly #state: HeadState;
  readonly #tiles: VerifiedTiles;
  /** Heads are compared one after the other, so that each is held against the newest. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    policy: TrustPolicy,
    verifier: SignatureVerifier,
    state: HeadState,
    tiles: VerifiedTiles,
  ) {
    this.#policy = policy;
    this.#verifier = verifier;
    this.#state = state;
    this.#tiles = tiles;
  }

  /** The log's newest checkpoint: throws `log-forked` when it is older than the last one trusted. */
  newest(note: Uint8Array): Promise<TrustedHead> {
    return this.#compare(note, false);
  }

  /** A checkpoint that came with a proof and may be older; it must still belong to the same log. */
  observed(note: Uint8Array): Promise<TrustedHead> {
    return this.#compare(note, true);
  }

  async #compare(note: Uint8Array, mayBeOlder: boolean): Promise<TrustedHead> {
    const { checkpoint } = await checkCheckpoint(note, this.#policy, this.#verifier);
    const head: TrustedHead = { ...checkpoint, note };
    const turn = this.#turn.then(() => this.#advance(head, mayBeOlder));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #advance(head: TrustedHead, mayBeOlder: boolean): Promise<TrustedHead> {
    const trusted = await this.#trusted();
    if (trusted === undefined) {
      await this.#state.save(head.note);
      return head;
    }
    if (trusted.origin !== head.origin) {
      throw forked(trusted, head, `it now calls itself ${head.origin}, before ${trusted.origin}`);
    }
    if (head.size < trusted.size && !mayBeOlder) throw forked(trusted, head, 'it went back');
    const [from, to] = head.size < trusted.size ? [head, trusted] : [trusted, head];
    const tiles = to === trusted ? this.#tiles : this.#tiles.separate();
    try {
      await proveContinues(from, to, tiles);
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      if (error.code === 'consistency-invalid') throw forked(trusted, head, error.message);
      throw error.code === 'not-found' ? unproven(trusted, head, error) : error;
    }
    if (to === head && from.size < to.size) {
      this.#tiles.adopt(tiles);
      await this.#state.save(head.note);
    }
    return head;
  }

  async #trusted(): Promise<TrustedHead | undefined> {
    const note = await this.#state.load();
    return note && { ...parseCheckpoint(parseNote(note).text), note };
  }
}

/** Throws `consistency-invalid` unless `tiles` of the later tree show that it continues the earlier one. */
async function proveContinues(
  from: TrustedTree,
  to: TrustedTree,
  tiles: VerifiedTiles,
): Promise<void> {
  if (from.size === to.size && !equalBytes(from.root, to.root)) {
    throw new DaybookError(
      'consistency-invalid',
      'two trees of the same size have different roots',
    );
  }
  if (from.size === 0 || from.size === to.size) return;
  const read = tileHashReader(to.size, (wanted) => tiles.read(to, wanted));
  const proof = await proveConsistency(from.size, to.size, read);
  const [fromRoot, toRoot] = [from.root, to.root];
  verifyConsistency({ from: from.size, to: to.size, fromRoot, toRoot, proof });
}

/** A state that lasts as long as the client. */
export function memoryState(): HeadState {
  let kept: Uint8Array | undefined;
  return {
    load: async () => kept,
    save: async (note) => {
      kept = note;
    },
  };
}

function forked(trusted: TrustedHead, offered: TrustedHead, problem: string): DaybookError {
  const evidence: ForkEvidence = { trusted: trusted.note, offered: offered.note };
  return new DaybookError(
    'log-forked',
    `the log ${offered.origin} is not to be trusted: ${problem} (trusted before: ${shown(trusted)}; now: ${shown(offered)}). Keep both signed checkpoints as evidence`,
    { cause: evidence },
  );
}

function unproven(trusted: TrustedHead, offered: TrustedHead, cause: DaybookError): DaybookError {
  return new DaybookError(
    'consistency-invalid',
    `the log ${offered.origin} does not show that its checkpoint (${shown(offered)}) and the one trusted before (${shown(trusted)}) belong together: ${cause.message}`,
    { cause },
  );
}

function shown({ size, root }: TrustedHead): string {
  return `size ${size}, root ${encodeHex(root)}`;
}
