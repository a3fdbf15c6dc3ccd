/**
 * Serves the mirror's files as C2SP tlog-tiles wants them, below `/<origin hash>/`. Any web server can
 * take its place: nothing here is computed but gzip.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Middleware } from 'koa';
import type { Logger } from 'pino';
import { DaybookError } from '../errors.ts';
import {
  acceptsGzip,
  answer,
  answerUnchanged,
  immutable,
  strongTag,
  type Exchange,
  type ExchangeState,
} from '../http/exchange.ts';
import { createHttpFace, type HttpFace } from '../http/face.ts';
import { answerOtherMethod } from '../http/problem.ts';
import { parseTilePath } from '../merkle/tile.ts';

const compress = promisify(gzip);
const logPath = /^\/([0-9a-f]{64})\/(.+)$/;
/** Asked again each time: an answer older than the last one looks like a log that went back. */
const fresh = ['Cache-Control', 'no-cache'];

/** It does not listen yet. `/healthz` says that it runs. */
export function createMirrorFace(directory: string, { logger }: { logger: Logger }): HttpFace {
  return createHttpFace({
    logger,
    before: filesMiddleware(directory),
    routes(router) {
      router.get('/healthz', async (ctx) =>
        answer(ctx, 200, ['Content-Type', 'text/plain; charset=utf-8', ...fresh], 'ok\n'),
      );
    },
  });
}

function filesMiddleware(directory: string): Middleware<ExchangeState> {
  return async (ctx, next) => {
    const [, log, path] = logPath.exec(ctx.state.path) ?? [];
    if (log === undefined || path === undefined) {
      await next();
    } else if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      answerOtherMethod(ctx, ['GET', 'HEAD']);
    } else {
      await answerFile(ctx, join(directory, log), path);
    }
  };
}

async function answerFile(ctx: Exchange, directory: string, path: string): Promise<void> {
  const isCheckpoint = path === 'checkpoint';
  const resource = parseTilePath(path);
  // Only what has the one spelling of a tile's or bundle's path reaches the file system.
  if (!isCheckpoint && resource === undefined) throw nothingAt(ctx);
  if (ctx.state.search !== '') {
    throw new DaybookError('bad-request', 'files take no query parameters');
  }
  const bytes = await readPresent(join(directory, path));
  if (bytes === undefined) throw nothingAt(ctx);
  if (isCheckpoint) {
    const headers = ['Content-Type', 'text/plain; charset=utf-8', ...fresh];
    return send(ctx, bytes, strongTag(bytes), headers);
  }
  const headers = ['Content-Type', 'application/octet-stream', ...immutable];
  if (resource?.kind !== 'entries') return send(ctx, bytes, strongTag(bytes), headers);
  const varied = [...headers, 'Vary', 'Accept-Encoding'];
  if (!acceptsGzip(ctx.req.headers['accept-encoding'])) {
    return send(ctx, bytes, strongTag(bytes), varied);
  }
  const zipped = await compress(bytes);
  send(ctx, zipped, strongTag(bytes, '-gzip'), [...varied, 'Content-Encoding', 'gzip']);
}

function send(ctx: Exchange, body: Uint8Array, etag: string, headers: readonly string[]): void {
  if (answerUnchanged(ctx, etag, headers)) return;
  answer(ctx, 200, [...headers, 'ETag', etag], body);
}

async function readPresent(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new DaybookError('store-failed', `a file cannot be read: ${message}`, { cause });
  }
}

function nothingAt(ctx: Exchange): DaybookError {
  return new DaybookError('not-found', `there is nothing at ${ctx.state.path} (yet)`);
}
