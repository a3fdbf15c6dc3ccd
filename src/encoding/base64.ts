/** Base 64 (RFC 4648 section 4), padded and canonical: each byte array has exactly one text. */
import { DaybookError } from '../errors.ts';

const alphabet = new TextEncoder().encode(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
);
const pad = 0x3d;
const invalid = 0xff;
const values = new Uint8Array(256).fill(invalid);
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
  const characters = text.length - padding;
  const bytes = new Uint8Array((text.length / 4) * 3 - padding);
  let out = 0;
  for (let i = 0; i < characters; i += 4) {
    let group = 0;
    for (let j = i; j < i + 4; j++) {
      const value = j < characters ? (values[text.charCodeAt(j)] ?? invalid) : 0;
      if (value === invalid) throw refusal(text, `has a wrong character at ${j}`);
      group = (group << 6) | value;
    }
    bytes[out++] = group >> 16;
    if (out < bytes.length) bytes[out++] = (group >> 8) & 255;
    else if ((group & 0xffff) !== 0) throw refusal(text, 'has stray bits before its padding');
    if (out < bytes.length) bytes[out++] = group & 255;
    else if ((group & 0xff) !== 0) throw refusal(text, 'has stray bits before its padding');
  }
  return bytes;
}

function refusal(text: string, problem: string): DaybookError {
  const shown = text.length > 48 ? `${text.slice(0, 48)}…` : text;
  return new DaybookError('bad-encoding', `"${shown}" is not canonical base64: it ${problem}`);
}
