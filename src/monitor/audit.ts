/**
 * Replays what a log should have admitted: each entry against the state that the entries before it
 * made. Signatures are verified many at a time, under the state of that moment; claims are judged in
 * order, again where the state has moved on since.
 *
 *     admission/<origin hash>/<number>       the genesis (0) and each admission entry after it
 *     channel/<origin hash>/<place>          index of the statement at a place in a channel
 */
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { leafIndex, parseDecimal, type LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { channelPlace } from '../log/channels.ts';
import {
  advance,
  audit,
  authorize,
  openGenesis,
  type AdmissionState,
  type Examined,
} from '../statement/admission.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { checkChannelLink, type ChannelLink } from '../statement/channel.ts';
import type { Records } from './change.ts';
import type { AuditedEntry, Draft } from './draft.ts';

/** An entry whose signature was looked at. */
export interface Judged {
  readonly index: LeafIndex;
  readonly entry: Uint8Array;
  /** What it was judged under. */
  readonly state: AdmissionState | undefined;
  /** Undefined when there was no state to judge it under, and in `open` mode. */
  readonly outcome: Examined | DaybookError | undefined;
}

export interface LogName {
  readonly origin: string;
  /** Of the origin. */
  readonly hash: string;
}

export class Audit {
  readonly #origin: string;
  readonly #hash: string;
  readonly #verifier: SignatureVerifier;
  /** Undefined before the genesis, and for good where entry 0 is none: then entries are only hashed. */
  #state: AdmissionState | undefined;

  private constructor(
    { origin, hash }: LogName,
    verifier: SignatureVerifier,
    state: AdmissionState | undefined,
  ) {
    this.#origin = origin;
    this.#hash = hash;
    this.#verifier = verifier;
    this.#state = state;
  }

  /** As of what is committed. Throws `store-corrupt` when the kept admission entries do not follow each other. */
  static async load(records: Records, name: LogName, verifier: SignatureVerifier): Promise<Audit> {
    const { origin, hash } = name;
    let state: AdmissionState | undefined;
    let number = 0;
    for await (const [key, entry] of records.list(`admission/${hash}/`)) {
      try {
        if (key !== admissionKey(hash, number)) throw new Error(`entry ${number} is missing`);
        state = state
          ? advance(state, (await audit(state, entry, verifier)).claim)
          : await openGenesis(entry, verifier);
      } catch (cause) {
        throw new DaybookError(
          'store-corrupt',
          `the admission entries kept of ${origin} are damaged at ${key}: ${(cause as Error).message}`,
          { cause },
        );
      }
      number += 1;
    }
    return new Audit(name, verifier, state);
  }

  /** May run for many entries at once, also before earlier ones are `accept`ed. */
  async judge(index: LeafIndex, entry: Uint8Array): Promise<Judged> {
    const state = this.#state;
    const judged = state?.mode === 'issuers' ? await this.#examine(state, entry) : undefined;
    return { index, entry, state, outcome: judged };
  }

  /**
   * What is to be said of an entry: to be called for each entry once, in order. An entry that should
   * not be there changes no admission, and no channel.
   */
  async accept(judged: Judged, draft: Draft): Promise<AuditedEntry> {
    const { index, entry } = judged;
    const seen = { origin: this.#origin, index, entry };
    if (index === 0) {
      const problem = await this.#begin(entry, draft);
      return { ...seen, ...(problem && { problem }) };
    }
    if (this.#state === undefined || this.#state.mode === 'open') return seen;
    const outcome = await this.#outcome(judged, this.#state);
    if (outcome instanceof DaybookError) return { ...seen, problem: outcome };
    const { claim } = outcome;
    try {
      if (claim.kind !== 'admission' && claim.channel) this.#link(claim.channel, index, draft);
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      return { ...seen, problem: error };
    }
    if (claim.kind === 'admission') {
      draft.put(admissionKey(this.#hash, claim.change.sequence), entry);
      this.#state = advance(this.#state, claim);
    }
    return { ...seen, ...outcome };
  }

  async #begin(entry: Uint8Array, draft: Draft): Promise<DaybookError | undefined> {
    try {
      const state = await openGenesis(entry, this.#verifier);
      if (state.origin !== this.#origin) {
        return new DaybookError(
          'not-admitted',
          `the genesis is of the log ${state.origin}, the checkpoints are of ${this.#origin}`,
        );
      }
      draft.put(admissionKey(this.#hash, 0), entry);
      this.#state = state;
      return undefined;
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      return error;
    }
  }

  /** The verdict under `state`, by what was found before where that is still good. */
  async #outcome(judged: Judged, state: AdmissionState): Promise<Examined | DaybookError> {
    const { entry, outcome } = judged;
    if (judged.state === state && outcome !== undefined) return outcome;
    if (outcome === undefined || outcome instanceof DaybookError)
      return this.#examine(state, entry);
    try {
      authorize(state, outcome.claim);
      return outcome;
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      // The signature may be by another key, which was admitted since.
      return this.#examine(state, entry);
    }
  }

  async #examine(state: AdmissionState, entry: Uint8Array): Promise<Examined | DaybookError> {
    try {
      return await audit(state, entry, this.#verifier);
    } catch (error) {
      if (error instanceof DaybookError) return error;
      throw error;
    }
  }

  #link(link: ChannelLink, index: LeafIndex, draft: Draft): void {
    const key = (name: string, sequence: number): string =>
      `channel/${this.#hash}/${encodeHex(channelPlace(name, sequence))}`;
    checkChannelLink(link, (name, sequence) => {
      const value = draft.get(key(name, sequence));
      return value && leafIndex(parseDecimal(decodeUtf8(value)));
    });
    draft.put(key(link.name, link.sequence), utf8(String(index)));
  }
}

function admissionKey(hash: string, number: number): string {
  return `admission/${hash}/${String(number).padStart(10, '0')}`;
}
