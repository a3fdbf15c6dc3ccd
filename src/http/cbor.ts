/** CBOR (RFC 8949) of answers. Byte strings where JSON has base64; integers never become floats. */
import { Encoder } from 'cbor-x';

const encoder = new Encoder({
  useRecords: false,
  mapsAsObjects: false,
  variableMapSize: true,
  tagUint8Array: false,
});
const firstFloat = 2 ** 32;

export function encodeCbor(value: unknown): Uint8Array {
  return encoder.encode(withIntegers(value));
}

/** cbor-x writes numbers from 2^32 on as floats, but every bigint below 2^64 as an integer. */
function withIntegers(value: unknown): unknown {
  if (typeof value === 'number') return value < firstFloat ? value : BigInt(value);
  if (Array.isArray(value)) return value.map(withIntegers);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .map(([name, member]) => [name, withIntegers(member)]),
  );
}
