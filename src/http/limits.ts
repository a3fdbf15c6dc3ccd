/** How long an HTTP face waits, and how much it takes at once. */

export interface FaceLimits {
  /** How long a single entry's or checkpoint's body may take to come in, in ms. */
  readonly bodyTimeoutMs: number;
  /** How long any request, a large one too, may take to come in, in ms. */
  readonly requestTimeoutMs: number;
  readonly headersTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  /** A connection on which nothing moves for so long is closed, in ms. */
  readonly idleTimeoutMs: number;
  /** How long `stop` lets requests finish before it cuts them, in ms. */
  readonly stopTimeoutMs: number;
  readonly maxHeaderBytes: number;
  readonly maxConnections: number;
  /** Requests in flight; the next ones get 503. */
  readonly maxRequests: number;
}

export const defaultFaceLimits: FaceLimits = {
  bodyTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  headersTimeoutMs: 10_000,
  keepAliveTimeoutMs: 15_000,
  idleTimeoutMs: 60_000,
  stopTimeoutMs: 15_000,
  maxHeaderBytes: 16 << 10,
  maxConnections: 8192,
  maxRequests: 8192,
};
