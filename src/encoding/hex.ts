/** Lowercase base 16 (RFC 4648 section 8, in the lowercase form that C2SP formats write). */
import { DaybookError } from '../errors.ts';

const pairs = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

export function encodeHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += pairs[byte];
  return text;
}

/** Bytes of lowercase hex; throws `bad-encoding` for an odd length or any other character. */
export function decodeHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) {
    const shown = text.length > 72 ? `${text.slice(0, 72)}…` : text;
    throw new DaybookError('bad-encoding', `"${shown}" is not lowercase hex`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  }
  return bytes;
}
