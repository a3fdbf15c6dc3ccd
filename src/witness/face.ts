/** A witness over HTTP (C2SP tlog-witness); submission prefix and monitoring prefix are the same. */
import type { Logger } from 'pino';
import { DaybookError } from '../errors.ts';
import { checkBodyHead, readBody, type BodyLimit } from '../http/body.ts';
import { answer, answerJson, type Exchange } from '../http/exchange.ts';
import { createHttpFace, type HttpFace } from '../http/face.ts';
import { defaultFaceLimits, type FaceLimits } from '../http/limits.ts';
import { answerProblem } from '../http/problem.ts';
import { MAX_ADD_CHECKPOINT_BYTES } from '../note/add-checkpoint.ts';
import type { Witness } from './witness.ts';

const limit: BodyLimit = {
  bytes: MAX_ADD_CHECKPOINT_BYTES,
  code: 'request-too-large',
  remedy: 'send the checkpoint with the signatures of the log only',
};
/** So many of the largest bodies are 130 MiB; a slow one makes room soon. */
const witnessLimits = { maxRequests: 256, bodyTimeoutMs: 5000 };
const text = ['Content-Type', 'text/plain; charset=utf-8'];
const uncached = ['Cache-Control', 'no-cache'];

export interface WitnessFaceOptions {
  readonly logger: Logger;
  readonly limits?: Partial<FaceLimits>;
}

/** It does not listen yet, and leaves closing the witness to the caller. */
export function createWitnessFace(witness: Witness, options: WitnessFaceOptions): HttpFace {
  const limits = { ...defaultFaceLimits, ...witnessLimits, ...options.limits };
  return createHttpFace({
    logger: options.logger,
    limits,
    routes(router) {
      router.post('/add-checkpoint', async (ctx: Exchange) => {
        checkBodyHead(ctx.req, limit);
        await addCheckpoint(ctx, witness, await readBody(ctx, limit, limits.bodyTimeoutMs));
      });
      router.get('/:originHash/checkpoint', (ctx) => {
        const note = witness.checkpoint(ctx.params.originHash ?? '');
        if (note === undefined) {
          throw new DaybookError('not-found', 'no checkpoint of this log was cosigned');
        }
        answer(ctx, 200, [...text, ...uncached], note);
      });
      router.get('/healthz', (ctx) => {
        const works = witness.halted === undefined;
        answerJson(ctx, works ? 200 : 503, { status: works ? 'ok' : 'halted' }, uncached);
      });
    },
  });
}

async function addCheckpoint(ctx: Exchange, witness: Witness, body: Uint8Array): Promise<void> {
  try {
    const answered = await witness.addCheckpoint(body);
    if ('conflict' in answered) {
      answer(ctx, 409, ['Content-Type', 'text/x.tlog.size'], `${answered.conflict}\n`);
    } else {
      answer(ctx, 200, text, answered.cosignatures);
    }
  } catch (error) {
    // The witness has reported it, once in a while; each request would be too often.
    if (!(error instanceof DaybookError && error.code === 'clock-went-back')) throw error;
    answerProblem(ctx, error);
  }
}
