/**
 * One HTTP exchange as the handlers see it, and the ways to answer it. Answers bypass Koa's own
 * (`ctx.respond = false`): on the paths of tiles and entries that doubles the throughput.
 */
import { hash } from 'node:crypto';
import type { ParameterizedContext } from 'koa';
import * as z from 'zod';
import { DaybookError } from '../errors.ts';
import { encodeCbor } from './cbor.ts';

export interface ExchangeState {
  requestId: string;
  /** The path as it was sent, which a route matches only in its one canonical spelling. */
  path: string;
  /** What followed the question mark. */
  search: string;
}

export type Exchange = ParameterizedContext<ExchangeState>;

/** Name and value by turns, as `writeHead` takes them. */
export type Headers = readonly string[];

const commonHeaders: Headers = [
  'X-Content-Type-Options',
  'nosniff',
  'Referrer-Policy',
  'no-referrer',
  'Access-Control-Allow-Origin',
  '*',
];
// What a submitter logged may be HTML: no browser may take an answer for a page of this origin.
const dataPolicy = "default-src 'none'; frame-ancestors 'none'";

export const jsonType = 'application/json';
export const cborType = 'application/cbor';
export const immutable: Headers = ['Cache-Control', 'public, max-age=31536000, immutable'];

/** Answers with a body. `policy` is the Content-Security-Policy, for the one answer that is a page. */
export function answer(
  ctx: Exchange,
  status: number,
  headers: Headers,
  body: string | Uint8Array,
  policy = dataPolicy,
): void {
  const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  begin(ctx, status, [...headers, 'Content-Length', String(length)], policy);
  ctx.res.end(body);
}

/** Sends the head of an answer whose body follows through `ctx.res`, or that has none. */
export function begin(
  ctx: Exchange,
  status: number,
  headers: Headers,
  policy: string = dataPolicy,
): void {
  ctx.respond = false;
  ctx.res.writeHead(status, [
    ...commonHeaders,
    'Content-Security-Policy',
    policy,
    'X-Request-Id',
    ctx.state.requestId,
    ...headers,
  ]);
}

export function answerJson(
  ctx: Exchange,
  status: number,
  value: unknown,
  headers: Headers = [],
): void {
  answer(ctx, status, ['Content-Type', jsonType, ...headers], JSON.stringify(value));
}

/** Answers with `value` in the JSON of `schema`, or as the same value in CBOR, as `Accept` wishes. */
export function answerValue<Schema extends z.ZodType>(
  ctx: Exchange,
  status: number,
  schema: Schema,
  value: z.output<Schema>,
  headers: Headers = [],
): void {
  const more = ['Vary', 'Accept', ...headers];
  if (preferredType(ctx, [jsonType, cborType]) === cborType) {
    answer(ctx, status, ['Content-Type', cborType, ...more], encodeCbor(value));
  } else {
    answerJson(ctx, status, z.encode(schema, value), more);
  }
}

/** The offer that `Accept` prefers, the first one where it has no wish; throws `not-acceptable`. */
export function preferredType<Offer extends string>(
  ctx: Exchange,
  offers: readonly [Offer, ...Offer[]],
): Offer {
  const wish = ctx.req.headers.accept;
  if (wish === undefined || wish === '*/*') return offers[0];
  const accepted = ctx.accepts([...offers]);
  const found = offers.find((offer) => offer === accepted);
  if (found !== undefined) return found;
  throw new DaybookError('not-acceptable', `this answer comes as ${offers.join(' or ')} only`);
}

/** The ETag of a representation; `suffix` tells apart the encodings of the same bytes. */
export function strongTag(bytes: Uint8Array, suffix = ''): string {
  return `"${hash('sha256', bytes, 'base64url')}${suffix}"`;
}

/** Answers 304 and gives true when the client has the representation with this `etag`. */
export function answerUnchanged(ctx: Exchange, etag: string, headers: Headers): boolean {
  const known = ctx.req.headers['if-none-match'];
  if (known === undefined) return false;
  const matches = known.trim() === '*' || known.split(',').some((tag) => bareTag(tag) === etag);
  if (!matches) return false;
  begin(ctx, 304, ['ETag', etag, ...headers]);
  ctx.res.end();
  return true;
}

/** If-None-Match compares weakly (RFC 9110 section 13.1.2). */
function bareTag(tag: string): string {
  const trimmed = tag.trim();
  return trimmed.startsWith('W/') ? trimmed.slice(2) : trimmed;
}

/** Whether this `Accept-Encoding` takes gzip. */
export function acceptsGzip(wish: string | undefined): boolean {
  return (
    wish !== undefined &&
    /(^|,)\s*(gzip|\*)\s*(;\s*q=(0\.0*[1-9]\d*|1(\.0*)?)\s*)?(,|$)/i.test(wish)
  );
}
