/** Request bodies: refused by their head where possible, read within a bound of bytes and of time. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { DaybookError, type ErrorCode } from '../errors.ts';
import { ByteCollector } from './byte-collector.ts';
import type { Exchange } from './exchange.ts';

export interface BodyLimit {
  readonly bytes: number;
  readonly code: Extract<ErrorCode, 'entry-too-large' | 'request-too-large'>;
  /** What to do instead, for the error's message. */
  readonly remedy: string;
}

/** What of a refused body is still taken in, so that a client that sends first and reads then gets its answer. */
const drainedBytes = 1 << 20;
const drainedMs = 2000;

/** The media type without its parameters, lowercase; throws `unsupported-media-type` unless it is one of `types`. */
export function bodyType<Type extends string>(req: IncomingMessage, types: readonly Type[]): Type {
  const given = (req.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase();
  const found = types.find((type) => type === given);
  if (found !== undefined) return found;
  throw new DaybookError(
    'unsupported-media-type',
    `the body's Content-Type is "${(given ?? '').slice(0, 80)}", want ${types.join(' or ')}`,
  );
}

/** Refuses by the head alone what cannot be read; gives the declared length, or the limit where none is declared. */
export function checkBodyHead(req: IncomingMessage, limit: BodyLimit): number {
  const coding = req.headers['content-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'identity') {
    throw new DaybookError(
      'unsupported-media-type',
      `the body's Content-Encoding is "${coding.slice(0, 80)}", want none`,
    );
  }
  const declared = req.headers['content-length'];
  if (declared === undefined) return limit.bytes;
  if (Number(declared) > limit.bytes) throw tooLarge(declared, limit);
  return Number(declared);
}

export function tooLarge(
  length: number | string,
  { code, bytes, remedy }: BodyLimit,
): DaybookError {
  return new DaybookError(code, `the body has ${length} bytes, want at most ${bytes}; ${remedy}`);
}

/** Tells a client that waits with its body (RFC 9110 section 10.1.1) to send it. */
export function inviteBody(req: IncomingMessage, res: ServerResponse): void {
  if (req.headers.expect?.toLowerCase() === '100-continue') res.writeContinue();
}

/** Throws what `limit` says, `request-timeout`, or `bad-request` for a body that was cut off. */
export function readBody(
  { req, res }: Exchange,
  limit: BodyLimit,
  timeoutMs: number,
): Promise<Uint8Array> {
  inviteBody(req, res);
  return new Promise((resolve, reject) => {
    const body = new ByteCollector();
    const settle = (error?: DaybookError): void => {
      clearTimeout(timer);
      req.off('data', add).off('end', end).off('close', cut).off('error', cut);
      if (error === undefined) resolve(body.take());
      else reject(error);
    };
    const add = (piece: Uint8Array): void => {
      if (body.length + piece.length > limit.bytes) {
        settle(tooLarge(`more than ${limit.bytes}`, limit));
      } else {
        body.add(piece);
      }
    };
    const end = (): void => settle();
    const cut = (): void =>
      settle(new DaybookError('bad-request', `the body was cut off after ${body.length} bytes`));
    const timer = setTimeout(() => {
      const got = `${body.length} bytes came in ${timeoutMs} ms`;
      settle(new DaybookError('request-timeout', `the body is not complete: ${got}`));
    }, timeoutMs);
    req.on('data', add).on('end', end).on('close', cut).on('error', cut);
  });
}

/** After an early answer: takes in a bounded rest of the body, then closes the connection. */
export function drain(req: IncomingMessage): void {
  if (req.complete || req.destroyed) return;
  let left = drainedBytes;
  const timer = setTimeout(() => req.destroy(), drainedMs);
  req.on('data', (piece: Uint8Array) => {
    left -= piece.length;
    // The sender is stopped by its full buffers, and can read the answer until the time is over.
    if (left < 0) req.pause();
  });
  req.on('close', () => clearTimeout(timer)).on('error', () => undefined);
  req.resume();
}
