/** ECDSA signatures: from ASN.1 DER (RFC 3279 section 2.2.3) to the fixed-length form r || s (IEEE P1363). */
import { concatBytes } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { readDerPair } from './der.ts';

/** `size` is the length of the curve's order in bytes; throws `bad-encoding`. */
export function compactEcdsa(der: Uint8Array, size: number): Uint8Array {
  const parts = readDerPair(der).map((number) => {
    if (number.length > size) {
      throw new DaybookError('bad-encoding', `r or s has ${number.length} bytes, want ${size}`);
    }
    return concatBytes(new Uint8Array(size - number.length), number);
  });
  return concatBytes(...parts);
}
