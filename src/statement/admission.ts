/**
 * Who may log what, as a state that is computed from the log's own entries: entry 0 is the genesis
 * statement, and entry i is valid if and only if entries 0..i-1 admit it.
 */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8 } from '../encoding/bytes.ts';
import { decodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import type { PublicKey, SignatureAlgorithm, SignatureVerifier } from '../signature/port.ts';
import { type Envelope, parseEnvelope, preAuthEncoding } from './dsse.ts';
import {
  type AdmissionMode,
  genesisPredicateType,
  readGenesis,
  type Registrar,
} from './genesis.ts';
import { inTotoPayloadType, parseStatement, type Statement } from './in-toto.ts';
import { type IssuerChange, issuerPredicateType, readIssuerChange, type Role } from './issuer.ts';
import { provenancePredicateType, readProvenance } from './provenance.ts';
import { matchesScope, type Purl, type PurlScope } from './purl.ts';
import { readRelease, releasePredicateTypes } from './release.ts';

export type { AdmissionMode, Registrar } from './genesis.ts';

/** Keys tried for a signature whose keyid names none. */
const maxCandidates = 32;
/** Least and most bytes: a signature of another length costs no verification. */
const signatureLengths: Record<SignatureAlgorithm, readonly [number, number]> = {
  ed25519: [64, 64],
  'ecdsa-p256': [8, 72],
  'ecdsa-p384': [8, 104],
  'rsa-pss': [256, 1024],
  'ml-dsa-44': [2420, 2420],
};

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
 * Throws `entry-too-large`, `bad-entry`, `bad-statement`, `bad-key`, `not-admitted` or `signature-invalid`.
 */
export async function openGenesis(
  entry: Uint8Array,
  verifier: SignatureVerifier,
): Promise<AdmissionState> {
  const { envelope, statement } = parseEntry(entry);
  if (statement.predicateType !== genesisPredicateType) {
    throw new DaybookError(
      'bad-statement',
      `entry 0 is of type "${statement.predicateType}", want ${genesisPredicateType}`,
    );
  }
  const { origin, logKeys, admission, registrar } = readGenesis(statement);
  await verifyRegistrar(registrar, envelope, verifier);
  return { origin, logKeys, mode: admission, registrar, nextSequence: 1, issuers: new Map() };
}

/**
 * Is `entry` valid after the entries that made `state`? For logs in `issuers` mode; in an `open`
 * log every entry after the genesis is valid.
 * Throws `entry-too-large`, `bad-entry`, `bad-statement`, `bad-key`, `signature-invalid`,
 * `not-admitted` or `admission-conflict`, each with what to do.
 */
export async function examine(
  state: AdmissionState,
  entry: Uint8Array,
  verifier: SignatureVerifier,
  sha256: Sha256 = nobleSha256,
): Promise<Admitted> {
  const { envelope, statement } = parseEntry(entry);
  const claim =
    statement.predicateType === issuerPredicateType
      ? await examineChange(state, envelope, readIssuerChange(statement), verifier)
      : await examineStatement(state, envelope, statement, verifier);
  const signers = claim.kind === 'admission' ? claim.signers : [claim.signer];
  return {
    claim,
    dedupe: dedupeKey(envelope, signers, sha256),
    subjects: statement.subject.map((subject) => subject.sha256),
  };
}

/**
 * Is this verified claim allowed under `state`, which may have moved on since the claim was
 * examined? The same verdict as examining its entry anew, without the signature. Throws
 * `not-admitted` or `admission-conflict`.
 */
export function authorize(state: AdmissionState, claim: Claim): void {
  if (claim.kind === 'admission') return authorizeChange(state, claim.change);
  const issuer = candidates(state, claim).find(({ key }) => key.fingerprint === claim.signer);
  if (issuer === undefined) throw noIssuer(claim);
  const reason = whyNot(issuer, claim);
  if (reason !== undefined) throw new DaybookError('not-admitted', reason);
}

/** The state after an authorized claim; the same object for claims that change no admission. */
export function advance(state: AdmissionState, claim: Claim): AdmissionState {
  if (claim.kind !== 'admission') return state;
  const { action, name, key, roles, scopes } = claim.change;
  const before = state.issuers.get(key.fingerprint);
  const issuer =
    action === 'revoke' && before !== undefined
      ? { ...before, revoked: true }
      : { name, key, roles, scopes, revoked: false };
  const issuers = new Map(state.issuers).set(key.fingerprint, issuer);
  return { ...state, nextSequence: state.nextSequence + 1, issuers };
}

function parseEntry(entry: Uint8Array): { envelope: Envelope; statement: Statement } {
  if (entry.length > MAX_ENTRY_BYTES) {
    throw new DaybookError(
      'entry-too-large',
      `the entry has ${entry.length} bytes, at most ${MAX_ENTRY_BYTES} are allowed: log a manifest's digest instead, see docs/pipeline.md`,
    );
  }
  const envelope = parseEnvelope(entry);
  if (envelope.payloadType !== inTotoPayloadType) {
    throw new DaybookError(
      'bad-entry',
      `payloadType is "${envelope.payloadType}", want ${inTotoPayloadType}`,
    );
  }
  return { envelope, statement: parseStatement(envelope.payload) };
}

/** The part of an issuer's claim that is known before its signature is verified. */
type Wanted = Omit<IssuerClaim, 'signer'>;

async function examineStatement(
  state: AdmissionState,
  envelope: Envelope,
  statement: Statement,
  verifier: SignatureVerifier,
): Promise<IssuerClaim> {
  const [signature, ...others] = envelope.signatures;
  if (signature === undefined || others.length > 0) {
    throw new DaybookError(
      'bad-entry',
      `the envelope has ${envelope.signatures.length} signatures, want exactly one: submit an envelope for each signer`,
    );
  }
  const { keyid, sig } = signature;
  const wanted: Wanted = { ...readWanted(statement), keyid, signatureLength: sig.length };
  const tried = candidates(state, wanted);
  const message = preAuthEncoding(envelope.payloadType, envelope.payload);
  for (const issuer of tried) {
    // Cheaper than a signature, so it comes first.
    const reason = whyNot(issuer, wanted);
    if (reason !== undefined) throw new DaybookError('not-admitted', reason);
    if (await verifier.verify(issuer.key, message, sig)) {
      return { ...wanted, signer: issuer.key.fingerprint };
    }
  }
  const [hinted] = tried;
  if (hinted?.key.fingerprint !== keyid) throw noIssuer(wanted, tried);
  throw new DaybookError(
    'signature-invalid',
    `the signature does not verify under the key of issuer ${hinted.name} that keyid ${keyid} names`,
  );
}

function readWanted(statement: Statement): Pick<Wanted, 'kind' | 'roles' | 'purls'> {
  const { predicateType } = statement;
  if ((releasePredicateTypes as readonly string[]).includes(predicateType)) {
    return { kind: 'release', roles: ['release'], purls: [readRelease(statement).purl] };
  }
  if (predicateType === provenancePredicateType) {
    const { purls } = readProvenance(statement);
    return { kind: 'provenance', roles: ['provenance', 'rebuild'], purls };
  }
  if (predicateType === genesisPredicateType) {
    throw new DaybookError('not-admitted', 'a genesis statement is valid as entry 0 only');
  }
  throw new DaybookError(
    'bad-statement',
    `predicateType "${predicateType.slice(0, 120)}" is not one that this log takes: ` +
      [...releasePredicateTypes, provenancePredicateType, issuerPredicateType].join(', '),
  );
}

/**
 * The issuers whose key is tried, in the order of admission: the one that keyid names, otherwise
 * those who may make the claim at all. It depends on nothing but the state and what was sent, so
 * that a replay tries the same keys.
 */
function candidates(state: AdmissionState, wanted: Wanted): readonly Issuer[] {
  const hinted = state.issuers.get(wanted.keyid);
  if (hinted !== undefined) return [hinted];
  const fitting: Issuer[] = [];
  for (const issuer of state.issuers.values()) {
    if (!couldSign(issuer.key, wanted.signatureLength)) continue;
    if (whyNot(issuer, wanted) === undefined) fitting.push(issuer);
    if (fitting.length === maxCandidates) break;
  }
  return fitting;
}

function couldSign({ algorithm }: PublicKey, signatureLength: number): boolean {
  const [least, most] = signatureLengths[algorithm];
  return signatureLength >= least && signatureLength <= most;
}

/** The reason why `issuer` may not make this claim, if there is one. */
function whyNot(issuer: Issuer, { kind, roles, purls }: Wanted): string | undefined {
  if (issuer.revoked) {
    return `issuer ${issuer.name} (key ${issuer.key.fingerprint}) was revoked; admit a new key`;
  }
  if (!roles.some((role) => issuer.roles.includes(role))) {
    return `issuer ${issuer.name} has the roles ${issuer.roles.join(', ')}, but a ${kind} statement needs ${roles.join(' or ')}; the registrar can change its roles`;
  }
  const outside = purls.find((purl) => !issuer.scopes.some((scope) => matchesScope(scope, purl)));
  if (outside === undefined) return undefined;
  return `issuer ${issuer.name} may not speak for ${outside.text}: its scopes are ${listed(issuer.scopes)}; the registrar can change them`;
}

function noIssuer({ kind, keyid, purls }: Wanted, tried: readonly Issuer[] = []): DaybookError {
  const product = purls.length > 0 ? ` of ${listed(purls)}` : '';
  const names = tried.map(({ name, key }) => `${name} (${key.fingerprint.slice(0, 16)}…)`);
  return new DaybookError(
    'not-admitted',
    `keyid "${keyid}" is no issuer's, and ` +
      (names.length > 0
        ? `the signature verifies under none of the keys that may sign a ${kind} statement${product}: ${names.join(', ')}`
        : `no issuer with such a key may sign a ${kind} statement${product}`) +
      '; the registrar admits keys with: daybook issuer add',
  );
}

function listed(purls: readonly Purl[]): string {
  const shown = purls.slice(0, 8).map(({ text }) => text);
  return shown.join(', ') + (purls.length > 8 ? ` and ${purls.length - 8} more` : '');
}

async function examineChange(
  state: AdmissionState,
  envelope: Envelope,
  change: IssuerChange,
  verifier: SignatureVerifier,
): Promise<AdmissionClaim> {
  authorizeChange(state, change);
  const signers = await verifyRegistrar(state.registrar, envelope, verifier);
  return { kind: 'admission', signers, change };
}

function authorizeChange(state: AdmissionState, change: IssuerChange): void {
  const { origin, sequence, action, key } = change;
  if (origin !== state.origin) {
    throw new DaybookError(
      'not-admitted',
      `the statement is for the log ${origin}, this is ${state.origin}`,
    );
  }
  if (sequence !== state.nextSequence) {
    throw new DaybookError(
      'admission-conflict',
      `the admission entry has sequence ${sequence}, the next one is ${state.nextSequence}: sign it anew with that`,
    );
  }
  const issuer = state.issuers.get(key.fingerprint);
  if (issuer?.revoked === true) {
    throw new DaybookError(
      'not-admitted',
      `the key ${key.fingerprint} was revoked and never comes back; admit a new one`,
    );
  }
  if ((issuer !== undefined) === (action === 'admit')) {
    throw new DaybookError(
      'not-admitted',
      issuer === undefined
        ? `the key ${key.fingerprint} is no issuer's, so there is nothing to ${action}; admit it first`
        : `the key ${key.fingerprint} is issuer ${issuer.name} already; use the action change`,
    );
  }
}

/**
 * Exactly the registrar's threshold of signatures, each naming its key, all keys distinct. Answers
 * their fingerprints, sorted.
 */
async function verifyRegistrar(
  { threshold, keys }: Registrar,
  { payloadType, payload, signatures }: Envelope,
  verifier: SignatureVerifier,
): Promise<string[]> {
  const signers = new Set(signatures.map(({ keyid }) => keyid));
  if (signatures.length !== threshold || signers.size !== threshold) {
    throw new DaybookError(
      'not-admitted',
      `${signatures.length} signatures by ${signers.size} keys, want those of exactly ${threshold} registrar keys`,
    );
  }
  const message = preAuthEncoding(payloadType, payload);
  for (const { keyid, sig } of signatures) {
    const key = keys.find(({ fingerprint }) => fingerprint === keyid);
    if (key === undefined) {
      throw new DaybookError(
        'not-admitted',
        `keyid "${keyid}" is no registrar key's fingerprint; the registrar's are ${keys.map(({ fingerprint }) => fingerprint).join(', ')}`,
      );
    }
    if (!(await verifier.verify(key, message, sig))) {
      throw new DaybookError(
        'signature-invalid',
        `the signature of registrar key ${keyid} does not verify`,
      );
    }
  }
  return [...signers].sort();
}

function dedupeKey(
  { payloadType, payload }: Envelope,
  signers: readonly string[],
  sha256: Sha256,
): Uint8Array {
  const parts = [utf8(payloadType), sha256(payload), ...signers.map(decodeHex)];
  return sha256(concatBytes(...parts.flatMap((part) => [uint32(part.length), part])));
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}
