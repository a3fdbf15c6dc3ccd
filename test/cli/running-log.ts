/** A real log process for tests: `daybook serve` on a free port, until it is stopped. */
import { spawn } from 'node:child_process';

export interface RunningLog {
  /** With a slash at its end. */
  readonly url: URL;
  /** Asks it to stop, as an operator would, and waits until it has. Returns its exit code. */
  stop(): Promise<number | null>;
}

/** Resolves when the log says where it runs; throws with its output when it exits before. */
export async function startLog(data: string, options: readonly string[] = []): Promise<RunningLog> {
  const args = ['src/cli/main.ts', 'serve', '--port', '0', '--data', data, ...options];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let output = '';
  const port = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString();
      const [, found] = /, at http:\/\/[^\s/]+:(\d+)/.exec(output) ?? [];
      if (found !== undefined) resolve(found);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => reject(new Error(`daybook serve exited with ${code}: ${output}`)));
  });
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    stop: async () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}
