/** Cosignatures as the log takes them in (C2SP tlog-cosignature): verified, and of a plausible time. */
import { DaybookError } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { isCosigner } from '../note/cosignature.ts';
import {
  openNote,
  type OpenedSignature,
  type SignatureLine,
  type SignedNote,
} from '../note/note.ts';
import type { VerifierKey } from '../note/vkey.ts';

/** How far a cosigner's clock may be ahead of ours. */
const MAX_AHEAD_SECONDS = 300;

/**
 * The signatures of `keys` on the note. Throws as `openNote` does, and `signature-invalid` for a
 * cosignature without a time or from the future: it would outlive every one that comes after it.
 */
export async function openCosignatures(
  note: SignedNote,
  keys: readonly VerifierKey[],
): Promise<OpenedSignature[]> {
  const opened = await openNote(note, keys, nodeVerifier);
  const latest = Math.floor(Date.now() / 1000) + MAX_AHEAD_SECONDS;
  for (const { key, timestamp = 0 } of opened) {
    if (!isCosigner(key) || (timestamp >= 1 && timestamp <= latest)) continue;
    throw new DaybookError(
      'signature-invalid',
      `the cosignature of ${key.name} has the time ${timestamp}, want 1 to ${latest}: its clock or ours is wrong`,
    );
  }
  return opened;
}

export function linesOf(opened: readonly OpenedSignature[]): SignatureLine[] {
  return opened.map(({ key: { name, keyId }, signature }) => ({ name, keyId, signature }));
}
