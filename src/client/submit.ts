/** Submitting: a log's answer is believed only for what its proof shows. */
import { decodeUtf8, equalBytes, utf8 } from '../encoding/bytes.ts';
import type { LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { rfc6962, type Hash } from '../merkle/hash.ts';
import { verifyInclusion } from '../merkle/inclusion.ts';
import { formatTlogProof, parseTlogProof, type TlogProof } from '../proof/tlog-proof.ts';
import { parseEnvelope, type Envelope } from '../statement/dsse.ts';
import { pause, retryAfter, type Answer, type Http } from '../http/outbound.ts';
import type { HeadKeeper, TrustedHead } from './trusted-head.ts';

/** An entry that is in the log, proven against `head`. */
export interface Submitted {
  readonly index: LeafIndex;
  readonly leafHash: Hash;
  /** The log says that it had this statement under this key before: `entry` is what it logged first. */
  readonly duplicate: boolean;
  /** The entry as it was logged: ship this one. */
  readonly entry: Uint8Array;
  /** The `.tlog-proof` file. */
  readonly proof: Uint8Array;
  readonly head: TrustedHead;
}

const envelopeMediaType = 'application/vnd.dsse.envelope.v1+json';
const MAX_PROOF_BYTES = 2 * 1024 * 1024;
export const POLL_MS = 500;
/** How long an entry that was sequenced may take to be covered by a published checkpoint. */
export const MAX_POLLS = 240;

/**
 * Sends one entry and waits until a checkpoint that is published covers it. Sending it again is safe
 * at any time: the same statement under the same key gives the first index.
 */
export async function submitEntry(
  http: Http,
  heads: HeadKeeper,
  entry: Uint8Array,
  signal?: AbortSignal,
): Promise<Submitted> {
  const answer = await http.call('entries', {
    method: 'POST',
    body: entry,
    contentType: envelopeMediaType,
    accept: 'application/json',
    maxBytes: MAX_PROOF_BYTES,
    signal,
  });
  const { proof: text, duplicate } = jsonObject(answer.body, http.base);
  const bytes =
    answer.status === 202 ? await pollProof(http, answer, signal) : proofText(text, http.base);
  const proof = parseTlogProof(bytes);
  const head = await heads.observed(proof.checkpoint);
  return acceptAnswer(entry, proof, head, duplicate === true);
}

/**
 * Throws unless `proof` shows that the log of `head` holds the entry that was sent, or its statement
 * as it was signed and logged before.
 */
export function acceptAnswer(
  sent: Uint8Array,
  proof: TlogProof,
  head: TrustedHead,
  duplicate: boolean,
): Submitted {
  const { extra: entry, index, hashes } = proof;
  if (entry === undefined) {
    throw new DaybookError('bad-proof', `the log's proof for index ${index} holds no entry`);
  }
  const leafHash = rfc6962.leaf(entry);
  verifyInclusion({ index, size: head.size, leafHash, proof: hashes, root: head.root });
  if (!equalBytes(entry, sent) && !sameStatement(entry, sent)) {
    throw new DaybookError(
      'inclusion-invalid',
      `the log answered with entry ${index}, which is not the statement that was sent`,
    );
  }
  return { index, leafHash, duplicate, entry, proof: utf8(formatTlogProof(proof)), head };
}

/** The log answered 202: the entry has its index, and the proof comes with a later checkpoint. */
async function pollProof(http: Http, answer: Answer, signal?: AbortSignal): Promise<Uint8Array> {
  const location = answer.headers.get('location') ?? '';
  const url = URL.parse(location, http.base);
  if (location === '' || url?.origin !== http.base.origin) {
    throw new DaybookError(
      'network',
      `the log answered 202 with no place of its own to ask at: "${location}"`,
    );
  }
  let wait = retryAfter(answer.headers) ?? POLL_MS;
  for (let poll = 0; poll < MAX_POLLS; poll++) {
    await pause(Math.min(wait, 10 * POLL_MS), signal);
    try {
      const found = await http.call(url.href, { fresh: true, maxBytes: MAX_PROOF_BYTES, signal });
      if (found.status !== 202) return found.body;
      wait = retryAfter(found.headers) ?? POLL_MS;
    } catch (error) {
      if (!(error instanceof DaybookError) || error.code !== 'not-found') throw error;
      wait = POLL_MS;
    }
  }
  throw new DaybookError(
    'overloaded',
    `${url.href} has no proof yet after ${MAX_POLLS} questions; the entry is in the log: submit it again later to get its proof`,
  );
}

function proofText(proof: unknown, base: URL): Uint8Array {
  if (typeof proof === 'string') return utf8(proof);
  throw new DaybookError('network', `${base.href} answered without a proof; is it a Daybook log?`);
}

/** A JSON object of the log's; its members are checked by whoever uses them. */
function jsonObject(body: Uint8Array, base: URL): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(decodeUtf8(body));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Reported below, as every other answer that is no object.
  }
  throw new DaybookError('network', `${base.href} did not answer with JSON; is it a Daybook log?`);
}

/** ECDSA signs with chance: the same statement signed again is another envelope. */
function sameStatement(logged: Uint8Array, sent: Uint8Array): boolean {
  let a: Envelope, b: Envelope;
  try {
    [a, b] = [parseEnvelope(logged), parseEnvelope(sent)];
  } catch {
    return false;
  }
  return a.payloadType === b.payloadType && equalBytes(a.payload, b.payload);
}
