/** The HTTP side of gossip: plain GET and POST, bounded, for anybody. */
import type Router from '@koa/router';
import { decodeUtf8 } from '../../encoding/bytes.ts';
import { DaybookError } from '../../errors.ts';
import { bodyType, checkBodyHead, readBody, type BodyLimit } from '../../http/body.ts';
import {
  answer,
  answerJson,
  immutable,
  jsonType,
  type Exchange,
  type ExchangeState,
} from '../../http/exchange.ts';
import { MAX_NOTE_BYTES } from '../../note/note.ts';
import { MAX_EVIDENCE_BYTES } from '../../verify/evidence.ts';
import type { Gossip } from './gossip.ts';
import { RateLimit } from './token-bucket.ts';

/** Of one address, behind which may be a company, and of all: about a tenth of what one core can judge. */
const reportRates = [
  { burst: 100, perSecond: 5 },
  { burst: 500, perSecond: 50 },
] as const;
const evidenceRates = [
  { burst: 20, perSecond: 0.5 },
  { burst: 60, perSecond: 3 },
] as const;
/** A body of the largest size is read for so many at once. */
const MAX_CHECKPOINTS = 32;
const MAX_EVIDENCE = 4;
const BODY_TIMEOUT_MS = 10_000;

const checkpointLimit: BodyLimit = {
  bytes: MAX_NOTE_BYTES,
  code: 'request-too-large',
  remedy: 'send one signed checkpoint',
};
const evidenceLimit: BodyLimit = {
  bytes: MAX_EVIDENCE_BYTES,
  code: 'request-too-large',
  remedy: 'send one evidence file',
};

/** Adds the routes below `/gossip/`; `POST /gossip/checkpoint` only where reports are taken. */
export function gossipRoutes(router: Router<ExchangeState>, gossip: Gossip): void {
  const reports = new RateLimit(...reportRates);
  const convictions = new RateLimit(...evidenceRates);
  const readReport = bounded(checkpointLimit, MAX_CHECKPOINTS);
  const readEvidence = bounded(evidenceLimit, MAX_EVIDENCE);

  if (gossip.acceptReports) {
    router.post('/gossip/checkpoint', async (ctx: Exchange) => {
      reports.take(addressOf(ctx));
      bodyType(ctx.req, ['text/plain', 'application/octet-stream']);
      const verdict = await gossip.take(await readReport(ctx), 'client');
      answerJson(ctx, verdict === 'pending' ? 202 : 200, { verdict });
    });
  }

  router.post('/gossip/evidence', async (ctx: Exchange) => {
    convictions.take(addressOf(ctx));
    bodyType(ctx.req, [jsonType]);
    const fresh = await gossip.takeEvidence(await readEvidence(ctx));
    answerJson(ctx, 200, { fresh });
  });

  router.get('/gossip/heads/:hash', (ctx: Exchange & { params: { hash: string } }) => {
    const judge = gossip.judge(ctx.params.hash);
    const heads = judge.heads().map((note) => decodeUtf8(note));
    answerJson(ctx, 200, { origin: judge.origin, heads });
  });

  router.get('/gossip/evidence', (ctx: Exchange) => {
    const { evidence, accusations } = gossip.held();
    answerJson(ctx, 200, {
      evidence: evidence.map(({ id, origin, kind, sizes, convictedWitnesses }) => {
        return { id, origin, kind, sizes, convictedWitnesses };
      }),
      accusations: accusations.map(({ id, origin }) => ({ id, origin })),
    });
  });

  router.get('/gossip/evidence/:id', (ctx: Exchange & { params: { id: string } }) => {
    const { evidence, accusations } = gossip.held();
    const file = [...evidence, ...accusations].find(({ id }) => id === ctx.params.id);
    if (file === undefined) {
      throw new DaybookError('not-found', 'there is no evidence or accusation of this id');
    }
    answer(ctx, 200, ['Content-Type', jsonType, ...immutable], file.bytes);
  });
}

/** Reads bodies of at most `most` requests at a time. */
function bounded(limit: BodyLimit, most: number): (ctx: Exchange) => Promise<Uint8Array> {
  let reading = 0;
  return async (ctx) => {
    checkBodyHead(ctx.req, limit);
    if (reading >= most) {
      throw new DaybookError('overloaded', `${most} such requests are being read; try again`);
    }
    reading += 1;
    try {
      return await readBody(ctx, limit, BODY_TIMEOUT_MS);
    } finally {
      reading -= 1;
    }
  };
}

function addressOf({ req }: Exchange): string {
  return req.socket.remoteAddress ?? 'unknown';
}
