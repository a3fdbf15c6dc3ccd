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
    if (head.size < trusted.size) {
      if (!mayBeOlder) throw forked(trusted, head, 'it went back');
      await this.#connect(head, trusted, trusted, head);
    } else {
      await this.#connect(trusted, head, trusted, head);
      if (head.size > trusted.size) await this.#state.save(head.note);
    }
    return head;
  }

  /** Proves from tiles of `to`, which are kept only when it is no fork, that it continues `from`. */
  async #connect(
    from: TrustedHead,
    to: TrustedHead,
    trusted: TrustedHead,
    offered: TrustedHead,
  ): Promise<void> {
    if (from.size === to.size) {
      if (!equalBytes(from.root, to.root)) throw forked(trusted, offered, 'the roots differ');
      return;
    }
    if (from.size === 0) return;
    const tiles = to === trusted ? this.#tiles : this.#tiles.separate();
    const read = tileHashReader(to.size, (wanted) => tiles.read(to, wanted));
    try {
      const proof = await proveConsistency(from.size, to.size, read);
      verifyConsistency({
        from: from.size,
        to: to.size,
        fromRoot: from.root,
        toRoot: to.root,
        proof,
      });
    } catch (error) {
      if (!(error instanceof DaybookError) || error.code !== 'consistency-invalid') throw error;
      throw forked(trusted, offered, error.message);
    }
    if (tiles !== this.#tiles) this.#tiles.adopt(tiles);
  }

  async #trusted(): Promise<TrustedHead | undefined> {
    const note = await this.#state.load();
    return note && { ...parseCheckpoint(parseNote(note).text), note };
  }
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

function shown({ size, root }: TrustedHead): string {
  return `size ${size}, root ${encodeHex(root)}`;
}
