/** What a person reads: nothing that came from a file or a log may steer the terminal. */
import { DaybookError, errorKinds } from '../errors.ts';

/** `text` on one line, with control and direction characters shown as escapes. */
function printable(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}

export function print(...lines: readonly string[]): void {
  for (const line of lines) process.stdout.write(`${printable(line)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** For a person only: progress, notes and errors go to stderr. */
export function note(line: string): void {
  process.stderr.write(`${printable(line)}\n`);
}

/** An error as the command line reports it; what nobody foresaw is `internal`, without its stack. */
export function asDaybookError(error: unknown): DaybookError {
  if (error instanceof DaybookError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new DaybookError('internal', `unexpected error: ${message}`, { cause: error });
}

/** Reports `error` on stderr and sets the exit code that belongs to it. */
export function fail(error: unknown): void {
  const { code, exit, message } = asDaybookError(error);
  note(`daybook: ${message}`);
  note(`(${code}: ${errorKinds[code].title}; exit ${exit})`);
  process.exitCode = exit;
}
