/** Tree heads that are bound to a log by one valid signature, whatever else stands in their note. */
import { decodeUtf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { parseCheckpoint, type Checkpoint } from '../note/checkpoint.ts';
import { openNote, parseNote, type SignedNote } from '../note/note.ts';
import type { VerifierKey } from '../note/vkey.ts';
import type { SignatureVerifier } from '../signature/port.ts';

/** A head that a log signed, or claims to have: see `signersOf`. */
export interface NotedHead extends Checkpoint {
  /** The signed note, verbatim. */
  readonly note: Uint8Array;
  readonly parsed: SignedNote;
}

/** Throws what parseNote and parseCheckpoint throw; verifies nothing. */
export function parseHead(note: Uint8Array): NotedHead {
  const parsed = parseNote(note);
  return { ...parseCheckpoint(parsed.text), note, parsed };
}

/** The text of a head's note, as JSON carries it. */
export function headText({ note }: NotedHead): string {
  return decodeUtf8(note);
}

/**
 * Those of `keys` that signed, each judged alone. Unlike `openNote`, a wrong signature of a known key
 * takes nothing from the others: a log must not get out of what it signed with one key by a broken
 * line of another, which a client that knows only the first key would accept.
 */
export async function signersOf(
  { parsed }: NotedHead,
  keys: readonly VerifierKey[],
  verifier: SignatureVerifier,
): Promise<VerifierKey[]> {
  const signed = await Promise.all(keys.map((key) => isSignedBy(parsed, key, verifier)));
  return keys.filter((_, i) => signed[i]);
}

async function isSignedBy(
  note: SignedNote,
  key: VerifierKey,
  verifier: SignatureVerifier,
): Promise<boolean> {
  // A name or an origin of over 255 bytes is nothing that ML-DSA-44 can have signed.
  const refusals = ['untrusted-checkpoint', 'signature-invalid', 'bad-checkpoint'];
  try {
    return (await openNote(note, [key], verifier)).length > 0;
  } catch (error) {
    if (error instanceof DaybookError && refusals.includes(error.code)) return false;
    throw error;
  }
}

/** The keys that speak for the log `origin`: Ed25519 or ML-DSA-44, and of its name. */
export function keysOfLog(origin: string, keys: readonly VerifierKey[]): VerifierKey[] {
  return keys.filter(({ name, type }) => name === origin && type !== 0x04);
}
