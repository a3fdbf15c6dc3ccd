/** A witness as its operator runs it: the command, in a process of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { onTestFinished } from 'vitest';

export interface WitnessProcess {
  /** Without a slash at its end. */
  readonly url: string;
  readonly vkeys: readonly string[];
  readonly child: ChildProcess;
  /** All that it has said on stdout and stderr. */
  output(): string;
  /** Resolves when it is gone, with its exit code, or null when the signal ended it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Ends with the test at the latest. Throws when the process ends before it listens. */
export async function startWitnessProcess(
  directory: string,
  logs: string,
  ...options: readonly string[]
): Promise<WitnessProcess> {
  const settings = ['--data', directory, '--logs', logs, '--port', '0', ...options];
  const child = spawn(process.execPath, ['src/cli/main.ts', 'witness', ...settings], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let output = '';
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await closed;
    return child.exitCode;
  };
  onTestFinished(async () => void (await end('SIGKILL')));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
      if (/public key .*\n$/.test(output)) resolve();
    });
    void closed.then(() => reject(new Error(`the witness does not run: ${output}`)));
  });
  const url = /at (http:\S+)/.exec(output)?.[1] ?? '';
  const vkeys = [...output.matchAll(/public key {2}(\S+)/g)].map(([, vkey]) => vkey ?? '');
  return { url, vkeys, child, output: () => output, end };
}
