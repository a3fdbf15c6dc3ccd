/** Base 64 (RFC 4648 section 4), padded and canonical: each byte array has exactly one text. */
import { DaybookError } from '../errors.ts';

const alphabet = new TextEncoder().encode(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
);
const pad = 0x3d;
const invalid = -1;
/** By the low byte of a character's code. */
const values = new Int32Array(256).fill(invalid);
alphabet.forEach((character, value) => (values[character] = value));
const ascii = new TextDecoder();

export function encodeBase64(bytes: Uint8Array): string {
  const text = new Uint8Array(Math.ceil(bytes.length / 3) * 4);
  let out = 0;
  // Reads beyond the end give undefined, which the bit operators take as 0.
  for (let i = 0; i < bytes.length; i += 3) {
    const group =
      ((bytes[i] as number) << 16) | ((bytes[i + 1] as number) << 8) | (bytes[i + 2] as number);
    text[out++] = alphabet[group >> 18] as number;
    text[out++] = alphabet[(group >> 12) & 63] as number;
    text[out++] = alphabet[(group >> 6) & 63] as number;
    text[out++] = alphabet[group & 63] as number;
  }
  const missing = (3 - (bytes.length % 3)) % 3;
  text.fill(pad, text.length - missing);
  return ascii.decode(text);
}

/** Throws `bad-encoding` for missing padding, other alphabets, white space or stray low bits. */
export function decodeBase64(text: string): Uint8Array {
  if (text.length % 4 !== 0) throw refusal(text, `has ${text.length} characters, no multiple of 4`);
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  const whole = text.length - (padding === 0 ? 0 : 4);
  let [out, seen, codes] = [0, 0, 0];
  for (let i = 0; i < whole; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    const group = (at(a) << 18) | (at(b) << 12) | (at(c) << 6) | at(d);
    // One look at the end is faster than one for each: -1 leaves the sign bit set.
    seen |= group;
    codes |= a | b | c | d;
    bytes[out++] = group >> 16;
    bytes[out++] = group >> 8;
    bytes[out++] = group;
  }
  if (seen < 0 || codes > 0xff) throw wrongCharacter(text, whole);
  if (padding > 0) decodeLast(text, whole, padding, bytes.subarray(out));
  return bytes;
}

/** The last group, of which `padding` characters are missing: one byte or two. */
function decodeLast(text: string, start: number, padding: number, into: Uint8Array): void {
  const end = start + 4 - padding;
  let group = 0;
  for (let i = start; i < start + 4; i++) {
    const code = i < end ? text.charCodeAt(i) : (alphabet[0] as number);
    if (code > 0xff || at(code) === invalid) throw wrongCharacter(text, end);
    group = (group << 6) | at(code);
  }
  into[0] = group >> 16;
  if (padding === 1) into[1] = group >> 8;
  if ((group & (padding === 1 ? 0xff : 0xffff)) !== 0) {
    throw refusal(text, 'has stray bits before its padding');
  }
}

function at(code: number): number {
  return values[code & 0xff] as number;
}

function wrongCharacter(text: string, end: number): DaybookError {
  for (let i = 0; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code > 0xff || at(code) === invalid) return refusal(text, `has a wrong character at ${i}`);
  }
  return refusal(text, 'has a wrong character');
}

function refusal(text: string, problem: string): DaybookError {
  const shown = text.length > 48 ? `${text.slice(0, 48)}…` : text;
  return new DaybookError('bad-encoding', `"${shown}" is not canonical base64: it ${problem}`);
}
