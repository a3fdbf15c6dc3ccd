/** What the server is told: where to write its log, how long it waits, and how much it takes at once. */
import { pino, type Logger } from 'pino';
import { defaultFaceLimits, type FaceLimits } from '../http/limits.ts';

export interface ServerConfig extends FaceLimits {
  /** Request lines at `debug`, failures of ours at `error`; never bodies or keys. */
  readonly logger: Logger;
  /** How long `POST /entries` waits for a checkpoint before it answers 202, in ms. */
  readonly includedTimeoutMs: number;
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
  ...defaultFaceLimits,
  includedTimeoutMs: 10_000,
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
