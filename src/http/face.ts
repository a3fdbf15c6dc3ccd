/**
 * The HTTP face of a part: a Koa application with bounds on everything it takes in, whose every
 * refusal is problem details (RFC 9457).
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import Router from '@koa/router';
import Koa, { type Middleware } from 'koa';
import type { Logger } from 'pino';
import { DaybookError } from '../errors.ts';
import { answerClientErrors } from './client-error.ts';
import type { Exchange, ExchangeState } from './exchange.ts';
import { guard } from './guard.ts';
import { defaultFaceLimits, type FaceLimits } from './limits.ts';
import { answerOtherMethod } from './problem.ts';
import { Traffic } from './traffic.ts';

export interface HttpFace {
  readonly http: Server;
  readonly traffic: Traffic;
  /** Port 0 takes a free one. */
  listen(port: number, host?: string): Promise<AddressInfo>;
  /**
   * Takes no more connections, and resolves when the requests in flight are answered, or cut after
   * `stopTimeoutMs`.
   */
  stop(): Promise<void>;
}

export interface HttpFaceOptions {
  /** Request lines at `debug`, failures of ours at `error`; never bodies or keys. */
  readonly logger: Logger;
  readonly limits?: Partial<FaceLimits>;
  /** For paths that are asked so often that a router would cost too much. */
  readonly before?: Middleware<ExchangeState>;
  readonly routes: (router: Router<ExchangeState>) => void;
  readonly traffic?: Traffic;
}

/** It does not listen yet. */
export function createHttpFace(options: HttpFaceOptions): HttpFace {
  const limits = { ...defaultFaceLimits, ...options.limits };
  const traffic = options.traffic ?? new Traffic();
  const http = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: 1000,
    noDelay: true,
    // The guard refuses a missing host, with problem details.
    requireHostHeader: false,
  });
  http.maxConnections = limits.maxConnections;
  http.timeout = limits.idleTimeoutMs;
  const handle = application(options, traffic, limits).callback();
  http.on('request', (req, res) => void handle(req, res));
  // The client is told to send its body only when the body is about to be read.
  http.on('checkContinue', (req, res) => void handle(req, res));
  answerClientErrors(http);
  const unused = unusedConnections(http);
  return {
    http,
    traffic,
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        http.once('error', reject);
        http.listen(port, host, () => {
          http.off('error', reject);
          resolve(http.address() as AddressInfo);
        });
      }),
    async stop() {
      traffic.stop();
      for (const socket of unused) socket.destroy();
      await closeServer(http, limits.stopTimeoutMs);
    },
  };
}

function application(
  { logger, before, routes }: HttpFaceOptions,
  traffic: Traffic,
  { maxRequests }: FaceLimits,
): Koa<ExchangeState> {
  const app = new Koa<ExchangeState>();
  // What a handler throws is answered by the guard; what is left are connections that broke.
  app.on('error', (error: unknown) => logger.debug({ err: error }, 'connection'));
  app.use(guard(traffic, { logger, maxRequests }));
  if (before) app.use(before);
  const router = new Router<ExchangeState>({ sensitive: true, strict: true });
  routes(router);
  app.use(router.routes());
  app.use((ctx: Exchange & { matched?: { methods: string[] }[] }) => {
    const allowed = new Set((ctx.matched ?? []).flatMap(({ methods }) => methods));
    if (allowed.size === 0) throw new DaybookError('not-found', 'there is nothing at this path');
    answerOtherMethod(ctx, [...allowed].sort());
  });
  return app;
}

/** Connections that have not asked for anything yet: Node does not count them as idle. */
function unusedConnections(http: Server): ReadonlySet<Socket> {
  const unused = new Set<Socket>();
  http.on('connection', (socket: Socket) => {
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  http.prependListener('request', ({ socket }) => void unused.delete(socket));
  http.prependListener('checkContinue', ({ socket }) => void unused.delete(socket));
  return unused;
}

function closeServer(http: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    // A connection whose last request is answered counts as busy until it is asked again.
    const idle = setInterval(() => http.closeIdleConnections(), 50);
    const cut = setTimeout(() => http.closeAllConnections(), timeoutMs);
    http.close(() => {
      clearInterval(idle);
      clearTimeout(cut);
      resolve();
    });
  });
}
