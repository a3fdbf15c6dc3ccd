/** `daybook` commands that run until they are stopped, as processes of their own. */
import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export interface Service {
  readonly port: number;
  /** All that it said so far, on both outputs. */
  output(): string;
  /** As its operator stops it; resolves with its exit code. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

const main = resolve('src/cli/main.ts');

/** Resolves when it says where it listens; throws with its output when it exits before. */
export async function startService(...args: readonly string[]): Promise<Service> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const exited = new Promise<number | null>((done) => child.once('exit', done));
  let output = '';
  const port = await new Promise<number>((found, reject) => {
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      said += chunk.toString();
      const [, port] = / at http:\/\/[^\s/]+:(\d+)/.exec(said) ?? [];
      if (port !== undefined) found(Number(port));
    });
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('exit', (code) => reject(new Error(`${args.join(' ')} exited ${code}: ${output}`)));
  });
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    child.kill(signal);
    return exited;
  };
  return {
    port,
    output: () => output,
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

/** A command that ends by itself: its output. Throws unless it exits with 0. */
export async function runCommand(...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = await new Promise<number | null>((done) => child.once('close', done));
  if (code !== 0) throw new Error(`${args.join(' ')} exited ${code}: ${output}`);
  return output;
}
