/**
 * What the documents tell people to type, typed as they would: in a copy of a clone, in order,
 * against a log that the document itself starts. How a document says what to do with a block:
 *
 *     sh             run by bash; a command that starts a log or witness runs on, and the next one stops it
 *     sh stopped     the same, after the log was stopped
 *     js             run by Node as a module
 *     # exit 18      behind the last command: it must fail with this code
 *
 * Blocks in other languages (`text`, `json`, …) are to be read only.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** Not run, and why. */
const skipped: Readonly<Record<string, string>> = {
  'npm ci': 'the copy borrows the node_modules that it would make anew',
  'npm test': 'this is one of its tests',
};
/** Where the documents' logs listen; here each has a free port. */
const documentedPort = '8080';
const startsLog = /^(npm start|daybook serve)\b/m;
const startsWitness = /^daybook witness --/m;

interface Block {
  readonly language: string;
  readonly stopped: boolean;
  readonly text: string;
  readonly line: number;
}

function blocksOf(markdown: string): Block[] {
  return [...markdown.matchAll(/^```(sh|js)( stopped)?\n(.*?)^```$/gms)].map((match) => ({
    language: match[1] ?? '',
    stopped: match[2] !== undefined,
    // npx looks for the command in node_modules, which the copy has not got of its own: PATH finds it.
    text: withoutSkipped(match[3] ?? '').replaceAll('npx daybook', 'daybook'),
    line: markdown.slice(0, match.index).split('\n').length,
  }));
}

function withoutSkipped(text: string): string {
  const commands = text.trim().split(' && ');
  return commands.filter((command) => !(command in skipped)).join(' && ');
}

/** Someone who reads a document in a clone of their own, and types. */
class Reader {
  readonly #directory: string;
  readonly #port: number;
  #log: { readonly process: ChildProcess; readonly output: string[] } | undefined;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#port = port;
  }

  static async withClone(): Promise<Reader> {
    const directory = await mkdtemp(join(tmpdir(), 'daybook-docs-'));
    for (const name of [
      'package.json',
      'LICENSE',
      'src',
      'dist',
      'test/vectors/daybook-evidence',
    ]) {
      await cp(name, join(directory, name), { recursive: true });
    }
    await symlink(resolve('node_modules'), join(directory, 'node_modules'));
    return new Reader(directory, await freePort());
  }

  async type({ language, stopped, text }: Block): Promise<void> {
    if (stopped) await this.stopLog();
    if (text === '') return;
    const typed = text.replaceAll(documentedPort, String(this.#port));
    if (language === 'js') await this.#run(typed, 0, 'node', '--input-type=module', '--eval');
    else if (startsLog.test(typed)) await this.#start(typed, 'readyz');
    else if (startsWitness.test(typed)) await this.#start(typed, 'healthz');
    else {
      const [, code] = /# exit (\d+)$/.exec(typed) ?? [];
      await this.#run(typed, Number(code ?? 0), 'bash', '-euo', 'pipefail', '-c');
    }
  }

  /** As Ctrl-C does: the whole foreground of a terminal is asked to stop. */
  async stopLog(): Promise<void> {
    const { process: log, output } = this.#log ?? {};
    this.#log = undefined;
    if (log?.pid === undefined) return;
    const exited = once(log, 'exit');
    process.kill(-log.pid, 'SIGINT');
    expect(await exited, output?.join('')).toEqual([0, null]);
  }

  async leave(): Promise<void> {
    await this.stopLog();
    await rm(this.#directory, { recursive: true });
  }

  async #run(text: string, wanted: number, program: string, ...options: string[]): Promise<void> {
    const { code, output } = await new Promise<{ code: unknown; output: string }>((settle) =>
      execFile(program, [...options, text], this.#surroundings(), (error, stdout, stderr) =>
        settle({ code: error?.code ?? 0, output: stdout + stderr }),
      ),
    );
    expect(code, `${text}\n${output}`).toBe(wanted);
  }

  async #start(text: string, health: string): Promise<void> {
    await this.stopLog();
    const log = spawn('bash', ['-euo', 'pipefail', '-c', text], {
      ...this.#surroundings(),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: string[] = [];
    for (const stream of [log.stdout, log.stderr]) {
      stream.on('data', (data: Buffer) => output.push(data.toString()));
    }
    this.#log = { process: log, output };
    while (!(await this.#answers(health))) {
      expect(log.exitCode, `${text}\n${output.join('')}`).toBe(null);
      await delay(50);
    }
  }

  async #answers(health: string): Promise<boolean> {
    const url = `http://localhost:${this.#port}/${health}`;
    return fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  }

  #surroundings(): { cwd: string; env: NodeJS.ProcessEnv } {
    // npm's own variables would tell an inner npm that it runs in the real clone.
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'));
    return {
      cwd: this.#directory,
      env: {
        ...Object.fromEntries(inherited),
        PATH: [resolve('node_modules/.bin'), process.env.PATH].join(delimiter),
        XDG_STATE_HOME: join(this.#directory, '.state'),
        DAYBOOK_PORT: String(this.#port),
      },
    };
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

/** The pages whose commands are typed. */
const pages = [
  'README.md',
  'docs/operator.md',
  'docs/witness.md',
  'docs/mirror.md',
  'docs/pipeline.md',
  'docs/rebuilder.md',
  'docs/supervisor.md',
  'docs/client.md',
  'docs/policy.md',
  'docs/source.md',
  'docs/monitor.md',
  'docs/monitor-rules.md',
  'docs/gossip.md',
];

describe.each(pages)('%s', async (path) => {
  const blocks = blocksOf(await readFile(path, 'utf8'));
  let reader: Reader;
  beforeAll(async () => {
    reader = await Reader.withClone();
  });
  afterAll(() => reader.leave());
  let broken = false;

  test.each(blocks)('line $line', async (block) => {
    expect(broken, 'a command before this one failed').toBe(false);
    broken = true;
    await reader.type(block);
    broken = false;
  });
});
