/**
 * Signed notes (C2SP signed-note): a text, an empty line, and signature lines.
 *
 *     This is an example message.
 *
 *     — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
 */
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { concatBytes, decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { decodeSignature, signedMessage } from './cosignature.ts';
import { keyNameProblem, type VerifierKey } from './vkey.ts';

/** The specification asks for at least 16. */
export const MAX_SIGNATURES = 64;
/** Room for that many ML-DSA-44 signatures, about 3.2 kB each, and a long text. */
export const MAX_NOTE_BYTES = 512 * 1024;

export interface SignatureLine {
  /** Name of the key. */
  readonly name: string;
  /** The key's ID, an unsigned integer of 32 bits. */
  readonly keyId: number;
  /** What follows the key ID; its form is the signature type's. */
  readonly signature: Uint8Array;
}

/** A note that was parsed but not verified: trust nothing in it. */
export interface SignedNote {
  /** Ends in a newline. */
  readonly text: string;
  readonly signatures: readonly SignatureLine[];
}

/** A signature that verified. */
export interface OpenedSignature {
  readonly key: VerifierKey;
  /** As in the signature line, after the key ID. */
  readonly signature: Uint8Array;
  /** Of cosignatures: seconds since 1970. Absent when an ML-DSA-44 cosigner left it out. */
  readonly timestamp?: number;
}

/** Throws `bad-note` (`bad-encoding` when it is not UTF-8) for a note that is malformed or over the limits. */
export function parseNote(note: Uint8Array | string): SignedNote {
  const bytes = typeof note === 'string' ? utf8(note) : note;
  if (bytes.length > MAX_NOTE_BYTES) {
    throw badNote(`note has ${bytes.length} bytes, want at most ${MAX_NOTE_BYTES}`);
  }
  const whole = typeof note === 'string' ? note : decodeUtf8(note);
  const control = /[\0-\x09\x0b-\x1f]/.exec(whole)?.[0].charCodeAt(0);
  if (control !== undefined) throw badNote(`note has the control character ${control}`);
  // The text may hold empty lines: only the last one separates.
  const split = whole.lastIndexOf('\n\n');
  if (split < 0 || !whole.endsWith('\n')) {
    throw badNote('want a text, an empty line and signature lines, each ended by a newline');
  }
  return { text: whole.slice(0, split + 1), signatures: parseSignatures(whole.slice(split + 2)) };
}

/** Throws `bad-note` for a note that parseNote would refuse. */
export function formatNote({ text, signatures }: SignedNote): string {
  if (!text.endsWith('\n')) throw badNote('the text of a note must end in a newline');
  const note = `${text}\n${signatures.map(formatSignature).join('')}`;
  parseNote(note);
  return note;
}

/**
 * Verifies the signatures of known keys, in the order of their lines; others are ignored. Throws
 * `signature-invalid` when a known key's signature fails (then the whole note is refused),
 * `untrusted-checkpoint` when no known key signed, `bad-key` when two keys share name and key ID.
 */
export async function openNote(
  note: SignedNote,
  keys: readonly VerifierKey[],
  verifier: SignatureVerifier,
): Promise<OpenedSignature[]> {
  const known = byNameAndId(keys);
  const opened = await Promise.all(
    note.signatures.map(async (line) => {
      const key = known.get(nameAndId(line));
      return key && openSignature(note.text, key, line.signature, verifier);
    }),
  );
  const verified = opened.filter((signature) => signature !== undefined);
  if (verified.length === 0) {
    throw new DaybookError(
      'untrusted-checkpoint',
      `none of the ${note.signatures.length} signatures is by one of the ${known.size} known keys`,
    );
  }
  return verified;
}

async function openSignature(
  text: string,
  key: VerifierKey,
  signature: Uint8Array,
  verifier: SignatureVerifier,
): Promise<OpenedSignature> {
  const timed = decodeSignature(key, signature);
  // Only an ML-DSA-44 cosigner may leave the time out, as 0.
  const hasTime = timed?.timestamp !== 0 || key.type === 0x06;
  const valid =
    timed !== undefined &&
    hasTime &&
    (await verifier.verify(key.key, signedMessage(key, text, timed.timestamp), timed.bare));
  if (!valid) {
    throw new DaybookError(
      'signature-invalid',
      `the signature of the known key ${key.name} does not verify: refuse the note`,
    );
  }
  return { key, signature, ...(timed.timestamp ? { timestamp: timed.timestamp } : {}) };
}

function byNameAndId(keys: readonly VerifierKey[]): Map<string, VerifierKey> {
  const known = new Map<string, VerifierKey>();
  for (const key of keys) {
    const other = known.get(nameAndId(key));
    if (other && (other.type !== key.type || other.key.fingerprint !== key.key.fingerprint)) {
      throw new DaybookError('bad-key', `two known keys of ${key.name} share one key ID`);
    }
    known.set(nameAndId(key), key);
  }
  return known;
}

function nameAndId({ name, keyId }: { name: string; keyId: number }): string {
  return `${name} ${keyId}`;
}

/** One or more signature lines, each ended by a newline. Throws `bad-note`. */
export function parseSignatures(text: string): SignatureLine[] {
  const lines = text.split('\n').slice(0, -1);
  if (lines.length < 1 || lines.length > MAX_SIGNATURES) {
    throw badNote(`note has ${lines.length} signatures, want 1 to ${MAX_SIGNATURES}`);
  }
  const seen = new Set<string>();
  return lines.map((line) => {
    const signature = parseSignature(line);
    if (seen.has(nameAndId(signature))) {
      throw badNote(`two signatures of ${signature.name} with one key ID`);
    }
    seen.add(nameAndId(signature));
    return signature;
  });
}

function parseSignature(line: string): SignatureLine {
  const [dash, name, base64, ...more] = line.split(' ');
  if (dash !== '—' || name === undefined || base64 === undefined || more.length > 0) {
    throw badNote('malformed signature line, want "— <key name> <base64>"');
  }
  checkLineName(name);
  const bytes = signatureBytes(name, base64);
  return { name, keyId: new DataView(bytes.buffer).getUint32(0), signature: bytes.slice(4) };
}

function checkLineName(name: string): void {
  const problem = keyNameProblem(name);
  if (problem !== undefined) throw badNote(`signature line: ${problem}`);
}

function signatureBytes(name: string, base64: string): Uint8Array {
  let bytes;
  try {
    bytes = decodeBase64(base64);
  } catch (cause) {
    throw badNote(`signature of ${name} is not canonical base64`, cause);
  }
  if (bytes.length < 5) {
    throw badNote(`signature of ${name} has ${bytes.length} bytes, want over 4`);
  }
  return bytes;
}

export function formatSignature({ name, keyId, signature }: SignatureLine): string {
  checkLineName(name);
  const id = new Uint8Array(4);
  new DataView(id.buffer).setUint32(0, keyId);
  return `— ${name} ${encodeBase64(concatBytes(id, signature))}\n`;
}

function badNote(message: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-note', message, { cause });
}
