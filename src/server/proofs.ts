/** GET /proofs/...: inclusion and consistency proofs, and ready .tlog-proof files. */
import * as z from 'zod';
import { decodeUtf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { asHash } from '../merkle/hash.ts';
import { answer, answerValue, cborType, jsonType } from '../http/exchange.ts';
import { operation, type Operation } from './operation.ts';
import { digestParameter, indexParameter, sizeParameter } from './parameters.ts';
import type { Service } from './service.ts';
import { hashSchema, indexSchema, sizeSchema } from './wire.ts';

const checkpointSchema = z
  .string()
  .optional()
  .describe('The newest checkpoint, when the proof is to its size.');

export const inclusionSchema = z.strictObject({
  index: indexSchema,
  size: sizeSchema,
  leafHash: hashSchema,
  hashes: z.array(hashSchema).describe('Leaf sibling first (RFC 6962 section 2.1.1).'),
  checkpoint: checkpointSchema,
});

export const consistencySchema = z.strictObject({
  from: sizeSchema,
  to: sizeSchema,
  hashes: z.array(hashSchema).describe('RFC 6962 section 2.1.2.'),
  checkpoint: checkpointSchema,
});

const proofTypes = (schema: z.ZodType): Record<string, z.ZodType | undefined> => ({
  [jsonType]: schema,
  [cborType]: undefined,
});

export function proofOperations({ log }: Service): Operation[] {
  return [
    operation({
      method: 'get',
      path: '/proofs/inclusion',
      summary: 'Proof that the tree of a size includes an entry.',
      query: z.strictObject({
        index: indexParameter.optional(),
        leafHash: digestParameter.optional().describe('SHA-256 of a zero byte and the entry.'),
        size: sizeParameter.optional(),
      }),
      answers: { 200: { description: 'The proof.', content: proofTypes(inclusionSchema) } },
      async handle(ctx, { query }) {
        const published = log.published;
        const size = query.size ?? published.size;
        if ((query.index === undefined) === (query.leafHash === undefined)) {
          throw new DaybookError('bad-request', 'want one of index and leafHash');
        }
        const index = query.index ?? log.lookupLeaf(asHash(query.leafHash as Uint8Array));
        if (index === undefined) {
          throw new DaybookError('not-found', 'no entry with this leaf hash was found');
        }
        const { leafHash, proof: hashes } = await log.inclusion(index, size);
        const checkpoint = size === published.size ? decodeUtf8(published.note) : undefined;
        const proof = { index, size, leafHash, hashes: [...hashes], checkpoint };
        answerValue(ctx, 200, inclusionSchema, proof);
      },
    }),
    operation({
      method: 'get',
      path: '/proofs/consistency',
      summary: 'Proof that the tree of a size is a beginning of the tree of a larger one.',
      query: z.strictObject({ from: sizeParameter, to: sizeParameter.optional() }),
      answers: { 200: { description: 'The proof.', content: proofTypes(consistencySchema) } },
      async handle(ctx, { query: { from, to } }) {
        const published = log.published;
        const size = to ?? published.size;
        const hashes = await log.consistency(from, size);
        const checkpoint = size === published.size ? decodeUtf8(published.note) : undefined;
        const proof = { from, to: size, hashes: [...hashes], checkpoint };
        answerValue(ctx, 200, consistencySchema, proof);
      },
    }),
    operation({
      method: 'get',
      path: '/proofs/entry/:index',
      summary:
        'A ready .tlog-proof file: the entry, its inclusion proof and the newest checkpoint.',
      params: z.strictObject({ index: indexParameter }),
      answers: {
        200: { description: 'C2SP tlog-proof.', content: { 'text/plain': undefined } },
      },
      async handle(ctx, { params: { index } }) {
        const proof = await log.entryProof(index);
        answer(ctx, 200, ['Content-Type', 'text/plain; charset=utf-8'], proof);
      },
    }),
  ];
}
