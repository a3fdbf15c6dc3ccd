/** The log's HTTP face: one Koa application over one `Log`. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHttpFace } from '../http/face.ts';
import type { Log } from '../log/log.ts';
import { admissionOperations } from './admission.ts';
import { batchOperations } from './batch.ts';
import { serverConfig, type ServerConfig } from './config.ts';
import { entryOperations } from './entries.ts';
import { healthOperations } from './health.ts';
import { openapiOperation } from './openapi.ts';
import type { Operation } from './operation.ts';
import { pageOperation } from './page.ts';
import { proofOperations } from './proofs.ts';
import { releaseFileOperations } from './release-files.ts';
import { Service } from './service.ts';
import { submitOperations } from './submit.ts';
import { tilesMiddleware } from './tiles.ts';

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
  const face = createHttpFace({
    logger: config.logger,
    limits: config,
    traffic: service.traffic,
    before: tilesMiddleware(service),
    routes(router) {
      const all = operations(service);
      for (const each of [...all, openapiOperation(all)]) {
        router[each.method](each.path, (ctx) => each.run(ctx, ctx.params));
      }
    },
  });
  const following = new AbortController();
  return {
    http: face.http,
    async listen(port, host) {
      const address = await face.listen(port, host);
      service.clock.follow(log, following.signal).catch((err: unknown) => {
        config.logger.error({ err }, 'the age of checkpoints is no longer known');
      });
      return address;
    },
    async stop() {
      following.abort();
      await face.stop();
    },
  };
}

function operations(service: Service): Operation[] {
  return [
    ...submitOperations(service),
    ...batchOperations(service),
    ...entryOperations(service),
    ...proofOperations(service),
    ...releaseFileOperations(service),
    ...admissionOperations(service),
    ...healthOperations(service),
    pageOperation(service),
  ];
}
