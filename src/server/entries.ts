/** GET /entries/{index} and GET /entries?leafHash=|sha256=: what was logged, by place or by digest. */
import * as z from 'zod';
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { asHash } from '../merkle/hash.ts';
import {
  answer,
  answerValue,
  cborType,
  immutable,
  jsonType,
  preferredType,
  type Exchange,
} from '../http/exchange.ts';
import { operation, type Operation } from './operation.ts';
import { digestParameter, indexParameter } from './parameters.ts';
import type { Service } from './service.ts';
import { bytesSchema, indexSchema, sizeSchema } from './wire.ts';

const bytesType = 'application/octet-stream';
const maxPage = 1000;

export const entrySchema = z.strictObject({
  index: indexSchema,
  entry: bytesSchema.describe('The bytes that were logged: base64 in JSON, a byte string in CBOR.'),
});

export const lookupSchema = z.strictObject({
  indexes: z.array(indexSchema).describe('Ascending. Read each with GET /entries/{index}.'),
  next: indexSchema.optional().describe('There may be more: ask again with `from` set to this.'),
  size: sizeSchema.describe('Entries from here on were not looked at.'),
  absence: z.string(),
});

const absence =
  'Nothing follows from what is missing here: only proofs against a checkpoint prove anything, and they prove presence. Read the whole log to be sure that it has no more.';

const lookupQuery = z.strictObject({
  leafHash: digestParameter.optional().describe('SHA-256 of a zero byte and the entry.'),
  sha256: digestParameter.optional().describe('SHA-256 of a file that statements name.'),
  from: indexParameter.default(leafIndex(0)).describe('Smallest index to list; 0 by default.'),
  limit: indexParameter
    .refine((limit) => limit >= 1 && limit <= maxPage, `want 1 to ${maxPage}`)
    .default(leafIndex(100))
    .describe(`Most indexes to list, 1 to ${maxPage}; 100 by default.`),
});

async function lookUp(
  ctx: Exchange,
  { log }: Service,
  { leafHash, sha256, from, limit }: z.output<typeof lookupQuery>,
): Promise<void> {
  if ((leafHash === undefined) === (sha256 === undefined)) {
    throw new DaybookError('bad-request', 'want one of leafHash and sha256');
  }
  const { size } = log.published;
  const found =
    leafHash === undefined
      ? await log.lookupArtifact(sha256 as Uint8Array, from, limit)
      : [log.lookupLeaf(asHash(leafHash))];
  const indexes = found.filter((index): index is LeafIndex => index !== undefined && index >= from);
  const last = indexes.at(-1);
  const full = sha256 !== undefined && indexes.length === limit && last !== undefined;
  const next = full ? { next: last + 1 } : {};
  answerValue(ctx, 200, lookupSchema, { indexes, ...next, size, absence });
}

export function entryOperations(service: Service): Operation[] {
  const { log } = service;
  return [
    operation({
      method: 'get',
      path: '/entries',
      summary: 'Indexes of the published entries with a leaf hash, or about a file.',
      query: lookupQuery,
      answers: {
        200: {
          description: 'The indexes, possibly none.',
          content: { [jsonType]: lookupSchema, [cborType]: undefined },
        },
      },
      handle: (ctx, { query }) => lookUp(ctx, service, query),
    }),
    operation({
      method: 'get',
      path: '/entries/:index',
      summary: 'One published entry; its exact bytes as application/octet-stream.',
      params: z.strictObject({ index: indexParameter }),
      answers: {
        200: {
          description: 'The entry.',
          content: { [jsonType]: entrySchema, [cborType]: undefined, [bytesType]: undefined },
        },
      },
      async handle(ctx, { params: { index } }) {
        const type = preferredType(ctx, [jsonType, cborType, bytesType]);
        const entry = await log.entry(index);
        if (type === bytesType) {
          const headers = ['Content-Type', bytesType, 'Vary', 'Accept', ...immutable];
          answer(ctx, 200, headers, entry);
        } else {
          answerValue(ctx, 200, entrySchema, { index, entry }, immutable);
        }
      },
    }),
  ];
}
