/** Runs what stands behind the gate, on the private copy and on nothing else. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { DaybookError } from '../errors.ts';

const placeholder = '{}';
/** As shells have it: 128 and the signal's number. */
const SIGNALLED = 128;
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const forwarded: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** `words` with the copy's path for each `{}`; at the end when there is none. Throws `bad-usage` for no word. */
export function commandOn(path: string, words: readonly string[]): readonly [string, ...string[]] {
  const holds = words.some((word) => word.includes(placeholder));
  const named = holds ? words.map((word) => word.replaceAll(placeholder, path)) : [...words, path];
  const [command, ...args] = named;
  if (words.length === 0 || command === undefined) {
    throw new DaybookError('bad-usage', 'want a command behind --, as in: gate FILE -- dpkg -i {}');
  }
  return [command, ...args];
}

/** Its exit code: its own, 128 and more when a signal ended it, 126 or 127 when it could not be started. */
export function runCommand([command, ...args]: readonly [string, ...string[]]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: 'inherit' });
    const forward = (signal: NodeJS.Signals): void => void child.kill(signal);
    for (const signal of forwarded) process.on(signal, forward);
    const done = (): void => {
      for (const signal of forwarded) process.off(signal, forward);
    };
    child.once('error', (error: NodeJS.ErrnoException) => {
      done();
      if (error.code === 'ENOENT') resolve(NOT_FOUND);
      else if (error.code === 'EACCES') resolve(NOT_EXECUTABLE);
      else reject(error);
    });
    child.once('exit', (code, signal) => {
      done();
      resolve(code ?? SIGNALLED + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
