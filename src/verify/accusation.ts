/**
 * An accusation: a head that the log signed and does not show to belong to its tree. It is weaker than
 * evidence: that the log withheld something is the accuser's word, and anyone may go and ask again.
 *
 *     {"type":"urn:daybook:accusation:v1","origin":"log.acme.example",
 *      "head":"log.acme.example\n8\n…","known":"log.acme.example\n5\n…","reason":"…"}
 */
import { utf8 } from '../encoding/bytes.ts';
import { parseStrictJson, type JsonObject } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import type { VerifierKey } from '../note/vkey.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { MAX_EVIDENCE_BYTES } from './evidence.ts';
import { headText, keysOfLog, parseHead, signersOf, type NotedHead } from './signed-head.ts';

const accusationType = 'urn:daybook:accusation:v1';
const MAX_REASON = 2000;

export interface Accusation {
  readonly origin: string;
  /** What the log signed and does not explain. */
  readonly head: NotedHead;
  /** The smaller head that the accuser has verified. */
  readonly known: NotedHead;
  /** How the log failed to show that one continues the other, as the accuser says. */
  readonly reason: string;
}

export function formatAccusation({ origin, head, known, reason }: Accusation): Uint8Array {
  return utf8(
    JSON.stringify({
      type: accusationType,
      origin,
      head: headText(head),
      known: headText(known),
      reason: reason.toWellFormed().slice(0, MAX_REASON),
    }),
  );
}

/** Whether a file says that it is an accusation; whatever else is in it is not looked at. */
export function isAccusation(bytes: Uint8Array): boolean {
  try {
    const json = parseStrictJson(bytes, { maxDepth: 2 }) as JsonObject | null;
    return json?.['type'] === accusationType;
  } catch {
    return false;
  }
}

/**
 * An accusation whose two heads the log did sign, so that it has something to explain. Throws
 * `bad-evidence` for a file that is none, `not-convicted` when the log signed no such heads.
 */
export async function verifyAccusation(
  bytes: Uint8Array,
  logKeys: readonly VerifierKey[],
  verifier: SignatureVerifier,
): Promise<Accusation> {
  const accusation = parseAccusation(bytes);
  const keys = keysOfLog(accusation.origin, logKeys);
  for (const head of [accusation.known, accusation.head]) {
    if ((await signersOf(head, keys, verifier)).length > 0) continue;
    throw new DaybookError(
      'not-convicted',
      `the accusation is void: its head of size ${head.size} is not signed by a key given of ${head.origin}`,
    );
  }
  return accusation;
}

function parseAccusation(bytes: Uint8Array): Accusation {
  try {
    if (bytes.length > MAX_EVIDENCE_BYTES) throw bad(`it has ${bytes.length} bytes`);
    const json = parseStrictJson(bytes, { maxDepth: 2 }) as JsonObject | null;
    const { type, origin, head, known, reason, ...more } = json ?? {};
    if (type !== accusationType) throw bad(`its type is not ${accusationType}`);
    const [surplus] = Object.keys(more);
    if (surplus !== undefined) throw bad(`it has the unknown member ${JSON.stringify(surplus)}`);
    const texts = [origin, head, known, reason];
    if (!texts.every((text) => typeof text === 'string')) {
      throw bad('want strings as origin, head, known and reason');
    }
    const accused = parseHead(utf8(head as string));
    const trusted = parseHead(utf8(known as string));
    if (accused.origin !== origin || trusted.origin !== origin) {
      throw bad('its heads are not of its origin');
    }
    if (accused.size <= trusted.size) {
      throw bad('its head is not larger than the one known, so it could be judged');
    }
    return { origin: accused.origin, head: accused, known: trusted, reason: reason as string };
  } catch (error) {
    if (!(error instanceof DaybookError) || error.code === 'bad-evidence') throw error;
    throw bad(error.message, error);
  }
}

function bad(message: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-evidence', `this is no accusation file: ${message}`, { cause });
}
