/** Query and path parameters: each known, given once, and in its one canonical spelling. */
import * as z from 'zod';
import { leafIndex, treeSize } from '../encoding/integer.ts';
import { decodeBase64 } from '../encoding/base64.ts';
import { decodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';

const decimal = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,15})$/, 'want a decimal without leading zeros')
  .refine((text) => Number.isSafeInteger(Number(text)), 'want at most 2^53 - 1');

export const indexParameter = decimal
  .transform((text) => leafIndex(Number(text)))
  .describe('Zero-based position of an entry.');

export const sizeParameter = decimal
  .transform((text) => treeSize(Number(text)))
  .describe('Number of entries of a tree, at most that of the newest checkpoint.');

export const digestParameter = z
  .string()
  .regex(
    /^([0-9a-f]{64}|[A-Za-z0-9_-]{43})$/,
    'want 32 bytes as 64 lowercase hex digits or as base64url without padding',
  )
  .transform(parseDigest)
  .describe('32 bytes: 64 lowercase hex digits, or base64url without padding (43 characters).');

function parseDigest(text: string): Uint8Array {
  if (text.length === 64) return decodeHex(text);
  return decodeBase64(`${text.replaceAll('-', '+').replaceAll('_', '/')}=`);
}

/**
 * The parameters of a query string (without its question mark); throws `bad-request` for one that is
 * not of `schema` or comes twice.
 */
export function parseQuery<Schema extends z.ZodObject>(
  search: string,
  schema: Schema,
): z.output<Schema> {
  const given: Record<string, string> = {};
  for (const [name, value] of search === '' ? [] : new URLSearchParams(search)) {
    if (!Object.hasOwn(schema.shape, name)) {
      const known = Object.keys(schema.shape);
      const want = known.length === 0 ? 'none is known here' : `known are ${known.join(', ')}`;
      throw new DaybookError('bad-request', `unknown query parameter "${shorten(name)}"; ${want}`);
    }
    if (Object.hasOwn(given, name)) {
      throw new DaybookError('bad-request', `query parameter "${name}" comes twice`);
    }
    given[name] = value;
  }
  return parseParameters(given, schema);
}

/** Throws `bad-request` that names the first wrong parameter and its value. */
export function parseParameters<Schema extends z.ZodObject>(
  given: Readonly<Record<string, string>>,
  schema: Schema,
): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const name = String(issue?.path[0] ?? '');
  const value = Object.hasOwn(given, name) ? ` "${shorten(given[name] ?? '')}"` : '';
  const where = name === '' ? '' : `parameter ${name}${value}: `;
  throw new DaybookError('bad-request', `${where}${issue?.message ?? 'malformed'}`);
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
