/**
 * The newest checkpoint that a client trusted. Each further one must continue it, proven from tiles:
 * a log that went back or forked is refused, and both notes are the evidence.
 */
import { encodeHex } from '../encoding/hex.ts';
import type { TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import type { Hash } from '../merkle/hash.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { parseNote } from '../note/note.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { convict } from '../verify/evidence.ts';
import { checkCheckpoint, type TrustPolicy } from '../verify/policy.ts';
import { parseHead } from '../verify/signed-head.ts';
import { pause } from '../http/outbound.ts';
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
  /** An evidence file (verify/evidence.ts), where the two contradict each other. */
  readonly evidence?: Uint8Array;
}

/** How often an older checkpoint than the last one is excused by caches. */
const STALE_TRIES = 4;

export class HeadKeeper {
  readonly #policy: TrustPolicy;
  readonly #verifier: SignatureVerifier;
  readonly #state: HeadState;
  readonly #tiles: VerifiedTiles;
  /** Heads are fetched and compared one after the other: one that overtook another is no log that went back. */
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

  /**
   * The checkpoint that `fetchNote` gets, as the log's newest. An older one than was trusted before
   * may come from a cache on the way, so it is asked for again a few times; a log that keeps it up
   * went back: throws `log-forked`.
   */
  newest(fetchNote: () => Promise<Uint8Array>, pauseMs: number): Promise<TrustedHead> {
    return this.#inTurn(async () => {
      for (let attempt = 1; ; attempt++) {
        const head = await this.#open(await fetchNote());
        const trusted = await this.#trusted();
        if (trusted === undefined || head.size >= trusted.size) return this.#accept(head, trusted);
        if (attempt === STALE_TRIES) throw forked(trusted, head, 'it went back');
        await pause(pauseMs);
      }
    });
  }

  /**
   * The checkpoint that `fetchNote` gets from a mirror. Mirrors come after the log: one that stands
   * behind what was trusted convicts nobody, and throws `network`.
   */
  mirrored(fetchNote: () => Promise<Uint8Array>, mirror: string): Promise<TrustedHead> {
    return this.#inTurn(async () => {
      const head = await this.#open(await fetchNote());
      const trusted = await this.#trusted();
      if (trusted !== undefined && head.size < trusted.size) {
        throw new DaybookError(
          'network',
          `the mirror ${mirror} has only ${head.size} entries, and ${trusted.size} were trusted before`,
        );
      }
      return this.#accept(head, trusted);
    });
  }

  /** A checkpoint that came with a proof and may be older; it must still belong to the same log. */
  async observed(note: Uint8Array): Promise<TrustedHead> {
    const head = await this.#open(note);
    return this.#inTurn(async () => this.#accept(head, await this.#trusted()));
  }

  #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #open(note: Uint8Array): Promise<TrustedHead> {
    const { checkpoint } = await checkCheckpoint(note, this.#policy, this.#verifier);
    return { ...checkpoint, note };
  }

  /** Throws unless `head` and what was trusted belong to one log; remembers the newer of the two. */
  async #accept(head: TrustedHead, trusted: TrustedHead | undefined): Promise<TrustedHead> {
    if (trusted === undefined) {
      await this.#state.save(head.note);
      return head;
    }
    if (trusted.origin !== head.origin) {
      throw forked(trusted, head, `it now calls itself ${head.origin}, before ${trusted.origin}`);
    }
    const [from, to] = head.size < trusted.size ? [head, trusted] : [trusted, head];
    const tiles = to === trusted ? this.#tiles : this.#tiles.separate();
    const evidence = await contradiction(from, to, tiles).catch((error: unknown) => {
      const withheld = error instanceof DaybookError && error.code === 'not-found';
      throw withheld ? unproven(trusted, head, error) : error;
    });
    if (evidence) {
      const alike = from.size === to.size;
      const what = alike ? 'two trees of one size' : 'the larger tree does not continue the other';
      throw forked(trusted, head, what, evidence);
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

/** Evidence that `to` does not continue `from`, by `tiles` of the later tree; undefined when it does. */
function contradiction(
  from: TrustedHead,
  to: TrustedHead,
  tiles: VerifiedTiles,
): Promise<Uint8Array | undefined> {
  const read = tileHashReader(to.size, (wanted) => tiles.read(to, wanted));
  return convict(parseHead(from.note), parseHead(to.note), read);
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

function forked(
  trusted: TrustedHead,
  offered: TrustedHead,
  problem: string,
  evidence?: Uint8Array,
): DaybookError {
  const notes = { trusted: trusted.note, offered: offered.note };
  const cause: ForkEvidence = { ...notes, ...(evidence && { evidence }) };
  return new DaybookError(
    'log-forked',
    `the log ${offered.origin} is not to be trusted: ${problem} (trusted before: ${shown(trusted)}; now: ${shown(offered)}). Keep both signed checkpoints as evidence`,
    { cause },
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
