/**
 * What a release or channel file shows once it was verified: a tree that is trusted, and the entries
 * that are in it, each by the key of the policy that signed it. Whoever sent the file controls every
 * byte: nothing is looked at before what vouches for it was verified.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { rfc6962, type Hash, type TreeHasher } from '../merkle/hash.ts';
import { verifyMultiInclusion } from '../merkle/multi-inclusion.ts';
import { asReleaseFile, parseProofFile } from '../proof/as-release-file.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { parseEnvelope, preAuthEncoding } from '../statement/dsse.ts';
import { inTotoPayloadType, parseStatement, type Statement } from '../statement/in-toto.ts';
import { checkCheckpoint, type TrustPolicy } from './policy.ts';
import { quorumTime } from './quorum-time.ts';
import type { PolicyKey } from './release-policy.ts';

export interface ShownTree {
  readonly origin: string;
  readonly size: number;
  readonly root: Hash;
  /** Seconds since 1970; undefined where the policy wants no quorum. */
  readonly quorumTime: number | undefined;
  /** The policy's names for the witnesses that cosigned it. */
  readonly cosigners: readonly string[];
}

export interface ShownEntry {
  readonly index: number;
  readonly entry: Uint8Array;
  /** Lowercase hex. */
  readonly leafHash: string;
}

export interface ShownFile {
  readonly tree: ShownTree;
  readonly entries: readonly ShownEntry[];
  /** Channel files that it carries, unverified. */
  readonly channels: readonly Uint8Array[];
}

/** A statement that is in the log, and that a key of the policy signed. */
export interface SignedStatement {
  readonly index: number;
  readonly leafHash: string;
  readonly key: PolicyKey;
  readonly statement: Statement;
}

/** Each step of `showFile`, told as it passed. */
export type StepPassed = (
  step: 'proof' | 'checkpoint' | 'quorum' | 'inclusion',
  detail: string,
) => void;

export interface ShowOptions {
  readonly hasher?: TreeHasher | undefined;
  readonly passed?: StepPassed | undefined;
}

/**
 * Opens a `.release`, channel or `.tlog-proof` file. `now` in seconds since 1970, for the quorum time.
 * Throws `bad-proof`, `untrusted-checkpoint`, `quorum-missing`, `inclusion-invalid`, and what malformed
 * notes throw.
 */
export async function showFile(
  bytes: Uint8Array,
  trust: TrustPolicy,
  now: number,
  verifier: SignatureVerifier,
  { hasher = rfc6962, passed = () => undefined }: ShowOptions = {},
): Promise<ShownFile> {
  const parsed = parseProofFile(bytes);
  passed('proof', 'well-formed');
  const checked = await checkCheckpoint(parsed.checkpoint, trust, verifier).catch(
    (error: unknown) => {
      if (!(error instanceof DaybookError) || error.code !== 'signature-invalid') throw error;
      throw new DaybookError('untrusted-checkpoint', error.message, { cause: error });
    },
  );
  const { origin, size, root } = checked.checkpoint;
  passed('checkpoint', `signed by ${origin}, a log of the policy`);
  const time = quorumTime(trust, checked.cosignatures, now);
  const cosigners = checked.cosignatures.map(({ name }) => name);
  if (time === undefined && trust.quorum !== 'none') {
    throw new DaybookError(
      'quorum-missing',
      `quorum "${trust.quorum}" is reached only with cosignatures from the future: compare the clocks of this machine and of the witnesses (${cosigners.join(', ')})`,
    );
  }
  passed('quorum', `cosigned by ${cosigners.join(', ') || 'nobody, and no quorum is wanted'}`);
  const file = asReleaseFile(parsed, size);
  const leaves = file.entries.map(({ index, entry }) => ({ index, hash: hasher.leaf(entry) }));
  verifyMultiInclusion({ leaves, size, proof: file.proof, root }, hasher);
  passed('inclusion', `${leaves.length} of the ${size} entries in ${origin}`);
  return {
    tree: { origin, size, root, quorumTime: time, cosigners },
    entries: file.entries.map((entry, i) => ({
      ...entry,
      leafHash: encodeHex((leaves[i] as { hash: Hash }).hash),
    })),
    channels: file.channels,
  };
}

/** An entry that says nothing, and why: for a person to read. */
export interface IgnoredEntry {
  readonly index: number;
  readonly reason: string;
}

/**
 * The statements among `entries` that keys of the policy signed. What others signed, and what no longer
 * counts because its key was revoked before, says nothing: anybody may put it into a file.
 */
export async function signedStatements(
  entries: readonly ShownEntry[],
  keys: readonly PolicyKey[],
  verifier: SignatureVerifier,
): Promise<{ readonly statements: SignedStatement[]; readonly ignored: IgnoredEntry[] }> {
  const opened = await Promise.all(entries.map((entry) => openEntry(entry, keys, verifier)));
  return {
    statements: opened.filter((each) => 'statement' in each),
    ignored: opened.filter((each) => 'reason' in each),
  };
}

async function openEntry(
  { index, entry, leafHash }: ShownEntry,
  keys: readonly PolicyKey[],
  verifier: SignatureVerifier,
): Promise<SignedStatement | IgnoredEntry> {
  let statement: Statement;
  let envelope;
  try {
    envelope = parseEnvelope(entry);
    statement = parseStatement(envelope.payload);
  } catch (error) {
    if (error instanceof DaybookError) return { index, reason: `malformed: ${error.message}` };
    throw error;
  }
  const [signature, ...others] = envelope.signatures;
  if (envelope.payloadType !== inTotoPayloadType || signature === undefined || others.length > 0) {
    return { index, reason: `no ${inTotoPayloadType} with one signature` };
  }
  const message = preAuthEncoding(envelope.payloadType, envelope.payload);
  // The hint decides which keys are tried, nothing else.
  const hinted = keys.filter(({ key }) => key.fingerprint === signature.keyid);
  for (const key of hinted.length > 0 ? hinted : keys) {
    if (!(await verifier.verify(key.key, message, signature.sig))) continue;
    if (key.until === undefined || index < key.until) return { index, leafHash, key, statement };
    return { index, reason: `signed by ${key.name}, which counts below index ${key.until} only` };
  }
  return { index, reason: 'signed by no key of the policy' };
}

export function names(statement: Statement, sha256: Uint8Array): boolean {
  return statement.subject.some((subject) => equalBytes(subject.sha256, sha256));
}
