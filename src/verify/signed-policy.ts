/**
 * Signed release policies: a DSSE envelope over the JSON of release-policy.ts, signed by root keys.
 * A client walks from the version that it has to the newest, as TUF 5.3 does with its root:
 *
 *     {"payloadType":"application/vnd.daybook.policy+json","payload":"eyJ2…","signatures":[{"keyid":"8a6c…","sig":"mXk…"}]}
 */
import { parseStrictJson } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { parseEnvelope, preAuthEncoding, type Envelope } from '../statement/dsse.ts';
import { parseReleasePolicy, type ReleasePolicy, type Threshold } from './release-policy.ts';

export const policyPayloadType = 'application/vnd.daybook.policy+json';
/** Room for hundreds of witnesses with ML-DSA-44 keys, in base64. */
export const MAX_POLICY_DOCUMENT_BYTES = 2 * 1024 * 1024;

/** Whether it is meant as an envelope; what is neither that nor a policy is refused when it is read. */
export function isSignedPolicy(bytes: Uint8Array): boolean {
  try {
    const json = parseStrictJson(bytes, { maxDepth: 16 });
    return typeof json === 'object' && json !== null && 'payloadType' in json;
  } catch {
    return false;
  }
}

/** The envelope of a signed policy, before any signature is verified. Throws `bad-policy`. */
export function parsePolicyEnvelope(bytes: Uint8Array): Envelope {
  checkSize(bytes);
  let envelope: Envelope;
  try {
    envelope = parseEnvelope(bytes);
  } catch (cause) {
    if (!(cause instanceof DaybookError)) throw cause;
    throw new DaybookError('bad-policy', `signed policy refused: ${cause.message}`, { cause });
  }
  if (envelope.payloadType === policyPayloadType) return envelope;
  throw new DaybookError(
    'bad-policy',
    `signed policy refused: payloadType is "${envelope.payloadType.slice(0, 80)}", want "${policyPayloadType}"`,
  );
}

/** Throws `policy-unsigned` unless a threshold of `root` signed it, else as parseReleasePolicy does. */
export async function openSignedPolicy(
  bytes: Uint8Array,
  root: Threshold,
  verifier: SignatureVerifier,
): Promise<ReleasePolicy> {
  const envelope = parsePolicyEnvelope(bytes);
  await checkSigned(envelope, root, 'the root keys', verifier);
  return parseReleasePolicy(envelope.payload);
}

/**
 * A policy as a client keeps it: plain JSON, or signed by a threshold of its own root. Whether that
 * root is the right one, only whoever put the document there knows. Throws `bad-policy` and
 * `policy-unsigned`.
 */
export async function readPolicyDocument(
  bytes: Uint8Array,
  verifier: SignatureVerifier,
): Promise<ReleasePolicy> {
  if (isSignedPolicy(bytes)) return openByOwnRoot(parsePolicyEnvelope(bytes), verifier);
  checkSize(bytes);
  return parseReleasePolicy(bytes);
}

/**
 * The last of `next`, in the order of versions: each has the version after the one before, and is
 * signed by a threshold of that one's root and by a threshold of its own, so that neither a few old
 * keys can move the policy, nor the new ones be keys that nobody holds. Throws `policy-rollback`
 * (another version than the next), `policy-unsigned`, `bad-policy`.
 */
export async function walkPolicies(
  current: ReleasePolicy,
  next: readonly Uint8Array[],
  verifier: SignatureVerifier,
): Promise<ReleasePolicy> {
  let policy = current;
  for (const bytes of next) policy = await step(policy, bytes, verifier);
  return policy;
}

async function step(
  current: ReleasePolicy,
  bytes: Uint8Array,
  verifier: SignatureVerifier,
): Promise<ReleasePolicy> {
  const { root, version } = current;
  if (root === undefined) {
    throw new DaybookError(
      'policy-unsigned',
      `policy version ${version} names no root keys, so no update of it can be believed: replace it by hand`,
    );
  }
  const envelope = parsePolicyEnvelope(bytes);
  await checkSigned(envelope, root, `the root of version ${version}`, verifier);
  const next = await openByOwnRoot(envelope, verifier);
  if (next.version === version + 1) return next;
  throw new DaybookError(
    'policy-rollback',
    `policy has version ${next.version}, want ${version + 1}: each version is taken in its turn`,
  );
}

async function openByOwnRoot(
  envelope: Envelope,
  verifier: SignatureVerifier,
): Promise<ReleasePolicy> {
  const policy = parseReleasePolicy(envelope.payload);
  const { root, version } = policy;
  if (root === undefined) {
    throw new DaybookError(
      'bad-policy',
      `signed policy refused: version ${version} names no root keys; add "root"`,
    );
  }
  await checkSigned(envelope, root, `the root of version ${version} itself`, verifier);
  return policy;
}

async function checkSigned(
  envelope: Envelope,
  root: Threshold,
  whose: string,
  verifier: SignatureVerifier,
): Promise<void> {
  const signers = await policySigners(envelope, root, verifier);
  if (signers.length >= root.threshold) return;
  throw new DaybookError(
    'policy-unsigned',
    `policy is signed by ${signers.join(', ') || 'none'} of ${whose}, want ${root.threshold} of ${root.keys.map(({ name }) => name).join(', ')}`,
  );
}

/** Names of the root keys of which a signature verifies. */
export async function policySigners(
  { payloadType, payload, signatures }: Envelope,
  root: Threshold,
  verifier: SignatureVerifier,
): Promise<string[]> {
  const message = preAuthEncoding(payloadType, payload);
  const signers: string[] = [];
  for (const { name, key } of root.keys) {
    for (const { keyid, sig } of signatures) {
      // The hint saves work only: a signature that has a wrong one does not count.
      if (keyid !== '' && keyid !== key.fingerprint) continue;
      if (!(await verifier.verify(key, message, sig))) continue;
      signers.push(name);
      break;
    }
  }
  return signers;
}

function checkSize({ length }: Uint8Array): void {
  if (length <= MAX_POLICY_DOCUMENT_BYTES) return;
  throw new DaybookError(
    'bad-policy',
    `policy has ${length} bytes, want at most ${MAX_POLICY_DOCUMENT_BYTES}`,
  );
}
