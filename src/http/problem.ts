/** Problem details (RFC 9457): what every refusal and failure answers with. */
import * as z from 'zod';
import { DaybookError, errorKinds, type ErrorCode } from '../errors.ts';
import { answer, begin, type Exchange, type Headers } from './exchange.ts';

const codes = Object.keys(errorKinds) as [ErrorCode, ...ErrorCode[]];

export const problemSchema = z.strictObject({
  type: z.templateLiteral(['urn:daybook:error:', z.enum(codes)]),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(codes),
  requestId: z.string().optional(),
});
export type Problem = z.output<typeof problemSchema>;

export const problemType = 'application/problem+json';

/** What callers are told of our own failures; their messages, which may name files, stay in the server's log. */
const failureDetails: Partial<Record<ErrorCode, string>> = {
  'quorum-away':
    'too few witnesses cosign now, so that this log publishes no checkpoint and takes no more entries; submit again later',
  'log-behind':
    'this log has signed more than it has now, and takes no entries before its operator has restored it',
  'log-stopping':
    'the log takes no entries now: it stops, or recovers from a failed write; submit again later',
  'store-failed':
    'a write failed; whether anything was kept is unknown: send it again, which is safe',
};

/** Of ours, these say what a caller should know, and name no files. */
const openFailures: ReadonlySet<ErrorCode> = new Set([
  'overloaded',
  'quorum-away',
  'clock-went-back',
]);

export function problemOf(error: DaybookError, requestId?: string): Problem {
  const { code, status, title, message } = error;
  const ours = failureDetails[code] ?? 'the server could not do this; its own log says why';
  const detail = status < 500 || openFailures.has(code) ? message : ours;
  const problem: Problem = { type: `urn:daybook:error:${code}`, title, status, detail, code };
  return requestId === undefined ? problem : { ...problem, requestId };
}

/** Every error as a DaybookError; what is not one is `internal`. */
export function asDaybookError(error: unknown): DaybookError {
  if (error instanceof DaybookError) return error;
  return new DaybookError('internal', 'unexpected error', { cause: error });
}

export function answerProblem(ctx: Exchange, error: DaybookError, headers: Headers = []): void {
  const retry = error.status === 503 || error.status === 429 ? ['Retry-After', '1'] : [];
  const problem = JSON.stringify(problemOf(error, ctx.state.requestId));
  answer(ctx, error.status, ['Content-Type', problemType, ...headers, ...retry], problem);
}

/** Answers a method that the path does not have: 204 to OPTIONS, also as a CORS preflight, else 405. */
export function answerOtherMethod(ctx: Exchange, allowed: readonly string[]): void {
  const allow = allowed.join(', ');
  if (ctx.method === 'OPTIONS') {
    // Pages of other origins may read, and may not write in their visitors' name.
    const readable = allowed.filter((method) => method !== 'POST').join(', ');
    begin(ctx, 204, ['Allow', allow, 'Access-Control-Allow-Methods', readable]);
    ctx.res.end();
    return;
  }
  const message = `${ctx.state.path} takes ${allow}, not ${ctx.method}`;
  answerProblem(ctx, new DaybookError('method-not-allowed', message), ['Allow', allow]);
}
