/**
 * POST /entries/batch: a stream of entries in, a stream of answers out, in the same order. Answers
 * are written without waiting for the client to read them (they are bounded by the entries' number):
 * most clients read only when they have sent everything, and waiting for them would be a deadlock.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import * as z from 'zod';
import { encodeBase64 } from '../encoding/base64.ts';
import { DaybookError } from '../errors.ts';
import { bodyType, checkBodyHead, inviteBody, tooLarge, type BodyLimit } from '../http/body.ts';
import { encodeCbor } from '../http/cbor.ts';
import {
  CborSequenceDecoder,
  LineDecoder,
  type DecodedEntry,
  type EntryDecoder,
} from './entry-decoder.ts';
import { begin, preferredType, type Exchange } from '../http/exchange.ts';
import type { Sequenced } from '../log/log.ts';
import { operation, type Operation } from './operation.ts';
import { asDaybookError, problemOf, problemSchema } from '../http/problem.ts';
import { within, type Service } from './service.ts';
import { sequencedSchema } from './submit.ts';

const cborSequenceType = 'application/cbor-seq';
const linesType = 'application/x-ndjson';

export const batchAnswerSchema = z.union([
  sequencedSchema,
  z.strictObject({ error: problemSchema }).describe('Why the entry in this place was not logged.'),
]);

type Outcome = Sequenced | DaybookError;

/** What is handed to the log at once; two such portions are on their way while a third gathers. */
const portionEntries = 1024;
const portionBytes = 1 << 20;
const portionsInFlight = 2;
/** How long the client may take to read its answers once all of them are there. */
const answersTimeoutMs = 10_000;

function answerLine(outcome: Outcome): string {
  if (outcome instanceof DaybookError) return `${JSON.stringify({ error: problemOf(outcome) })}\n`;
  const { index, leafHash, duplicate } = outcome;
  return `{"index":${index},"leafHash":"${encodeBase64(leafHash)}","duplicate":${duplicate}}\n`;
}

function answerItem(outcome: Outcome): Uint8Array {
  if (outcome instanceof DaybookError) return encodeCbor({ error: problemOf(outcome) });
  const { index, leafHash, duplicate } = outcome;
  return encodeCbor({ index, leafHash, duplicate });
}

/**
 * The entries of a body, in portions. Where the body can be read no further, the reason takes the
 * place of the next entry, and what came before is logged; it is thrown when nothing came before.
 */
async function* portions(
  req: IncomingMessage,
  decoder: EntryDecoder,
  maxEntries: number,
  limit: BodyLimit,
): AsyncGenerator<DecodedEntry[]> {
  let portion: DecodedEntry[] = [];
  let bytes = 0;
  let entries = 0;
  try {
    for await (const decoded of decodedPieces(req, decoder, limit)) {
      for (const entry of decoded) {
        if (++entries > maxEntries) throw tooMany(maxEntries);
        portion.push(entry);
        bytes += entry instanceof Uint8Array ? entry.length : 0;
        if (portion.length < portionEntries && bytes < portionBytes) continue;
        yield portion;
        portion = [];
        bytes = 0;
      }
    }
    if (entries === 0) throw new DaybookError('bad-request', 'the batch has no entries');
  } catch (error) {
    if (entries === 0) throw error;
    portion.push(asDaybookError(error));
  }
  if (portion.length > 0) yield portion;
}

async function* decodedPieces(
  req: IncomingMessage,
  decoder: EntryDecoder,
  limit: BodyLimit,
): AsyncGenerator<Iterable<DecodedEntry>> {
  let bytes = 0;
  // Leaving the loop must not destroy the request: the answer still travels on its connection.
  const pieces = req.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>;
  try {
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > limit.bytes) throw tooLarge(`more than ${limit.bytes}`, limit);
      yield decoder.push(piece);
    }
  } catch (cause) {
    if (!req.destroyed) throw cause;
    throw new DaybookError('bad-request', `the body was cut off after ${bytes} bytes`, { cause });
  }
  yield decoder.end();
}

function tooMany(limit: number): DaybookError {
  return new DaybookError(
    'request-too-large',
    `the batch has more than ${limit} entries; send the rest in another one`,
  );
}

/** Submits what could be decoded; the answers are in the places of the entries. */
async function submitPortion({ log }: Service, portion: DecodedEntry[]): Promise<Outcome[]> {
  const outcomes = await log.submitMany(portion.filter((entry) => entry instanceof Uint8Array));
  let next = 0;
  return portion.map((entry) =>
    entry instanceof DaybookError ? entry : (outcomes[next++] as Outcome),
  );
}

async function answerBatch(ctx: Exchange, service: Service): Promise<void> {
  const { config } = service;
  const limit: BodyLimit = {
    bytes: config.maxBatchBytes,
    code: 'request-too-large',
    remedy: 'send it as several batches',
  };
  const type = bodyType(ctx.req, [cborSequenceType, linesType]);
  const other = type === linesType ? cborSequenceType : linesType;
  const answerType = preferredType(ctx, [type, other]);
  checkBodyHead(ctx.req, limit);
  service.checkAccepting();
  const decoder = type === linesType ? new LineDecoder() : new CborSequenceDecoder();
  const write = (outcomes: readonly Outcome[]): void => {
    if (!ctx.res.headersSent) begin(ctx, 200, ['Content-Type', answerType, 'Vary', 'Accept']);
    ctx.res.write(
      answerType === linesType
        ? outcomes.map(answerLine).join('')
        : Buffer.concat(outcomes.map(answerItem)),
    );
  };
  await within(service.batches, 1, 'batches', async () => {
    inviteBody(ctx.req, ctx.res);
    const inFlight: Promise<Outcome[]>[] = [];
    try {
      for await (const portion of portions(ctx.req, decoder, config.maxBatchEntries, limit)) {
        const submitted = submitPortion(service, portion);
        // It is awaited in its turn; a rejection before that is not unhandled.
        submitted.catch(() => undefined);
        inFlight.push(submitted);
        if (inFlight.length > portionsInFlight) write((await inFlight.shift()) ?? []);
      }
      for (const submitted of inFlight) write(await submitted);
    } catch (error) {
      if (!ctx.res.headersSent) throw error;
      write([asDaybookError(error)]);
    }
    await finish(ctx.res);
  });
}

/** A batch is in flight until its answers are read: they are what it costs. */
async function finish(res: ServerResponse): Promise<void> {
  const timer = setTimeout(() => res.destroy(), answersTimeoutMs);
  await new Promise<void>((resolve) => {
    res.once('close', resolve);
    res.end();
  });
  clearTimeout(timer);
}

export function batchOperations(service: Service): Operation[] {
  return [
    operation({
      method: 'post',
      path: '/entries/batch',
      summary: `Log up to ${service.config.maxBatchEntries} entries; each is answered in its place.`,
      body: {
        description:
          'A CBOR sequence of byte strings, or lines that end in a line feed; each is one entry.',
        types: [cborSequenceType, linesType],
      },
      answers: {
        200: {
          description:
            'An answer for each entry, in order. One more, an error, says where the body could be read no further.',
          content: { [linesType]: batchAnswerSchema, [cborSequenceType]: undefined },
        },
      },
      handle: (ctx) => answerBatch(ctx, service),
    }),
  ];
}
