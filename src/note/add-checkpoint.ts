/**
 * What a log sends to a witness, and what the witness answers (C2SP tlog-witness, add-checkpoint):
 *
 *     old 20852014
 *     PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
 *
 *     example.com/behind-the-sofa
 *     20852163
 *     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *
 *     — example.com/behind-the-sofa Az3grlgt…
 */
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { concatBytes, decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { parseDecimal, treeSize, type TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { asHash, type Hash } from '../merkle/hash.ts';
import { formatSignature, MAX_NOTE_BYTES, parseSignatures } from './note.ts';
import type { SignatureLine, SignedNote } from './note.ts';

/** A consistency proof has at most so many hashes. */
const MAX_PROOF_LINES = 63;
/** The proof lines, the old size, and the longest note. */
export const MAX_ADD_CHECKPOINT_BYTES = MAX_NOTE_BYTES + 45 * MAX_PROOF_LINES + 32;

const NEWLINE = 0x0a;
/** More than the head of a request may have, so that one with too many hashes is told so. */
const MAX_HEAD_BYTES = 8 << 10;

export interface AddCheckpoint {
  /** Size of the checkpoint that the witness is believed to have cosigned last; 0 for none. */
  readonly oldSize: TreeSize;
  /** From `oldSize` to the checkpoint's size; empty when they are equal or `oldSize` is 0. */
  readonly proof: readonly Hash[];
  /** The log's signed note, verbatim. */
  readonly checkpoint: Uint8Array;
}

/** Throws `bad-request` for more hashes than a request may have. */
export function formatAddCheckpoint({ oldSize, proof, checkpoint }: AddCheckpoint): Uint8Array {
  if (proof.length > MAX_PROOF_LINES) {
    throw badRequest(`the proof has ${proof.length} hashes, want at most ${MAX_PROOF_LINES}`);
  }
  const lines = [`old ${oldSize}`, ...proof.map((hash) => encodeBase64(hash)), '', ''];
  return concatBytes(utf8(lines.join('\n')), checkpoint);
}

/** The checkpoint is cut out, not examined. Throws `bad-request`. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint {
  const end = emptyLine(body);
  if (end === undefined) {
    throw badRequest('want "old <size>", proof lines, an empty line and a checkpoint');
  }
  const [first = '', ...proof] = headLines(body.subarray(0, end));
  if (proof.length > MAX_PROOF_LINES) {
    throw badRequest(`the proof has ${proof.length} lines, want at most ${MAX_PROOF_LINES}`);
  }
  if (!first.startsWith('old ')) throw badRequest('the first line is not "old <size>"');
  return {
    oldSize: parsed('old size', () => treeSize(parseDecimal(first.slice(4)))),
    proof: proof.map((line, i) => parsed(`proof line ${i + 1}`, () => asHash(decodeBase64(line)))),
    checkpoint: body.slice(end + 2),
  };
}

/** Where the newline is that ends the last line before the first empty one. */
function emptyLine(body: Uint8Array): number | undefined {
  const most = Math.min(body.length - 1, MAX_HEAD_BYTES);
  for (let i = 0; i < most; i++) {
    if (body[i] === NEWLINE && body[i + 1] === NEWLINE) return i;
  }
  return undefined;
}

function headLines(head: Uint8Array): string[] {
  return parsed('head', () => decodeUtf8(head)).split('\n');
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw badRequest(`${what} of the request: ${reason}`, cause);
  }
}

/** Signature lines as an answer to add-checkpoint has them: one or more, each ended by a newline. */
export function formatSignatureLines(lines: readonly SignatureLine[]): Uint8Array {
  return utf8(lines.map(formatSignature).join(''));
}

/** Throws `bad-note` (`bad-encoding` when it is not UTF-8) for anything but signature lines. */
export function parseSignatureLines(answer: Uint8Array): SignatureLine[] {
  const text = decodeUtf8(answer);
  if (!text.endsWith('\n')) {
    throw new DaybookError('bad-note', 'want signature lines, each ended by a newline');
  }
  return parseSignatures(text);
}

/** The note with `lines` in it: in the place of those by the same key, and behind the others. */
export function mergeSignatures(note: SignedNote, lines: readonly SignatureLine[]): SignedNote {
  const signatures = [...note.signatures];
  for (const line of lines) {
    const at = signatures.findIndex(
      ({ name, keyId }) => name === line.name && keyId === line.keyId,
    );
    signatures[at < 0 ? signatures.length : at] = line;
  }
  return { text: note.text, signatures };
}

function badRequest(message: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-request', message, { cause });
}
