/** Durations in a release policy: a whole number and a unit, `25h`. */
import { DaybookError } from '../errors.ts';

export const durationPattern = /^[1-9]\d{0,8}[smhd]$/;
const seconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds. Throws `bad-usage`. */
export function parseDuration(text: string): number {
  if (!durationPattern.test(text)) {
    throw new DaybookError(
      'bad-usage',
      `"${text}" is no duration, want one such as 30m, 25h or 7d`,
    );
  }
  return Number(text.slice(0, -1)) * (seconds[text.slice(-1)] ?? NaN);
}

/** The largest unit that gives a whole number: `25h`. */
export function formatDuration(total: number): string {
  const [unit, size] = Object.entries(seconds)
    .reverse()
    .find(([, each]) => total % each === 0) ?? ['s', 1];
  return `${total / size}${unit}`;
}
