/** What a monitor serves of its alerts: the feed, the list, the metrics. */
import type Router from '@koa/router';
import {
  answer,
  answerJson,
  answerUnchanged,
  strongTag,
  type ExchangeState,
} from '../http/exchange.ts';
import { utf8 } from '../encoding/bytes.ts';
import { formatFeed } from './feed.ts';
import type { MonitorMetrics } from './metrics.ts';
import type { Outbox } from './outbox.ts';

const feedType = 'application/atom+xml; charset=utf-8';

export function alertRoutes(
  router: Router<ExchangeState>,
  outbox: Pick<Outbox, 'feedId' | 'newest'>,
  metrics: MonitorMetrics,
): void {
  router.get('/alerts.atom', (ctx) => {
    const { feedId: id, newest: alerts } = outbox;
    const feed = utf8(formatFeed({ id, alerts, self: 'alerts.atom' }));
    const tag = strongTag(feed);
    if (answerUnchanged(ctx, tag, [])) return;
    answer(ctx, 200, ['Content-Type', feedType, 'ETag', tag, 'Cache-Control', 'no-cache'], feed);
  });
  router.get('/alerts', (ctx) => answerJson(ctx, 200, { alerts: outbox.newest }));
  router.get('/metrics', async (ctx) => {
    answer(ctx, 200, ['Content-Type', metrics.contentType], await metrics.text());
  });
}
