/** Byte arrays and strict UTF-8. */
import { DaybookError } from '../errors.ts';

const encoder = new TextEncoder();
// A byte order mark is kept: a stripped one would make two inputs out of one text.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** Compares public data: it stops at the first difference, so never use it on secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** UTF-8 bytes of `text`; throws `bad-encoding` for a lone surrogate, which UTF-8 cannot express. */
export function utf8(text: string): Uint8Array {
  if (!text.isWellFormed()) {
    throw new DaybookError('bad-encoding', 'text has a lone surrogate, so it is not Unicode');
  }
  return encoder.encode(text);
}

/** Text of UTF-8 bytes, byte order mark included; throws `bad-encoding` when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new DaybookError('bad-encoding', `${bytes.length} bytes are not valid UTF-8`, { cause });
  }
}
