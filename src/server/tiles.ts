/**
 * C2SP tlog-tiles: GET /checkpoint and GET /tile/... ; and GET /cosigned-checkpoint, the newest one
 * that all witnesses were asked for, which monitors follow. This is a middleware before the router: it is
 * the hottest path, and a tile's path is more than a router's pattern can say.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Middleware, Next } from 'koa';
import { LRUCache } from 'lru-cache';
import { DaybookError } from '../errors.ts';
import { parseTilePath, type TileResource } from '../merkle/tile.ts';
import {
  acceptsGzip,
  answer,
  answerUnchanged,
  immutable,
  strongTag,
  type Exchange,
  type ExchangeState,
} from '../http/exchange.ts';
import type { Log } from '../log/log.ts';
import type { Published } from '../log/publisher.ts';
import { answerOtherMethod } from '../http/problem.ts';
import type { Service } from './service.ts';

const compress = promisify(gzip);

interface Representation {
  readonly body: Uint8Array;
  readonly headers: readonly string[];
  readonly etag: string;
}

interface Wanted {
  readonly resource: TileResource;
  readonly zipped: boolean;
}

async function represent(log: Log, { resource, zipped }: Wanted): Promise<Representation> {
  const type = ['Content-Type', 'application/octet-stream'];
  if (resource.kind === 'tile') {
    const body = await log.tile(resource.tile);
    return { body, etag: strongTag(body), headers: [...type, ...immutable] };
  }
  const bundle = await log.bundle(resource.index, resource.width);
  const headers = [...type, ...immutable, 'Vary', 'Accept-Encoding'];
  if (!zipped) return { body: bundle, etag: strongTag(bundle), headers };
  return {
    body: await compress(bundle),
    etag: strongTag(bundle, '-gzip'),
    headers: [...headers, 'Content-Encoding', 'gzip'],
  };
}

function answerCheckpoint(ctx: Exchange, { note }: Published): void {
  if (note.length === 0) {
    throw new DaybookError('quorum-away', 'this log has not published a checkpoint yet');
  }
  const etag = strongTag(note);
  // Asked again each time: an answer older than the last one looks like a log that went back.
  const headers = ['Cache-Control', 'no-cache'];
  if (answerUnchanged(ctx, etag, headers)) return;
  const type = ['Content-Type', 'text/plain; charset=utf-8'];
  answer(ctx, 200, [...type, ...headers, 'ETag', etag], note);
}

function checkpointAt(path: string, log: Log): Published | undefined {
  if (path === '/checkpoint') return log.published;
  return path === '/cosigned-checkpoint' ? log.cosigned : undefined;
}

export function tilesMiddleware({ log, config }: Service): Middleware<ExchangeState> {
  // Tiles never change once they can be seen, so that nothing here is ever stale.
  const cache = new LRUCache<string, Representation, Wanted>({
    maxSize: config.tileCacheBytes,
    sizeCalculation: ({ body }) => body.length + 512,
    fetchMethod: (_path, _stale, { context }) => represent(log, context),
  });

  const answerTile = async (ctx: Exchange): Promise<void> => {
    const { path } = ctx.state;
    const resource = parseTilePath(path.slice(1));
    if (resource === undefined) {
      throw new DaybookError('not-found', 'this is not the path of a tile or entry bundle');
    }
    const zipped = resource.kind === 'entries' && acceptsGzip(ctx.req.headers['accept-encoding']);
    const key = zipped ? `${path} gzip` : path;
    const found =
      cache.get(key) ?? (await cache.forceFetch(key, { context: { resource, zipped } }));
    const { body, etag, headers } = found;
    if (answerUnchanged(ctx, etag, headers)) return;
    answer(ctx, 200, [...headers, 'ETag', etag], body);
  };

  return async (ctx: Exchange, next: Next): Promise<void> => {
    const { path, search } = ctx.state;
    const checkpoint = checkpointAt(path, log);
    if (!checkpoint && !path.startsWith('/tile/')) {
      await next();
      return;
    }
    if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
      answerOtherMethod(ctx, ['GET', 'HEAD']);
      return;
    }
    if (search !== '') throw new DaybookError('bad-request', `${path} takes no query parameters`);
    if (checkpoint) answerCheckpoint(ctx, checkpoint);
    else await answerTile(ctx);
  };
}
