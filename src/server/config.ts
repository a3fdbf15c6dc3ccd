/** What the server is told: where to write its log, how long it waits, and how much it takes at once. */
import type { Logger } from 'pino';
import { pino } from 'pino';

export interface ServerConfig {
  /** Request lines at `debug`, failures of ours at `error`; never bodies or keys. */
  readonly logger: Logger;
  /** How long `POST /entries` waits for a checkpoint before it answers 202, in ms. */
  readonly includedTimeoutMs: number;
  /** How long a single entry's body may take to come in, in ms. */
  readonly bodyTimeoutMs: number;
  /** How long any request, a batch too, may take to come in, in ms. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A connection on which nothing moves for so long is closed, in ms; more than includedTimeoutMs. */
  readonly idleTimeoutMs: number;
  /** How long `stop` lets requests finish before it cuts them, in ms. */
  readonly stopTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  /** Requests in flight; the next ones get 503. */
  readonly maxRequests: number;
  /** Bytes of single entries in flight, up to the answer that they are durable; the next ones get 503. */
  readonly maxEntryBytes: number;
  /** Batches in flight; the next ones get 503. */
  readonly maxBatches: number;
  readonly maxBatchEntries: number;
  readonly maxBatchBytes: number;
  /** Memory for tiles and bundles that are asked for often. */
  readonly tileCacheBytes: number;
  /** Memory for channel and release files under the newest checkpoint. */
  readonly releaseFileCacheBytes: number;
}

const defaults: Omit<ServerConfig, 'logger'> = {
  includedTimeoutMs: 10_000,
  bodyTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 15_000,
  idleTimeoutMs: 60_000,
  stopTimeoutMs: 15_000,
  maxHeaderBytes: 16 << 10,
  maxConnections: 8192,
  maxRequests: 8192,
  maxEntryBytes: 64 << 20,
  maxBatches: 8,
  maxBatchEntries: 10_000,
  maxBatchBytes: 64 << 20,
  tileCacheBytes: 64 << 20,
  releaseFileCacheBytes: 32 << 20,
};

export function serverConfig(given: Partial<ServerConfig>): ServerConfig {
  return { ...defaults, ...given, logger: given.logger ?? pino() };
}
