/**
 * Evidence that convicts a log by itself: two checkpoints signed by it that cannot both be true.
 * Whoever has the log's public keys can check it, offline, and needs to believe nobody.
 *
 *     {"type":"urn:daybook:evidence:v1","origin":"log.acme.example",
 *      "smaller":"log.acme.example\n5\n…","larger":"log.acme.example\n8\n…",
 *      "root":"…","proof":["…","…"]}
 *
 * `root` is another root of the smaller size than the smaller checkpoint has, and `proof` the
 * consistency proof (RFC 6962 section 2.1.2) from it to the larger checkpoint: a tree has one
 * beginning of each size, so it shows that the larger one does not continue the smaller one.
 * Checkpoints of one size need neither.
 */
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { parseStrictJson, type JsonObject } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import { proveConsistency, verifyConsistency } from '../merkle/consistency.ts';
import { asHash, type Hash, rfc6962 } from '../merkle/hash.ts';
import type { ReadHashes } from '../merkle/node.ts';
import { treeRoot } from '../merkle/root.ts';
import { MAX_NOTE_BYTES } from '../note/note.ts';
import type { VerifierKey } from '../note/vkey.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { webVerifier } from '../signature/web-verifier.ts';
import { headText, keysOfLog, parseHead, signersOf, type NotedHead } from './signed-head.ts';

const evidenceType = 'urn:daybook:evidence:v1';
/** Two of the longest notes, each of whose characters may take two in JSON, and a proof. */
export const MAX_EVIDENCE_BYTES = 4 * MAX_NOTE_BYTES + 64 * 1024;
/** The longest consistency proof between trees of up to 2^53 leaves is shorter. */
const MAX_PROOF_HASHES = 64;

/** What was parsed; nothing in it is verified. */
export interface Evidence {
  readonly origin: string;
  readonly smaller: NotedHead;
  readonly larger: NotedHead;
  /** For different sizes only. */
  readonly root?: Hash;
  readonly proof?: readonly Hash[];
}

export interface EvidenceKeys {
  /** Of the logs that are trusted: of one origin all of them, as two heads may be signed by different ones. */
  readonly logKeys: readonly VerifierKey[];
  /** Of cosigners; keys of one name are one cosigner's. */
  readonly witnessKeys?: readonly VerifierKey[];
}

export interface Conviction {
  readonly origin: string;
  /** `inconsistent`: the larger tree does not continue the smaller one. */
  readonly kind: 'same-size' | 'inconsistent';
  readonly sizes: readonly [smaller: number, larger: number];
  readonly roots: readonly [smaller: Hash, larger: Hash];
  /** Names of the cosigners who cosigned both, in the order of the keys given. */
  readonly convictedWitnesses: readonly string[];
}

/**
 * Whom an evidence file convicts, by these keys. Throws `bad-evidence` for a file that is none, and
 * `not-convicted` for one that shows nothing against the log: not signed by it, or no contradiction.
 */
export async function verifyEvidence(
  bytes: Uint8Array,
  { logKeys, witnessKeys = [] }: EvidenceKeys,
  verifier: SignatureVerifier = webVerifier,
): Promise<Conviction> {
  const evidence = parseEvidence(bytes);
  const { origin, smaller, larger } = evidence;
  const keys = keysOfLog(origin, logKeys);
  if (keys.length === 0) {
    throw notConvicted(`none of the ${logKeys.length} keys given is one of the log ${origin}`);
  }
  for (const head of [smaller, larger]) {
    if ((await signersOf(head, keys, verifier)).length > 0) continue;
    throw notConvicted(`${shown(head)} is not signed by any of ${origin}'s keys given`);
  }
  checkContradiction(evidence);
  return {
    origin,
    kind: smaller.size === larger.size ? 'same-size' : 'inconsistent',
    sizes: [smaller.size, larger.size],
    roots: [smaller.root, larger.root],
    convictedWitnesses: await signersOfBoth(evidence, witnessKeys, verifier),
  };
}

/** Throws `not-convicted` unless the two heads, taken as signed, cannot both be true. */
function checkContradiction({ smaller, larger, root, proof }: Evidence): void {
  if (root === undefined || proof === undefined) {
    if (!equalBytes(smaller.root, larger.root)) return;
    throw notConvicted(`both checkpoints of size ${smaller.size} have the same root`);
  }
  if (equalBytes(root, smaller.root)) {
    throw notConvicted(`the proof leads from ${shown(smaller)} itself: it shows no contradiction`);
  }
  try {
    checkBeginning(smaller.size, root, larger, proof);
  } catch (error) {
    if (!(error instanceof DaybookError)) throw error;
    throw notConvicted(`the consistency proof does not verify: ${error.message}`, error);
  }
}

/** Throws `consistency-invalid` unless `larger` begins with the tree of `size` and `root`. */
function checkBeginning(size: number, root: Hash, larger: NotedHead, proof: readonly Hash[]): void {
  if (size > 0) {
    verifyConsistency({ from: size, to: larger.size, fromRoot: root, toRoot: larger.root, proof });
  } else if (!equalBytes(root, rfc6962.emptyRoot) || proof.length > 0) {
    // RFC 6962 has no proof from size 0; every tree begins with the one empty tree.
    throw new DaybookError('consistency-invalid', 'a tree of size 0 has one root, and no proof');
  }
}

async function signersOfBoth(
  { smaller, larger }: Evidence,
  keys: readonly VerifierKey[],
  verifier: SignatureVerifier,
): Promise<string[]> {
  const cosigners = keys.filter(({ type }) => type !== 0x01);
  const [first, second] = await Promise.all(
    [smaller, larger].map((head) => signersOf(head, cosigners, verifier)),
  );
  const names = new Set(first?.map(({ name }) => name));
  return [...names].filter((cosigner) => second?.some(({ name }) => name === cosigner));
}

/** Throws `bad-evidence`. */
export function parseEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > MAX_EVIDENCE_BYTES) {
    throw badEvidence(`it has ${bytes.length} bytes, want at most ${MAX_EVIDENCE_BYTES}`);
  }
  try {
    return readEvidence(parseStrictJson(bytes, { maxDepth: 2 }) as JsonObject);
  } catch (error) {
    if (!(error instanceof DaybookError) || error.code === 'bad-evidence') throw error;
    throw badEvidence(error.message, error);
  }
}

function readEvidence(json: JsonObject | null): Evidence {
  const { type, origin, smaller, larger, root, proof, ...more } = json ?? {};
  if (type !== evidenceType) {
    throw badEvidence(`its type is ${brief(type)}, want ${evidenceType}`);
  }
  const [surplus] = Object.keys(more);
  if (surplus !== undefined) throw badEvidence(`it has the unknown member ${brief(surplus)}`);
  const [small, large] = [smaller, larger].map((note) => parseHead(utf8(text(note)))) as [
    NotedHead,
    NotedHead,
  ];
  for (const head of [small, large]) {
    if (head.origin === origin) continue;
    throw badEvidence(`${shown(head)} is of ${head.origin}, but the evidence of ${brief(origin)}`);
  }
  if (small.size > large.size) {
    throw badEvidence(`the smaller checkpoint has size ${small.size}, the larger ${large.size}`);
  }
  const heads = { origin: small.origin, smaller: small, larger: large };
  const alike = small.size === large.size;
  if (alike !== (root === undefined) || alike !== (proof === undefined)) {
    throw badEvidence('root and proof belong to checkpoints of different sizes, and only to them');
  }
  if (alike) return heads;
  if (!Array.isArray(proof) || proof.length > MAX_PROOF_HASHES) {
    throw badEvidence(`want an array of at most ${MAX_PROOF_HASHES} hashes as proof`);
  }
  return { ...heads, root: readHash(root), proof: proof.map(readHash) };
}

/** The one form in which Daybook writes evidence. Throws nothing for what parseEvidence gave. */
export function formatEvidence({ origin, smaller, larger, root, proof }: Evidence): Uint8Array {
  return utf8(
    JSON.stringify({
      type: evidenceType,
      origin,
      smaller: headText(smaller),
      larger: headText(larger),
      ...(root && { root: encodeBase64(root) }),
      ...(proof && { proof: proof.map(encodeBase64) }),
    }),
  );
}

/**
 * The evidence that two heads of one log contradict each other, or undefined when the larger one
 * continues the smaller one. Nothing is said about their signatures. `readLarger` reads the tree of
 * the larger one; for equal sizes it is not called. Throws `consistency-invalid` when what it reads is
 * not that tree, and `bad-usage` for heads of different logs.
 */
export async function convict(
  a: NotedHead,
  b: NotedHead,
  readLarger: ReadHashes,
): Promise<Uint8Array | undefined> {
  const { origin } = a;
  if (b.origin !== origin) {
    throw new DaybookError('bad-usage', `heads of ${origin} and ${b.origin} are not comparable`);
  }
  const [smaller, larger] = a.size <= b.size ? [a, b] : [b, a];
  if (smaller.size === larger.size) {
    const agree = equalBytes(smaller.root, larger.root);
    return agree ? undefined : formatEvidence({ origin, smaller, larger });
  }
  const proof =
    smaller.size === 0 ? [] : await proveConsistency(smaller.size, larger.size, readLarger);
  const root = await treeRoot(smaller.size, readLarger);
  checkBeginning(smaller.size, root, larger, proof);
  if (equalBytes(root, smaller.root)) return undefined;
  return formatEvidence({ origin, smaller, larger, root, proof });
}

function readHash(value: unknown): Hash {
  return asHash(decodeBase64(text(value)));
}

function text(value: unknown): string {
  if (typeof value === 'string') return value;
  throw badEvidence(`want a string where it has ${brief(value)}`);
}

function shown({ size, root }: NotedHead): string {
  return `the checkpoint of size ${size} and root ${encodeHex(root)}`;
}

function brief(value: unknown): string {
  return (JSON.stringify(value) ?? 'absent').slice(0, 80);
}

function badEvidence(message: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-evidence', `this is no evidence file: ${message}`, { cause });
}

function notConvicted(message: string, cause?: unknown): DaybookError {
  return new DaybookError('not-convicted', `this convicts nobody: ${message}`, { cause });
}
