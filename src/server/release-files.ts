/**
 * GET /channels/{name} and GET /releases/{sha256}: release files (docs/formats.md) under the newest
 * checkpoint. Each is made once for a checkpoint, so that clients who ask every hour cost little.
 */
import { LRUCache } from 'lru-cache';
import * as z from 'zod';
import { decodeHex } from '../encoding/hex.ts';
import type { LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import type { Log } from '../log/log.ts';
import type { Published } from '../log/publisher.ts';
import { checkChannelName } from '../statement/channel.ts';
import { answer, answerUnchanged, strongTag, type Exchange } from '../http/exchange.ts';
import { operation, type Operation } from './operation.ts';
import type { Service } from './service.ts';

const releaseFileType = 'application/vnd.daybook.release+cbor';
const headers = ['Cache-Control', 'public, max-age=60'];
/** Statements of one release file; of a file with more of them, the newest. */
const maxStatements = 64;

const channelParameter = z
  .string()
  .check(({ value, issues }) => {
    try {
      checkChannelName(value);
    } catch (error) {
      issues.push({ code: 'custom', message: (error as Error).message, input: value });
    }
  })
  .describe('Name of a channel, slashes and all.');

// One spelling only: this is what caches on the way go by.
const sha256Parameter = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'want 64 lowercase hex digits')
  .describe('SHA-256 of a file that statements name.');

interface Representation {
  readonly body: Uint8Array;
  readonly etag: string;
}

/** Gives the indexes of a file's statements, ascending. */
type FindStatements = () => LeafIndex[] | Promise<LeafIndex[]>;

/** The files under the newest checkpoint; those under the one before are dropped with it. */
class NewestFiles {
  readonly #log: Log;
  readonly #bytes: number;
  #published: Published;
  #files: LRUCache<string, Representation, FindStatements>;

  constructor(log: Log, bytes: number) {
    this.#log = log;
    this.#bytes = bytes;
    this.#published = log.published;
    this.#files = this.#none();
  }

  async get(path: string, find: FindStatements): Promise<Representation> {
    if (this.#published !== this.#log.published) {
      this.#published = this.#log.published;
      this.#files = this.#none();
    }
    return this.#files.get(path) ?? this.#files.forceFetch(path, { context: find });
  }

  #none(): LRUCache<string, Representation, FindStatements> {
    return new LRUCache({
      maxSize: this.#bytes,
      sizeCalculation: ({ body }) => body.length + 512,
      fetchMethod: async (_path, _stale, { context: find }) => {
        const body = await this.#log.releaseFile(await find());
        return { body, etag: strongTag(body) };
      },
    });
  }
}

export function releaseFileOperations({ log, config }: Service): Operation[] {
  const files = new NewestFiles(log, config.releaseFileCacheBytes);

  const answerFile = async (ctx: Exchange, find: FindStatements): Promise<void> => {
    const { body, etag } = await files.get(ctx.state.path, find);
    if (answerUnchanged(ctx, etag, headers)) return;
    answer(ctx, 200, ['Content-Type', releaseFileType, ...headers, 'ETag', etag], body);
  };

  return [
    operation({
      method: 'get',
      path: '/channels/*name',
      summary: 'The newest statement of a channel with its proof: a release file of one entry.',
      params: z.strictObject({ name: channelParameter }),
      answers: {
        200: { description: 'A channel file.', content: { [releaseFileType]: undefined } },
      },
      handle: (ctx, { params: { name } }) =>
        answerFile(ctx, () => {
          const index = log.channel(name);
          if (index !== undefined) return [index];
          throw new DaybookError(
            'not-found',
            `the channel ${name} has no published statement in this log`,
          );
        }),
    }),
    operation({
      method: 'get',
      path: '/releases/:sha256',
      summary: `The published statements about a file, the newest ${maxStatements} of them, with one proof: a release file.`,
      params: z.strictObject({ sha256: sha256Parameter }),
      answers: {
        200: { description: 'A release file.', content: { [releaseFileType]: undefined } },
      },
      handle: (ctx, { params: { sha256 } }) =>
        answerFile(ctx, async () => {
          const indexes = await log.newestOfArtifact(decodeHex(sha256), maxStatements);
          if (indexes.length > 0) return indexes;
          throw new DaybookError(
            'not-found',
            `no published statement in this log names a file with SHA-256 ${sha256}`,
          );
        }),
    }),
  ];
}
