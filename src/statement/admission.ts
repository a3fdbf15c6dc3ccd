/**
 * Who may log what, as a state that is computed from the log's own entries: entry 0 is the genesis
 * statement, and entry i is valid if and only if entries 0..i-1 admit it.
 */
import { DaybookError } from '../errors.ts';
import type { PublicKey, SignatureVerifier } from '../signature/port.ts';
import type { AdmissionMode, Registrar } from './genesis.ts';
import type { IssuerChange, Role } from './issuer.ts';
import type { Purl, PurlScope } from './purl.ts';

export interface Issuer {
  readonly name: string;
  readonly key: PublicKey;
  readonly roles: readonly Role[];
  readonly scopes: readonly PurlScope[];
  /** A revoked key stays known, so that a refusal can say so, and never comes back. */
  readonly revoked: boolean;
}

/** Immutable: `advance` makes a new one. */
export interface AdmissionState {
  readonly origin: string;
  /** vkeys, as the genesis statement has them. */
  readonly logKeys: readonly string[];
  readonly mode: AdmissionMode;
  readonly registrar: Registrar;
  /** The sequence that the next admission entry must carry; 1 right after genesis. */
  readonly nextSequence: number;
  /** By fingerprint of the key, in the order of admission. */
  readonly issuers: ReadonlyMap<string, Issuer>;
}

/** A verified signature of one issuer under a release or provenance statement. */
export interface IssuerClaim {
  readonly kind: 'release' | 'provenance';
  /** Fingerprint of the key that verified. */
  readonly signer: string;
  /** The envelope's unauthenticated hint; it decides which keys are tried. */
  readonly keyid: string;
  readonly signatureLength: number;
  /** Any one of them is enough. */
  readonly roles: readonly Role[];
  /** All of them must be in the signer's scopes. */
  readonly purls: readonly Purl[];
}

/** A change to the issuers that carries the registrar's threshold of verified signatures. */
export interface AdmissionClaim {
  readonly kind: 'admission';
  /** Fingerprints of the registrar keys that verified, sorted. */
  readonly signers: readonly string[];
  readonly change: IssuerChange;
}

export type Claim = IssuerClaim | AdmissionClaim;

export interface Admitted {
  readonly claim: Claim;
  /** SHA-256 over payload type, payload digest and key fingerprint(s): equal for a statement signed again. */
  readonly dedupe: Uint8Array;
  /** SHA-256 digests of the statement's subjects, 32 bytes each. */
  readonly subjects: readonly Uint8Array[];
}

/** SHA-256 of some bytes; the server passes Node's, the browser noble's. */
export type Sha256 = (data: Uint8Array) => Uint8Array;

/**
 * Reads entry 0 and verifies it under the registrar keys that it names itself.
 * Throws `bad-entry`, `bad-statement`, `bad-key` or `signature-invalid`.
 */
export async function openGenesis(
  entry: Uint8Array,
  verifier: SignatureVerifier,
): Promise<AdmissionState> {
  await verifier.verify({} as PublicKey, entry, entry);
  throw new DaybookError('internal', 'not there yet');
}

/**
 * Is `entry` valid after the entries that made `state`? For logs in `issuers` mode.
 * Throws `entry-too-large`, `bad-entry`, `bad-statement`, `signature-invalid`, `not-admitted` or
 * `admission-conflict`, each with what to do.
 */
export async function examine(
  state: AdmissionState,
  entry: Uint8Array,
  verifier: SignatureVerifier,
  sha256?: Sha256,
): Promise<Admitted> {
  await verifier.verify({} as PublicKey, entry, entry);
  throw new DaybookError('internal', `not there yet ${state.origin} ${typeof sha256}`);
}

/**
 * Is this verified claim allowed under `state`, which may have moved on since the claim was
 * examined? Synchronous and cheap. Throws `not-admitted` or `admission-conflict`.
 */
export function authorize(state: AdmissionState, claim: Claim): void {
  throw new DaybookError('internal', `not there yet ${state.origin} ${claim.kind}`);
}

/** The state after an authorized claim; the same object for claims that change no admission. */
export function advance(state: AdmissionState, claim: Claim): AdmissionState {
  throw new DaybookError('internal', `not there yet ${state.origin} ${claim.kind}`);
}
