/** The log's HTTP face: one Koa application over one `Log`, with bounds on everything it takes in. */
import { createServer as createHttpServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Router from '@koa/router';
import Koa from 'koa';
import type { Log } from '../log/log.ts';
import { admissionOperations } from './admission.ts';
import { batchOperations } from './batch.ts';
import { answerClientErrors } from './client-error.ts';
import { serverConfig, type ServerConfig } from './config.ts';
import { entryOperations } from './entries.ts';
import type { Exchange, ExchangeState } from './exchange.ts';
import { guard } from './guard.ts';
import { healthOperations } from './health.ts';
import { openapiOperation } from './openapi.ts';
import type { Operation } from './operation.ts';
import { pageOperation } from './page.ts';
import { answerOtherMethod } from './problem.ts';
import { proofOperations } from './proofs.ts';
import { releaseFileOperations } from './release-files.ts';
import { Service } from './service.ts';
import { submitOperations } from './submit.ts';
import { tilesMiddleware } from './tiles.ts';
import { DaybookError } from '../errors.ts';

export interface LogServer {
  readonly http: Server;
  /** Port 0 takes a free one. */
  listen(port: number, host?: string): Promise<AddressInfo>;
  /**
   * Takes no more connections and entries, and resolves when the requests in flight are answered, or
   * cut after `stopTimeoutMs`. The log is the caller's to close, afterwards.
   */
  stop(): Promise<void>;
}

/** An HTTP server for `log`. It does not listen yet. */
export function createServer(log: Log, given: Partial<ServerConfig> = {}): LogServer {
  const config = serverConfig(given);
  const service = new Service(log, config);
  const http = createHttpServer({
    maxHeaderSize: config.maxHeaderBytes,
    headersTimeout: config.headersTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    keepAliveTimeout: config.keepAliveTimeoutMs,
    connectionsCheckingInterval: 1000,
    noDelay: true,
    // The guard refuses a missing host, with problem details.
    requireHostHeader: false,
  });
  http.maxConnections = config.maxConnections;
  http.timeout = config.idleTimeoutMs;
  const handle = application(service).callback();
  http.on('request', (req, res) => void handle(req, res));
  // The client is told to send its body only when the body is about to be read.
  http.on('checkContinue', (req, res) => void handle(req, res));
  answerClientErrors(http);

  const following = new AbortController();
  return {
    http,
    listen: (port, host) =>
      new Promise((resolve, reject) => {
        http.once('error', reject);
        http.listen(port, host, () => {
          http.off('error', reject);
          service.clock.follow(log, following.signal).catch((err: unknown) => {
            config.logger.error({ err }, 'the age of checkpoints is no longer known');
          });
          resolve(http.address() as AddressInfo);
        });
      }),
    async stop() {
      service.stop();
      following.abort();
      await closeServer(http, config.stopTimeoutMs);
    },
  };
}

function application(service: Service): Koa<ExchangeState> {
  const app = new Koa<ExchangeState>();
  // What a handler throws is answered by the guard; what is left are connections that broke.
  app.on('error', (error: unknown) => service.config.logger.debug({ err: error }, 'connection'));
  app.use(guard(service));
  app.use(tilesMiddleware(service));
  const router = routes(service);
  app.use(router.routes());
  app.use((ctx: Exchange & { matched?: { methods: string[] }[] }) => {
    const allowed = new Set((ctx.matched ?? []).flatMap(({ methods }) => methods));
    if (allowed.size === 0) throw new DaybookError('not-found', 'there is nothing at this path');
    answerOtherMethod(ctx, [...allowed].sort());
  });
  return app;
}

function routes(service: Service): Router<ExchangeState> {
  const operations: Operation[] = [
    ...submitOperations(service),
    ...batchOperations(service),
    ...entryOperations(service),
    ...proofOperations(service),
    ...releaseFileOperations(service),
    ...admissionOperations(service),
    ...healthOperations(service),
    pageOperation(service),
  ];
  const router = new Router<ExchangeState>({ sensitive: true, strict: true });
  for (const each of [...operations, openapiOperation(operations)]) {
    router[each.method](each.path, (ctx) => each.run(ctx, ctx.params));
  }
  return router;
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
