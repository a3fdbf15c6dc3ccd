/**
 * Who may log what, as a state that is computed from the log's own entries: entry 0 is the genesis
 * statement, and entry i is valid if and only if entries 0..i-1 admit it.
 */
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js';
import { concatBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { type Assertion, candidates, type Issuers, noIssuer, whyNot } from './authority.ts';
import { type EnvelopeSignature, parseEnvelope, preAuthEncoding } from './dsse.ts';
import {
  type AdmissionMode,
  genesisPredicateType,
  readGenesis,
  type Registrar,
} from './genesis.ts';
import { inTotoPayloadType, parseStatement, type Statement } from './in-toto.ts';
import { type IssuerChange, issuerPredicateType, readIssuerChange } from './issuer.ts';
import { channelPredicateType, channelPurl, readChannel } from './channel.ts';
import { lookupDigests } from './lookup-digests.ts';
import { provenancePredicateType, readProvenance } from './provenance.ts';
import { verifyRegistrar } from './registrar.ts';
import { readRelease, releasePredicateTypes } from './release.ts';
import { readSourceCommitment, sourcePredicateType } from './source-commitment.ts';
import {
  readVerificationSummary,
  verificationSummaryPredicateType,
} from './verification-summary.ts';
import { readWithdrawal, withdrawalPredicateType } from './withdrawal.ts';

export type { AdmissionMode, Registrar } from './genesis.ts';

/** Immutable: `advance` makes a new one. */
export interface AdmissionState {
  readonly origin: string;
  /** vkeys, as the genesis statement has them. */
  readonly logKeys: readonly string[];
  readonly mode: AdmissionMode;
  readonly registrar: Registrar;
  /** The sequence that the next admission entry must carry; 1 right after genesis. */
  readonly nextSequence: number;
  readonly issuers: Issuers;
}

/** An assertion whose signature verified. */
export interface IssuerClaim extends Assertion {
  /** Fingerprint of the issuer's key. */
  readonly signer: string;
}

/** A change to the issuers that carries the registrar's threshold of verified signatures. */
export interface AdmissionClaim {
  readonly kind: 'admission';
  /** Fingerprints of the registrar keys that verified, sorted. */
  readonly signers: readonly string[];
  readonly change: IssuerChange;
}

export type Claim = IssuerClaim | AdmissionClaim;

/** What an entry says, and who says it. */
export interface Examined {
  readonly statement: Statement;
  readonly claim: Claim;
}

export interface Admitted extends Examined {
  /**
   * SHA-256(SHA-256(pre-authentication encoding) || hex fingerprint of each signing key, sorted):
   * equal for the same statement signed again by the same keys, however its envelope is written.
   */
  readonly dedupe: Uint8Array;
  /** SHA-256 digests of what it is found under, 32 bytes each: its subjects, and what a rebuild was compared with. */
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
  const { signatures, message, statement } = parseEntry(entry);
  if (statement.predicateType !== genesisPredicateType) {
    throw new DaybookError(
      'bad-statement',
      `entry 0 is of type "${statement.predicateType}", want ${genesisPredicateType}`,
    );
  }
  const { origin, logKeys, admission, registrar } = readGenesis(statement);
  await verifyRegistrar(registrar, message, signatures, verifier);
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
  const signed = parseEntry(entry);
  const examined = await examineSigned(state, signed, verifier);
  const { statement, claim } = examined;
  const signers = claim.kind === 'admission' ? claim.signers : [claim.signer];
  return {
    ...examined,
    dedupe: sha256(concatBytes(sha256(signed.message), ...signers.map(utf8))),
    subjects: lookupDigests(statement),
  };
}

/** The same verdict, for who keeps no index of what was logged. */
export async function audit(
  state: AdmissionState,
  entry: Uint8Array,
  verifier: SignatureVerifier,
): Promise<Examined> {
  return examineSigned(state, parseEntry(entry), verifier);
}

async function examineSigned(
  state: AdmissionState,
  signed: Signed,
  verifier: SignatureVerifier,
): Promise<Examined> {
  const { statement } = signed;
  const claim =
    statement.predicateType === issuerPredicateType
      ? await examineChange(state, signed, verifier)
      : await examineStatement(state, signed, verifier);
  return { statement, claim };
}

/**
 * Is this verified claim allowed under `state`, which may have moved on since the claim was
 * examined? The same verdict as examining its entry anew, without the signature. Throws
 * `not-admitted` or `admission-conflict`.
 */
export function authorize(state: AdmissionState, claim: Claim): void {
  if (claim.kind === 'admission') return authorizeChange(state, claim.change);
  const issuer = candidates(state.issuers, claim).find(
    ({ key }) => key.fingerprint === claim.signer,
  );
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

interface Signed {
  readonly statement: Statement;
  /** What the signatures are over. */
  readonly message: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

function parseEntry(entry: Uint8Array): Signed {
  if (entry.length > MAX_ENTRY_BYTES) {
    throw new DaybookError(
      'entry-too-large',
      `the entry has ${entry.length} bytes, at most ${MAX_ENTRY_BYTES} are allowed: log a manifest's digest instead, see docs/pipeline.md`,
    );
  }
  const { payloadType, payload, signatures } = parseEnvelope(entry);
  if (payloadType !== inTotoPayloadType) {
    throw new DaybookError(
      'bad-entry',
      `payloadType is "${payloadType}", want ${inTotoPayloadType}`,
    );
  }
  const message = preAuthEncoding(payloadType, payload);
  return { statement: parseStatement(payload), message, signatures };
}

async function examineStatement(
  state: AdmissionState,
  { statement, message, signatures }: Signed,
  verifier: SignatureVerifier,
): Promise<IssuerClaim> {
  const [signature, ...others] = signatures;
  if (signature === undefined || others.length > 0) {
    throw new DaybookError(
      'bad-entry',
      `the envelope has ${signatures.length} signatures, want exactly one: submit an envelope for each signer`,
    );
  }
  const { keyid, sig } = signature;
  const assertion: Assertion = {
    ...readAssertion(statement, state.origin),
    keyid,
    signatureLength: sig.length,
  };
  const tried = candidates(state.issuers, assertion);
  for (const issuer of tried) {
    // Cheaper than a signature, so it comes first.
    const reason = whyNot(issuer, assertion);
    if (reason !== undefined) throw new DaybookError('not-admitted', reason);
    if (await verifier.verify(issuer.key, message, sig)) {
      return { ...assertion, signer: issuer.key.fingerprint };
    }
  }
  const [hinted] = tried;
  if (hinted?.key.fingerprint !== keyid) throw noIssuer(assertion, tried);
  throw new DaybookError(
    'signature-invalid',
    `the signature does not verify under the key of issuer ${hinted.name} that keyid ${keyid} names`,
  );
}

type Asserted = Pick<Assertion, 'kind' | 'roles' | 'purls' | 'channel'>;

/** What each kind of statement asserts, and the roles of which its issuer needs one. */
const assertions: Readonly<Record<string, (statement: Statement, origin: string) => Asserted>> = {
  ...Object.fromEntries(releasePredicateTypes.map((type) => [type, assertRelease])),
  [provenancePredicateType]: (statement) => {
    const { purls } = readProvenance(statement);
    return { kind: 'provenance', roles: ['provenance', 'rebuild'], purls };
  },
  [verificationSummaryPredicateType]: (statement) => {
    const { purls } = readVerificationSummary(statement);
    return { kind: 'verification summary', roles: ['approve'], purls };
  },
  [channelPredicateType]: assertChannel,
  [withdrawalPredicateType]: (statement) => {
    const { purl } = readWithdrawal(statement);
    return { kind: 'withdrawal', roles: ['withdraw'], purls: [purl] };
  },
  [sourcePredicateType]: (statement) => {
    const { purl } = readSourceCommitment(statement);
    const purls = purl === undefined ? [] : [purl];
    return { kind: 'source commitment', roles: ['provenance'], purls };
  },
};

function assertRelease(statement: Statement): Asserted {
  return { kind: 'release', roles: ['release'], purls: [readRelease(statement).purl] };
}

function assertChannel(statement: Statement, origin: string): Asserted {
  const { channel: name, sequence, previous, ...state } = readChannel(statement);
  if (state.origin !== origin) {
    throw new DaybookError(
      'not-admitted',
      `the channel statement is for the log ${state.origin}, this is ${origin}`,
    );
  }
  const channel = { name, sequence, previous };
  return { kind: 'channel', roles: ['channel'], purls: [channelPurl(name)], channel };
}

function readAssertion(statement: Statement, origin: string): Asserted {
  const { predicateType } = statement;
  if (Object.hasOwn(assertions, predicateType)) {
    return (assertions[predicateType] as (typeof assertions)[string])(statement, origin);
  }
  if (predicateType === genesisPredicateType) {
    throw new DaybookError('not-admitted', 'a genesis statement is valid as entry 0 only');
  }
  throw new DaybookError(
    'bad-statement',
    `predicateType "${predicateType.slice(0, 120)}" is not one that this log takes: ` +
      [...Object.keys(assertions), issuerPredicateType].join(', '),
  );
}

async function examineChange(
  state: AdmissionState,
  { statement, message, signatures }: Signed,
  verifier: SignatureVerifier,
): Promise<AdmissionClaim> {
  const change = readIssuerChange(statement);
  authorizeChange(state, change);
  const signers = await verifyRegistrar(state.registrar, message, signatures, verifier);
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
