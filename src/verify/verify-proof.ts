/**
 * The verdict on one artifact, offline: is it what one of these issuers released, and is that release
 * in the public log? Whoever sent the proof file controls every byte of it, so nothing in it is
 * looked at before what vouches for it was verified (C2SP tlog-proof, "Verifying a tlog proof").
 */
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError, type ErrorCode } from '../errors.ts';
import { rfc6962 } from '../merkle/hash.ts';
import { verifyInclusion } from '../merkle/inclusion.ts';
import { parseTlogProof, type TlogProof } from '../proof/tlog-proof.ts';
import type { Checkpoint } from '../note/checkpoint.ts';
import type { PublicKey, SignatureVerifier } from '../signature/port.ts';
import { webVerifier } from '../signature/web-verifier.ts';
import { parseEnvelope, preAuthEncoding, type Envelope } from '../statement/dsse.ts';
import { purlScope } from '../statement/purl.ts';
import { checkProduct, claimAbout, type ArtifactClaim } from './claim.ts';
import { checkCheckpoint, type TrustPolicy } from './policy.ts';

export interface VerifyRequest {
  /** SHA-256 of the artifact: 32 bytes, hashed by the caller from the bytes that it will use. */
  readonly artifact: { readonly sha256: Uint8Array };
  /** The `.tlog-proof` file. */
  readonly proof: Uint8Array;
  /** Which logs are trusted, and whose cosignatures are wanted. */
  readonly policy: TrustPolicy;
  /** Keys of the issuers whose statements count. */
  readonly issuers: readonly PublicKey[];
  /** The product that the artifact should be: a purl, or a scope such as `pkg:generic/acme/*`. */
  readonly purl?: string | undefined;
  readonly verifier?: SignatureVerifier | undefined;
}

/** In the order in which they are made; nothing is checked after the first failure. */
const checkNames = [
  'proof',
  'checkpoint',
  'quorum',
  'inclusion',
  'issuer',
  'artifact',
  'product',
] as const;
export type CheckName = (typeof checkNames)[number];

export interface Check {
  readonly check: CheckName;
  readonly ok: boolean;
  /** What was found, for a person to read. */
  readonly detail: string;
}

/** What the checks that passed have shown; a member is absent when its check was not reached. */
export interface Facts extends Partial<Omit<ArtifactClaim, 'purls'>> {
  readonly index?: number;
  readonly origin?: string;
  readonly size?: number;
  /** Witnesses whose cosignature verified; `time` in seconds since 1970. */
  readonly cosigners?: readonly { readonly name: string; readonly time: number }[];
  /** Lowercase hex. */
  readonly leafHash?: string;
  /** Fingerprint of the issuer's key that signed. */
  readonly issuer?: string;
  /** Products that the statement is about. */
  readonly purls?: readonly string[];
}

export interface Verdict {
  /** True only when every check was made and passed. */
  readonly ok: boolean;
  /** Why not: absent when `ok`. */
  readonly code?: ErrorCode;
  readonly checks: readonly Check[];
  readonly facts: Facts;
}

/**
 * Makes the checks in their order (`product` only when a `purl` is given). Never throws for what is
 * in the proof: throws `bad-usage` or `bad-statement` only for a request that could never succeed,
 * with a digest that has not 32 bytes, without issuers or with a malformed `purl`.
 */
export async function verifyProof(request: VerifyRequest): Promise<Verdict> {
  checkRequest(request);
  const checks: Check[] = [];
  const facts: Facts = {};
  const passed: Passed = (check, detail, found) => {
    checks.push({ check, ok: true, detail });
    Object.assign(facts, found);
  };
  try {
    await runChecks(request, passed);
    return { ok: true, checks, facts };
  } catch (error) {
    const check = checkNames[checks.length] as CheckName;
    const { code, message } = asRefusal(error, check);
    return { ok: false, code, checks: [...checks, { check, ok: false, detail: message }], facts };
  }
}

type Passed = (check: CheckName, detail: string, found?: Facts) => void;

/** Returns when every check passed; each failure throws. */
async function runChecks(request: VerifyRequest, passed: Passed): Promise<void> {
  const { policy, issuers, purl, verifier = webVerifier } = request;
  const proof = parseTlogProof(request.proof);
  passed('proof', `well-formed, for entry ${proof.index}`, { index: proof.index });

  const { origin, size, root } = await checkedCheckpoint(proof, policy, verifier, passed);

  const entry = proof.extra;
  if (entry === undefined) throw new DaybookError('bad-proof', 'the proof file holds no entry');
  const leafHash = rfc6962.leaf(entry);
  verifyInclusion({ index: proof.index, size, leafHash, proof: proof.hashes, root });
  const leafHex = encodeHex(leafHash);
  passed('inclusion', `entry ${proof.index} of the ${size} in ${origin}`, {
    leafHash: leafHex,
  });

  // Only from here on is the entry known to be in the log, and worth a look.
  const envelope = parseEnvelope(entry);
  const issuer = await signingIssuer(envelope, issuers, verifier);
  passed('issuer', `signed by ${issuer.fingerprint}`, { issuer: issuer.fingerprint });

  const claim = claimAbout(envelope, request.artifact.sha256);
  const { purls, ...claimed } = claim;
  const name = claim.name === undefined ? '' : ` "${claim.name}"`;
  passed('artifact', `the signed statement names it${name}`, {
    ...claimed,
    purls: purls.map(({ text }) => text),
  });

  if (purl !== undefined) {
    checkProduct(claim, purl);
    passed('product', `the statement is about ${purl}`);
  }
}

/** Log signature and quorum: two checks that one function makes. */
async function checkedCheckpoint(
  proof: TlogProof,
  policy: TrustPolicy,
  verifier: SignatureVerifier,
  passed: Passed,
): Promise<Checkpoint> {
  const checked = await checkCheckpoint(proof.checkpoint, policy, verifier).catch(
    (error: unknown) => {
      const signed = error instanceof DaybookError && error.code === 'quorum-missing';
      if (signed) passed('checkpoint', 'signed by a log of the policy');
      throw error;
    },
  );
  const { origin, size } = checked.checkpoint;
  passed('checkpoint', `signed by ${origin}, a log of the policy`, { origin, size });
  const cosigners = checked.cosignatures.map(({ name, timestamp }) => ({ name, time: timestamp }));
  const names = cosigners.map(({ name }) => name).join(', ') || 'nobody';
  const reached = checked.quorum === 'none' ? 'none is wanted' : `"${checked.quorum}" is reached`;
  passed('quorum', `${reached}: cosigned by ${names}`, { cosigners });
  return checked.checkpoint;
}

/** The issuer whose key verifies a signature of the envelope; throws `signature-invalid`. */
async function signingIssuer(
  envelope: Envelope,
  issuers: readonly PublicKey[],
  verifier: SignatureVerifier,
): Promise<PublicKey> {
  const message = preAuthEncoding(envelope.payloadType, envelope.payload);
  for (const { keyid, sig } of envelope.signatures) {
    // The hint decides which key is tried first, nothing else.
    const hinted = issuers.filter(({ fingerprint }) => fingerprint === keyid);
    for (const issuer of new Set([...hinted, ...issuers])) {
      if (await verifier.verify(issuer, message, sig)) return issuer;
    }
  }
  throw new DaybookError(
    'signature-invalid',
    `the entry is not signed by the expected issuer (${issuers.map(({ fingerprint }) => fingerprint).join(', ')})`,
  );
}

function checkRequest({ artifact, issuers, purl }: VerifyRequest): void {
  const length = artifact.sha256.length;
  if (length !== 32) {
    throw new DaybookError('bad-usage', `artifact.sha256 has ${length} bytes, want 32`);
  }
  if (issuers.length === 0) throw new DaybookError('bad-usage', 'want at least one issuer key');
  if (purl !== undefined) purlScope(purl);
}

/**
 * A signature that fails means another thing under a checkpoint than under an entry, and `bad-entry` is
 * a log's answer to a submitter; the other codes speak for themselves.
 */
function asRefusal(error: unknown, check: CheckName): DaybookError {
  if (!(error instanceof DaybookError)) {
    return new DaybookError('internal', `unexpected error: ${String(error)}`, { cause: error });
  }
  const { message } = error;
  if (check === 'checkpoint' && error.code === 'signature-invalid') {
    return new DaybookError('untrusted-checkpoint', message, { cause: error });
  }
  if (error.code === 'bad-entry')
    return new DaybookError('bad-statement', message, { cause: error });
  return error;
}
