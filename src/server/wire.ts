/** Parts that the answers' schemas share. Each schema describes the JSON; CBOR has the same members. */
import * as z from 'zod';
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';

const anyBytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);

/**
 * Bytes: base64 in JSON, a byte string in CBOR. Not zod's own base64, which would check each text
 * that `encodeBase64` has just made: a third of what a proof's answer costs.
 */
export const bytesSchema = z.codec(z.string().meta({ contentEncoding: 'base64' }), anyBytes, {
  decode(text, context) {
    try {
      return decodeBase64(text);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      context.issues.push({ code: 'custom', message, input: text });
      return z.NEVER;
    }
  },
  encode: (bytes) => encodeBase64(bytes),
});

export const hashSchema = bytesSchema.describe('32 bytes: base64 in JSON, a byte string in CBOR.');

export const indexSchema = z.int().nonnegative().describe('Zero-based position of the entry.');

export const sizeSchema = z.int().nonnegative().describe('Number of entries of the tree.');
