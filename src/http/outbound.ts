/**
 * HTTP as the client of a log needs it: bounded answers, bounded time, and retries that are safe
 * because every request of a log's interface may be sent twice.
 */
import { decodeUtf8 } from '../encoding/bytes.ts';
import { DaybookError, errorKinds, type ErrorCode } from '../errors.ts';

export interface HttpOptions {
  readonly fetch?: typeof fetch;
  /** Tries of one request, the first one included; 6 when not given. */
  readonly attempts?: number;
  /** Milliseconds for one try; 60,000 when not given. */
  readonly timeoutMs?: number;
  /** Milliseconds before the first retry, doubled for each further one; 250 when not given. */
  readonly backoffMs?: number;
}

export interface Call {
  readonly method?: 'GET' | 'POST';
  readonly body?: Uint8Array;
  readonly contentType?: string;
  readonly accept?: string;
  /** Past every cache on the way that heeds it; for what changes. */
  readonly fresh?: boolean;
  /** Most bytes of the answer's body. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** Statuses of a server that is overloaded, stopping or away for a moment. */
const transient: ReadonlySet<number> = new Set([429, 502, 503, 504]);
/** On one machine, compressing bytes takes longer than copying them. */
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;
const MAX_BACKOFF_MS = 10_000;
/** A log that wants a longer pause than this is reported instead of waited for. */
const MAX_RETRY_AFTER_MS = 60_000;
const MAX_PROBLEM_BYTES = 64 * 1024;
const MAX_DETAIL = 2000;

export class Http {
  readonly base: URL;
  readonly options: Required<HttpOptions>;

  /** Throws `bad-usage` unless `url` is an http(s) URL. */
  constructor(url: string, options: HttpOptions = {}) {
    this.base = baseUrl(url);
    this.options = {
      // Called as a plain function: browsers refuse a fetch whose `this` is another object.
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
      attempts: options.attempts ?? 6,
      timeoutMs: options.timeoutMs ?? 60_000,
      backoffMs: options.backoffMs ?? 250,
    };
  }

  /**
   * Answer of `path` under the base URL, 2xx only. Throws the code of the problem details that the
   * log answered with, or one by the status; `network` when the log could not be reached.
   */
  async call(path: string, call: Call): Promise<Answer> {
    const url = new URL(path, this.base);
    for (let attempt = 1; ; attempt++) {
      const outcome = await this.#attempt(url, call);
      if (!(outcome instanceof Failure)) return outcome;
      if (!outcome.retry || attempt >= this.options.attempts) throw outcome.error;
      await pause(outcome.waitMs ?? this.#backoff(attempt), call.signal);
    }
  }

  /** One try, whatever the status of the answer is. Throws `network`. */
  async once(path: string, call: Call): Promise<Answer> {
    const outcome = await this.#ask(new URL(path, this.base), call);
    if (outcome instanceof Failure) throw outcome.error;
    return outcome;
  }

  async #attempt(url: URL, call: Call): Promise<Answer | Failure> {
    const outcome = await this.#ask(url, call);
    if (outcome instanceof Failure || isOk(outcome)) return outcome;
    return refused(outcome, shown(url, call));
  }

  async #ask(url: URL, call: Call): Promise<Answer | Failure> {
    const timeout = AbortSignal.timeout(this.options.timeoutMs);
    const what = shown(url, call);
    try {
      const response = await this.options.fetch(url, {
        method: call.method ?? 'GET',
        cache: call.fresh ? 'no-store' : 'default',
        headers: {
          accept: call.accept ?? '*/*',
          ...(loopback.test(url.hostname) && { 'accept-encoding': 'identity' }),
          ...(call.contentType !== undefined && { 'content-type': call.contentType }),
        },
        ...(call.body !== undefined && { body: new Uint8Array(call.body) }),
        signal: call.signal ? AbortSignal.any([call.signal, timeout]) : timeout,
      });
      const cap = response.ok ? call.maxBytes : MAX_PROBLEM_BYTES;
      const body = await readBody(response, cap, what);
      return { status: response.status, headers: response.headers, body };
    } catch (cause) {
      call.signal?.throwIfAborted();
      if (cause instanceof DaybookError) throw cause;
      const error = new DaybookError('network', `${what} failed: ${reason(cause)}`, { cause });
      return new Failure(error, true);
    }
  }

  /** Exponential, with half of it random, so that clients that failed together do not return together. */
  #backoff(attempt: number): number {
    const full = Math.min(this.options.backoffMs * 2 ** (attempt - 1), MAX_BACKOFF_MS);
    return full * (0.5 + Math.random() / 2);
  }
}

/** Resolves after `milliseconds`; rejects with the signal's reason when it is aborted before. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', aborted);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', aborted, { once: true });
  });
}

/** Milliseconds of a `Retry-After` header (seconds or a date); undefined when there is none. */
export function retryAfter(headers: Headers): number | undefined {
  const text = headers.get('retry-after');
  if (text === null) return undefined;
  const wait = /^\d{1,9}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now();
  return Number.isNaN(wait) ? undefined : Math.max(wait, 0);
}

class Failure {
  readonly error: DaybookError;
  readonly retry: boolean;
  readonly waitMs: number | undefined;

  constructor(error: DaybookError, retry: boolean, waitMs?: number) {
    this.error = error;
    this.retry = retry;
    this.waitMs = waitMs;
  }
}

function isOk({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function shown(url: URL, { method = 'GET' }: Call): string {
  return `${method} ${url.href}`;
}

function refused({ status, headers, body }: Answer, what: string): Failure {
  const error = errorOf(parsed(body), `${what} answered ${status}`, codeOf(status));
  const waitMs = retryAfter(headers);
  const retry = transient.has(status) && (waitMs ?? 0) <= MAX_RETRY_AFTER_MS;
  return new Failure(error, retry, waitMs);
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(decodeUtf8(body));
  } catch {
    return undefined;
  }
}

/** The error of problem details (RFC 9457); their code is believed only when it is one of ours. */
export function errorOf(
  problem: unknown,
  what: string,
  fallback: ErrorCode = 'network',
): DaybookError {
  const { code, detail } = (problem ?? {}) as { code?: unknown; detail?: unknown };
  const known = typeof code === 'string' && Object.hasOwn(errorKinds, code);
  const reason = typeof detail === 'string' ? detail.slice(0, MAX_DETAIL) : 'no reason given';
  return new DaybookError(known ? (code as ErrorCode) : fallback, `${what}: ${reason}`);
}

function codeOf(status: number): ErrorCode {
  if (status === 404) return 'not-found';
  if (status === 413) return 'entry-too-large';
  if (status === 429) return 'rate-limited';
  if (status === 503) return 'overloaded';
  return status < 500 ? 'bad-request' : 'network';
}

/** The body, given up on as soon as it is longer than `maxBytes`: its length is the server's claim only. */
async function readBody(response: Response, maxBytes: number, what: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = response.body?.getReader();
  while (reader !== undefined) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > maxBytes) {
      await reader.cancel();
      throw new DaybookError('network', `${what} answered more than ${maxBytes} bytes`);
    }
    chunks.push(value);
  }
  return joined(chunks, length);
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, offset);
    offset += chunk.length;
  }
  return bytes;
}

function baseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new DaybookError('bad-usage', `"${text}" is no http:// or https:// URL of a log`);
  }
  // Paths are resolved below the prefix, so the prefix ends in a slash.
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.search = '';
  url.hash = '';
  return url;
}

/** fetch hides what went wrong in its cause: "connect ECONNREFUSED 127.0.0.1:8080". */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause instanceof AggregateError && error.cause.errors[0] instanceof Error) {
    return error.cause.errors[0].message;
  }
  return error.cause instanceof Error && error.cause.message !== ''
    ? error.cause.message
    : error.message;
}
