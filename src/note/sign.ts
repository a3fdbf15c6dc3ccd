/** Signing notes with keys of any type (C2SP signed-note, tlog-cosignature). */
import { DaybookError } from '../errors.ts';
import type { Signer } from '../signature/port.ts';
import { encodeSignature, isCosigner, signedMessage } from './cosignature.ts';
import type { SignatureLine, SignedNote } from './note.ts';
import type { VerifierKey } from './vkey.ts';

export interface NoteSigner {
  readonly key: VerifierKey;
  readonly signer: Signer;
}

/**
 * One signature by each key, in that order. `timestamp`, in seconds since 1970, is needed for
 * cosignatures and never 0. Throws `bad-key` when a signer is not the one of its verifier key,
 * `bad-integer` for a wrong time, `bad-checkpoint` when a cosigner is given another text.
 */
export async function signNote(
  text: string,
  keys: readonly NoteSigner[],
  timestamp?: number,
): Promise<SignedNote> {
  const signatures = await Promise.all(keys.map((key) => signatureLine(text, key, timestamp)));
  return { text, signatures };
}

async function signatureLine(
  text: string,
  { key, signer }: NoteSigner,
  time: number | undefined,
): Promise<SignatureLine> {
  const { name, keyId } = key;
  if (signer.publicKey.fingerprint !== key.key.fingerprint) {
    throw new DaybookError('bad-key', `the signer for ${name} holds another key`);
  }
  if (!isCosigner(key)) {
    return { name, keyId, signature: await signer.sign(signedMessage(key, text)) };
  }
  if (time === undefined || !Number.isSafeInteger(time) || time < 1) {
    throw new DaybookError('bad-integer', `time of a cosignature is ${time}, want whole seconds`);
  }
  const bare = await signer.sign(signedMessage(key, text, time));
  return { name, keyId, signature: encodeSignature({ timestamp: time, bare }) };
}
