/** Times in Daybook's own statements: RFC 3339 in UTC with whole seconds, `2026-11-24T10:00:00Z`. */
import type { JsonValue } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';

const form = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;
/** 9999-12-31T23:59:59Z. */
const lastSecond = 253_402_300_799;

/** Seconds since 1970; `what` names the member in the refusal. Throws `bad-statement`. */
export function parseTime(value: JsonValue | undefined, what: string): number {
  const text = typeof value === 'string' ? value : '';
  const seconds = form.test(text) ? Date.parse(text) / 1000 : NaN;
  // Date.parse takes the 31st of every month: what it does not give back was never a date.
  if (!Number.isInteger(seconds) || seconds < 0 || formatTime(seconds) !== text) {
    throw new DaybookError(
      'bad-statement',
      `${what} is ${JSON.stringify(value)?.slice(0, 48) ?? 'missing'}, want a time in UTC such as 2026-11-24T10:00:00Z`,
    );
  }
  return seconds;
}

/** Throws `bad-statement` for what is not a whole second from 1970 to 9999. */
export function formatTime(seconds: number): string {
  if (!Number.isInteger(seconds) || seconds < 0 || seconds > lastSecond) {
    throw new DaybookError('bad-statement', `the time ${seconds} is no whole second since 1970`);
  }
  return `${new Date(seconds * 1000).toISOString().slice(0, 19)}Z`;
}
