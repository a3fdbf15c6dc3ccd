/** POST /entries and POST /add: one entry in, its index and, once it is published, its proof out. */
import * as z from 'zod';
import { decodeUtf8 } from '../encoding/bytes.ts';
import { encodeBase64 } from '../encoding/base64.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { bodyType, checkBodyHead, readBody, type BodyLimit } from '../http/body.ts';
import { encodeCbor } from '../http/cbor.ts';
import { answer, cborType, jsonType, preferredType, type Exchange } from '../http/exchange.ts';
import type { Sequenced } from '../log/log.ts';
import { operation, type Operation } from './operation.ts';
import { within, type Service } from './service.ts';
import { hashSchema, indexSchema } from './wire.ts';

export const sequencedSchema = z.strictObject({
  index: indexSchema,
  leafHash: hashSchema,
  duplicate: z
    .boolean()
    .describe('Whether the log had it already; then the index is that of the entry logged first.'),
});
export const includedSchema = sequencedSchema.extend({
  proof: z.string().describe('The text of a .tlog-proof file (C2SP tlog-proof).'),
});

const entryTypes = [
  'application/vnd.dsse.envelope.v1+json',
  'application/json',
  'application/octet-stream',
] as const;

const entryLimit: BodyLimit = {
  bytes: MAX_ENTRY_BYTES,
  code: 'entry-too-large',
  remedy: 'log a statement about a manifest of the files instead',
};
/** What an entry in flight costs beside its bytes: its promise, its request, its place in a queue. */
const entryOverhead = 1024;

/** Reads the body and submits it; the index is durable when this resolves. */
async function submitBody(ctx: Exchange, service: Service): Promise<Sequenced> {
  const { log, config, entryBytes } = service;
  const length = checkBodyHead(ctx.req, entryLimit);
  service.checkAccepting();
  return within(entryBytes, length + entryOverhead, 'bytes of entries', async () =>
    log.submit(await readBody(ctx, entryLimit, config.bodyTimeoutMs)),
  );
}

/** Whether a published checkpoint covers the entry; false when none came in time, or the client is gone. */
async function awaitInclusion(
  ctx: Exchange,
  { log, config }: Service,
  { index }: Sequenced,
): Promise<boolean> {
  if (index < log.published.size) return true;
  const waiting = new AbortController();
  const giveUp = (): void => waiting.abort();
  const timer = setTimeout(giveUp, config.includedTimeoutMs);
  ctx.res.once('close', giveUp);
  try {
    await log.included(index, waiting.signal);
    return true;
  } catch (error) {
    if (waiting.signal.aborted) return false;
    throw error;
  } finally {
    clearTimeout(timer);
    ctx.res.off('close', giveUp);
  }
}

function answerEntry(
  ctx: Exchange,
  status: number,
  { index, leafHash, duplicate }: Sequenced,
  location: string,
  proof?: string,
): void {
  const headers = ['Location', location, 'Content-Type'];
  const more = proof === undefined ? {} : { proof };
  if (preferredType(ctx, [jsonType, cborType]) === cborType) {
    const body = encodeCbor({ index, leafHash, duplicate, ...more });
    answer(ctx, status, [...headers, cborType], body);
  } else {
    const body = { index, leafHash: encodeBase64(leafHash), duplicate, ...more };
    answer(ctx, status, [...headers, jsonType], JSON.stringify(body));
  }
}

export function submitOperations(service: Service): Operation[] {
  const { log } = service;
  const postEntry = operation({
    method: 'post',
    path: '/entries',
    summary: 'Log one entry: the body is the entry, byte by byte.',
    query: z.strictObject({
      wait: z
        .enum(['included', 'sequenced'])
        .default('included')
        .describe(
          '`included` answers when a published checkpoint covers the entry; `sequenced` when its index is durable.',
        ),
    }),
    body: {
      description: 'A DSSE envelope, or any bytes where admission is open.',
      types: entryTypes,
    },
    answers: {
      200: {
        description: 'The log had it already. With `proof` unless `wait=sequenced`.',
        content: { [jsonType]: includedSchema.partial({ proof: true }), [cborType]: undefined },
      },
      201: {
        description: 'Logged. With `proof` unless `wait=sequenced`.',
        content: { [jsonType]: includedSchema.partial({ proof: true }), [cborType]: undefined },
      },
      202: {
        description: 'Logged, but not yet published; Location is where the proof will be.',
        content: { [jsonType]: sequencedSchema, [cborType]: undefined },
      },
    },
    async handle(ctx, { query }) {
      preferredType(ctx, [jsonType, cborType]);
      bodyType(ctx.req, entryTypes);
      const sequenced = await submitBody(ctx, service);
      const status = sequenced.duplicate ? 200 : 201;
      const entry = `/entries/${sequenced.index}`;
      if (query.wait === 'sequenced') {
        answerEntry(ctx, status, sequenced, entry);
        return;
      }
      if (await awaitInclusion(ctx, service, sequenced)) {
        const proof = await log.entryProof(sequenced.index);
        answerEntry(ctx, status, sequenced, entry, decodeUtf8(proof));
      } else {
        answerEntry(ctx, 202, sequenced, `/proofs/entry/${sequenced.index}`);
      }
    },
  });
  const add = operation({
    method: 'post',
    path: '/add',
    summary:
      'Log any bytes; answers with the decimal index, as load tools of other tile logs expect.',
    body: { description: 'The entry: 1 to 65,535 bytes, whatever their type.', types: ['*/*'] },
    answers: { 200: { description: 'The index, durable.', content: { 'text/plain': undefined } } },
    async handle(ctx) {
      const { index } = await submitBody(ctx, service);
      answer(ctx, 200, ['Content-Type', 'text/plain; charset=utf-8'], String(index));
    },
  });
  return log.admission.mode === 'open' ? [postEntry, add] : [postEntry];
}
