/**
 * The outermost middleware: gives each request its id, refuses what is too much at once, and turns
 * whatever is thrown below into problem details.
 */
import { randomBytes } from 'node:crypto';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import { DaybookError } from '../errors.ts';
import { drain } from './body.ts';
import type { Exchange, ExchangeState } from './exchange.ts';
import { answerProblem, asDaybookError } from './problem.ts';
import type { Traffic } from './traffic.ts';

const clientsId = /^[\w.-]{1,64}$/;
/** The only characters of our paths: each resource has one spelling, without escapes. */
const plainPath = /^\/[\w./-]*$/;
const authority = /^https?:\/\/[^/?#]*/i;

export interface GuardOptions {
  readonly logger: Logger;
  readonly maxRequests: number;
}

export function guard(
  traffic: Traffic,
  { logger, maxRequests }: GuardOptions,
): Middleware<ExchangeState> {
  const { inFlight } = traffic;
  const idPrefix = randomBytes(6).toString('hex');
  let count = 0;

  const refuse = (ctx: Exchange, thrown: unknown): void => {
    const error = asDaybookError(thrown);
    if (error.status >= 500) {
      const { requestId, path } = ctx.state;
      logger.error({ err: error, requestId, method: ctx.method, path }, error.title);
    }
    if (!ctx.res.headersSent) answerProblem(ctx, error);
    else ctx.res.destroy();
  };

  return async (ctx, next) => {
    const { req, res } = ctx;
    const startedAt = performance.now();
    const [path = '', search = ''] = splitTarget(req.url ?? '/');
    const given = req.headers['x-request-id'];
    ctx.state.requestId =
      typeof given === 'string' && clientsId.test(given) ? given : `${idPrefix}-${++count}`;
    ctx.state.path = path;
    ctx.state.search = search;
    if (traffic.stopping) res.shouldKeepAlive = false;
    inFlight.add(res);
    try {
      if (inFlight.size > maxRequests) {
        throw new DaybookError(
          'overloaded',
          `${maxRequests} requests are in flight; try again in a second`,
        );
      }
      if (req.headers.host === undefined && req.httpVersion === '1.1') {
        throw new DaybookError('bad-request', 'an HTTP/1.1 request names its Host');
      }
      if (!plainPath.test(path)) {
        throw new DaybookError(
          'not-found',
          'there is nothing at this path; no path here is escaped',
        );
      }
      await next();
    } catch (error) {
      refuse(ctx, error);
    } finally {
      inFlight.delete(res);
    }
    ctx.respond = false;
    const { headers } = req;
    if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined) {
      drain(req);
    }
    if (logger.isLevelEnabled('debug')) {
      const ms = Math.round(performance.now() - startedAt);
      const { requestId } = ctx.state;
      logger.debug({ requestId, method: ctx.method, path, status: res.statusCode, ms }, 'request');
    }
  };
}

/** Path and query of a request target, in origin or absolute form (RFC 9112 section 3.2). */
function splitTarget(target: string): readonly [path: string, search: string] {
  const local = target.startsWith('/') ? target : target.replace(authority, '') || '/';
  const mark = local.indexOf('?');
  return mark < 0 ? [local, ''] : [local.slice(0, mark), local.slice(mark + 1)];
}
