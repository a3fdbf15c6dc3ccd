/** A log of the tessera library as a process: tessera-log/main.go. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export class TesseraLog {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #ended: Promise<unknown>;
  readonly #answers: AsyncIterator<string>;
  readonly #directory: string;
  /** What tessera logs, with the reasons for which it publishes nothing. */
  errors = '';

  constructor(program: string, directory: string, key: string, policy: string, ...args: string[]) {
    this.#directory = directory;
    this.#child = spawn(program, [
      ...['-dir', directory, '-key', key, '-policy', policy, '-patience', '4s'],
      ...args,
    ]);
    this.#ended = once(this.#child, 'exit');
    // It may have ended when it is written to.
    this.#child.stdin.on('error', () => undefined);
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
    this.#child.stderr.setEncoding('utf8').on('data', (chunk: string) => (this.errors += chunk));
  }

  /** The entry's index when it is published with its cosignatures; otherwise `failed: ` and a reason. */
  async add(entry: string): Promise<string> {
    this.#child.stdin.write(`${entry}\n`);
    const answer = await this.#answers.next();
    return answer.done === true ? 'failed: it ended' : answer.value;
  }

  get checkpoint(): Uint8Array {
    return new Uint8Array(readFileSync(join(this.#directory, 'checkpoint')));
  }

  async close(): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
