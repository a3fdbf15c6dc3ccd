/** Where the demo plays: a directory in which the real `daybook` command is typed, and its output shown. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { DaybookError } from '../../errors.ts';
import { print } from '../output.ts';

type Child = ChildProcess & { readonly stdout: Readable; readonly stderr: Readable };

export class Stage {
  readonly directory: string;
  readonly #logs: ChildProcess[] = [];

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Says what is about to be seen. */
  tell(...lines: readonly string[]): void {
    print('', ...lines, '');
  }

  /** Types a command and shows its output. Throws `internal` when it fails. */
  async daybook(...args: readonly string[]): Promise<void> {
    await this.daybookFails(0, ...args);
  }

  /** The same for a command that must fail with `exit`. */
  async daybookFails(exit: number, ...args: readonly string[]): Promise<void> {
    const child = this.#start(args);
    const exited = once(child, 'exit');
    const errors = linesOf(child.stderr);
    await showLines(child.stdout);
    for (const line of await errors) print(`    ${line}`);
    const [code] = (await exited) as [number | null];
    if (code === exit) return;
    throw new DaybookError(
      'internal',
      `daybook ${args[0]} exited with ${code}, but the story wants ${exit}`,
    );
  }

  /** Starts `daybook serve` on a free port, and resolves with its URL once it answers. */
  async startLog(...args: readonly string[]): Promise<string> {
    const child = this.#start(['serve', '--port', '0', ...args]);
    this.#logs.push(child);
    void showLines(child.stderr);
    const url = await new Promise<string>((resolve, reject) => {
      void showLines(child.stdout, (line) => {
        const [found] = /http:\/\/[^\s/]+:\d+/.exec(line) ?? [];
        if (found !== undefined) resolve(found);
      });
      child.once('exit', (code) => {
        reject(new DaybookError('internal', `daybook serve exited with ${code} at its start`));
      });
    });
    await fetch(`${url}/healthz`);
    return url;
  }

  /** Stops every log that was started, as an operator would. */
  async close(): Promise<void> {
    for (const child of this.#logs) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
  }

  #start(args: readonly string[]): Child {
    print(`  $ daybook ${args.map(quoted).join(' ')}`);
    // The command that runs now, away from the user's own settings and memory of logs.
    const [main = ''] = process.argv.slice(1);
    const own = Object.entries(process.env).filter(([name]) => !name.startsWith('DAYBOOK_'));
    return spawn(process.execPath, [main, ...args], {
      cwd: this.directory,
      env: { ...Object.fromEntries(own), XDG_STATE_HOME: join(this.directory, 'state') },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}

async function showLines(stream: Readable, see?: (line: string) => void): Promise<void> {
  for await (const line of createInterface({ input: stream })) {
    print(`    ${line}`);
    see?.(line);
  }
}

async function linesOf(stream: Readable): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stream })) lines.push(line);
  return lines;
}

/** As a shell wants it. */
function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument}'`;
}
