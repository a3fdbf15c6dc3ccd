/**
 * The `.tlog-proof` file beside an artifact: one entry's inclusion proof and the checkpoint that it
 * ends in (C2SP tlog-proof). Pure parsing: nothing in here is verified, and `extra` least of all.
 */
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { decodeUtf8 } from '../encoding/bytes.ts';
import { leafIndex, parseDecimal, type LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { asHash, HASH_BYTES, type Hash } from '../merkle/hash.ts';

/**
 * ```
 * c2sp.org/tlog-proof@v1
 * extra eyJwYXlsb2FkVHlwZSI6…
 * index 73894
 * gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
 *
 * example.com/log
 * 109482
 * sFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=
 *
 * — example.com/log hI2DJw…
 * ```
 */
export interface TlogProof {
  /** Opaque and unauthenticated; in Daybook the entry's bytes, to be trusted only once hashed into the leaf. */
  readonly extra?: Uint8Array;
  readonly index: LeafIndex;
  /** From the leaf's sibling up to the child of the root. */
  readonly hashes: readonly Hash[];
  /** The note's bytes, verbatim. */
  readonly checkpoint: Uint8Array;
}

const MAGIC = 'c2sp.org/tlog-proof@v1';
/** An entry (65,535 bytes) in base64. */
const MAX_EXTRA_TEXT = 87_380;
/** Path length of the largest tree that the integer policy allows. */
const MAX_HASHES = 53;
const HASH_TEXT = 44;
const MAX_HEADER = MAGIC.length + MAX_EXTRA_TEXT + (MAX_HASHES + 2) * (HASH_TEXT + 1);
const NEWLINE = 0x0a;

/** Reads a proof file; throws `bad-proof`, whatever is wrong with it. */
export function parseTlogProof(bytes: Uint8Array): TlogProof {
  const end = headerEnd(bytes);
  const lines = headerLines(bytes.subarray(0, end));
  const checkpoint = bytes.slice(end + 2);
  if (checkpoint.length === 0) throw bad('it ends where the checkpoint should begin');
  if (lines.shift() !== MAGIC) throw bad(`its first line is not "${MAGIC}"`);
  const extra = lines[0]?.startsWith('extra ') === true ? parseExtra(lines.shift()) : undefined;
  const index = parseIndex(lines.shift());
  if (lines.length > MAX_HASHES) {
    throw bad(`it has ${lines.length} hashes, want at most ${MAX_HASHES}`);
  }
  const hashes = lines.map((line, i) => parseHash(line, i));
  return { ...(extra && { extra }), index, hashes, checkpoint };
}

/** Text of the proof file; an empty `extra` is left out, as the format wants. */
export function formatTlogProof(proof: TlogProof): string {
  const extra = proof.extra?.length ? [`extra ${encodeBase64(proof.extra)}`] : [];
  const hashes = proof.hashes.map((hash) => encodeBase64(hash));
  const header = [MAGIC, ...extra, `index ${proof.index}`, ...hashes, '', ''].join('\n');
  return header + decodeUtf8(proof.checkpoint);
}

/** Offset of the first empty line, looked for within the header's cap only. */
function headerEnd(bytes: Uint8Array): number {
  const limit = Math.min(bytes.length - 1, MAX_HEADER);
  for (
    let at = bytes.indexOf(NEWLINE);
    at !== -1 && at < limit;
    at = bytes.indexOf(NEWLINE, at + 1)
  ) {
    if (bytes[at + 1] === NEWLINE) return at;
  }
  throw bad(`no empty line ends its header within ${MAX_HEADER} bytes (it has ${bytes.length})`);
}

function headerLines(header: Uint8Array): string[] {
  try {
    return decodeUtf8(header).split('\n');
  } catch (cause) {
    throw bad('its header is not text', cause);
  }
}

function parseExtra(line = ''): Uint8Array {
  const text = line.slice('extra '.length);
  if (text.length === 0) throw bad('its extra line is empty: without extra data it is left out');
  if (text.length > MAX_EXTRA_TEXT) {
    throw bad(`its extra line has ${text.length} characters, want at most ${MAX_EXTRA_TEXT}`);
  }
  return decoded(text, 'its extra line');
}

function parseIndex(line = ''): LeafIndex {
  if (!line.startsWith('index ')) throw bad('its index line is missing');
  try {
    return leafIndex(parseDecimal(line.slice('index '.length)));
  } catch (cause) {
    throw bad(`its index line is wrong: ${(cause as Error).message}`, cause);
  }
}

function parseHash(line: string, position: number): Hash {
  const hash = decoded(line, `hash ${position}`);
  if (hash.length !== HASH_BYTES) {
    throw bad(`hash ${position} has ${hash.length} bytes, want ${HASH_BYTES}`);
  }
  return asHash(hash);
}

function decoded(text: string, what: string): Uint8Array {
  try {
    return decodeBase64(text);
  } catch (cause) {
    throw bad(`${what} is wrong: ${(cause as Error).message}`, cause);
  }
}

function bad(problem: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-proof', `proof file refused: ${problem}`, { cause });
}
