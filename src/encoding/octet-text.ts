/**
 * Strings for formats made of octets, where two names are the same when their octets are. Octets
 * that are UTF-8 are carried as their text. In any others, each octet from 0x80 up is carried as the
 * lone surrogate U+DC00 + octet, which no UTF-8 gives. So equal strings are equal octets, and what
 * is UTF-8 reads as it looks.
 */
import { decodeUtf8, utf8 } from './bytes.ts';

export function octetText(octets: Uint8Array): string {
  try {
    return decodeUtf8(octets);
  } catch {
    return Array.from(octets, (octet) =>
      String.fromCharCode(octet < 0x80 ? octet : 0xdc00 + octet),
    ).join('');
  }
}

/** The octets that octetText carries as `text`. */
export function textOctets(text: string): Uint8Array {
  if (text.isWellFormed()) return utf8(text);
  return Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
}
