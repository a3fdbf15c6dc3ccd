/** Parts that the answers' schemas share. Each schema describes the JSON; CBOR has the same members. */
import * as z from 'zod';
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';

const anyBytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

/** Bytes: base64 in JSON, a byte string in CBOR. */
export const bytesSchema = z.codec(z.base64(), anyBytes, {
  decode: (text) => decodeBase64(text),
  encode: (bytes) => encodeBase64(bytes),
});

export const hashSchema = bytesSchema.describe('32 bytes: base64 in JSON, a byte string in CBOR.');

export const indexSchema = z.int().nonnegative().describe('Zero-based position of the entry.');

export const sizeSchema = z.int().nonnegative().describe('Number of entries of the tree.');
