/** Refusals of a monitor's config, which say where in it the problem is. */
import { DaybookError } from '../errors.ts';

export function wrong(problem: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-usage', problem, { cause });
}

/** What `read` gives; what it throws as a DaybookError becomes `bad-usage` that names `where`. */
export function within<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof DaybookError)) throw cause;
    throw wrong(`${where}: ${cause.message}`, cause);
  }
}

export function refuseTwice(where: string, names: readonly string[]): void {
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw wrong(`${where}: ${twice} is there twice`);
}
