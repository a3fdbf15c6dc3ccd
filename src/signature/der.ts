/** The little DER (X.690) that keys and ECDSA signatures need; strict, so that each value has one encoding. */
import { DaybookError } from '../errors.ts';

export const derTag = { integer: 0x02, bitString: 0x03, sequence: 0x30 } as const;

interface DerValue {
  readonly content: Uint8Array;
  /** What follows the value. */
  readonly rest: Uint8Array;
}

/** Start of the content and its length; lengths of more than two bytes exceed any key that is accepted. */
function extent(bytes: Uint8Array): { start: number; length: number; least: number } {
  const at = (i: number): number => bytes[i] ?? Number.NaN;
  if (at(1) === 0x81) return { start: 3, length: at(2), least: 0x80 };
  if (at(1) === 0x82) return { start: 4, length: at(2) * 256 + at(3), least: 0x100 };
  return { start: 2, length: at(1) < 0x80 ? at(1) : Number.NaN, least: 0 };
}

/** Reads one value; throws `bad-encoding` for another tag or a length that is not minimal or too long. */
export function readDer(bytes: Uint8Array, tag: number): DerValue {
  const { start, length, least } = extent(bytes);
  const end = start + length;
  if (bytes[0] !== tag || !(length >= least && end <= bytes.length)) {
    throw new DaybookError('bad-encoding', `malformed DER: want one value of tag ${tag}`);
  }
  return { content: bytes.subarray(start, end), rest: bytes.subarray(end) };
}

/** Reads a sequence that is all there is; throws `bad-encoding`. */
export function readDerSequence(bytes: Uint8Array): Uint8Array {
  const { content, rest } = readDer(bytes, derTag.sequence);
  if (rest.length > 0) {
    throw new DaybookError('bad-encoding', `malformed DER: ${rest.length} trailing bytes`);
  }
  return content;
}

/** Reads a sequence of exactly two positive integers, big-endian without leading zeros; throws `bad-encoding`. */
export function readDerPair(bytes: Uint8Array): [Uint8Array, Uint8Array] {
  const first = readDer(readDerSequence(bytes), derTag.integer);
  const second = readDer(first.rest, derTag.integer);
  if (second.rest.length > 0) {
    throw new DaybookError('bad-encoding', 'malformed DER: want exactly two integers');
  }
  return [magnitude(first.content), magnitude(second.content)];
}

function magnitude(content: Uint8Array): Uint8Array {
  const [first = 0x80, second = 0] = content;
  const padded = first === 0;
  if (first >= 0x80 || (padded && second < 0x80)) {
    throw new DaybookError('bad-encoding', 'malformed DER: an integer is not positive and minimal');
  }
  return padded ? content.subarray(1) : content;
}
