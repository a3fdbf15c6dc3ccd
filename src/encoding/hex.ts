/** Lowercase base 16 (RFC 4648 section 8, in the lowercase form that C2SP formats write). */
import { DaybookError } from '../errors.ts';

const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function encodeHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += pairs[byte];
  return text;
}

const invalid = 0xff;
/** By ASCII code. */
const digits = new Uint8Array(128).fill(invalid);
Array.from('0123456789abcdef').forEach((digit, value) => (digits[digit.charCodeAt(0)] = value));

/** Bytes of lowercase hex; throws `bad-encoding` for an odd length or any other character. */
export function decodeHex(text: string): Uint8Array {
  if (text.length % 2 !== 0) throw refusal(text);
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    const high = digits[text.charCodeAt(2 * i)] ?? invalid;
    const low = digits[text.charCodeAt(2 * i + 1)] ?? invalid;
    if (high === invalid || low === invalid) throw refusal(text);
    bytes[i] = (high << 4) | low;
  }
  return bytes;
}

function refusal(text: string): DaybookError {
  const shown = text.length > 72 ? `${text.slice(0, 72)}…` : text;
  return new DaybookError('bad-encoding', `"${shown}" is not lowercase hex`);
}
