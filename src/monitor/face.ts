/**
 * What a monitor serves: its cosigned checkpoints at a monitoring prefix (C2SP tlog-witness), what
 * failed in its audits, its alerts and metrics, and its side of the gossip.
 *
 *     GET /<origin hash>/checkpoint
 *     GET /<origin hash>/findings?from=<index>
 *     GET /logs
 */
import type { Logger } from 'pino';
import { DaybookError } from '../errors.ts';
import { parseDecimal } from '../encoding/integer.ts';
import { answer, answerJson } from '../http/exchange.ts';
import { createHttpFace, type HttpFace } from '../http/face.ts';
import { alertRoutes } from './alert-routes.ts';
import { gossipRoutes } from './gossip/routes.ts';
import type { Monitor } from './monitor.ts';
import type { WatchedLog } from './watched-log.ts';

const uncached = ['Cache-Control', 'no-cache'];

/** It does not listen yet, and leaves closing the monitor to the caller. */
export function createMonitorFace(monitor: Monitor, logger: Logger): HttpFace {
  const watched = (originHash: string | undefined): WatchedLog => {
    const log = monitor.log(originHash ?? '');
    if (log) return log;
    throw new DaybookError('unknown-origin', 'no log of this origin hash is watched: see /logs');
  };
  return createHttpFace({
    logger,
    routes(router) {
      router.get('/healthz', (ctx) => answerJson(ctx, 200, { status: 'ok' }, uncached));
      router.get('/logs', (ctx) => {
        const logs = [...monitor.logs].map((log) => ({ ...log.status(), originHash: log.hash }));
        answerJson(ctx, 200, { logs }, uncached);
      });
      gossipRoutes(router, monitor.gossip);
      alertRoutes(router, monitor.outbox, monitor.metrics);
      router.get('/:originHash/checkpoint', (ctx) => {
        const note = watched(ctx.params.originHash).checkpoint;
        if (!note) throw new DaybookError('not-found', 'no checkpoint of this log was cosigned');
        answer(ctx, 200, ['Content-Type', 'text/plain; charset=utf-8', ...uncached], note);
      });
      router.get('/:originHash/findings', async (ctx) => {
        const log = watched(ctx.params.originHash);
        const from = parseDecimal(new URLSearchParams(ctx.state.search).get('from') ?? '0');
        const { origin, tree } = log;
        const size = tree.size;
        const page = await monitor.findings(log.hash, from);
        answerJson(ctx, 200, { origin, size, ...page }, uncached);
      });
    },
  });
}
