/** What a witness or monitor shows of this log at its monitoring prefix (C2SP tlog-witness). */
import type { Http } from '../http/outbound.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { parseCheckpoint, type Checkpoint } from '../note/checkpoint.ts';
import { MAX_NOTE_BYTES, openNote, parseNote, type SignedNote } from '../note/note.ts';
import { originHash } from '../note/origin-hash.ts';
import type { VerifierKey } from '../note/vkey.ts';

export interface LogIdentity {
  readonly origin: string;
  /** All keys that sign this log's checkpoints. */
  readonly keys: readonly VerifierKey[];
}

/** A checkpoint that bears a signature of the log itself; those of others were not verified. */
export interface ShownCheckpoint {
  readonly note: SignedNote;
  readonly checkpoint: Checkpoint;
}

/**
 * The newest checkpoint of the log there. Undefined when there is none, when it does not come, and
 * when the log did not sign it: then whoever shows it has shown nothing.
 */
export async function readShown(
  http: Http,
  { origin, keys }: LogIdentity,
  signal: AbortSignal,
): Promise<ShownCheckpoint | undefined> {
  try {
    const path = `${originHash(origin)}/checkpoint`;
    const { status, body } = await http.once(path, {
      fresh: true,
      maxBytes: MAX_NOTE_BYTES,
      signal,
    });
    if (status !== 200) return undefined;
    const note = parseNote(body);
    const checkpoint = parseCheckpoint(note.text);
    if (checkpoint.origin !== origin) return undefined;
    await openNote(note, keys, nodeVerifier);
    return { note, checkpoint };
  } catch {
    return undefined;
  }
}
