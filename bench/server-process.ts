/** A real server process, and wrk against it from another. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ServerProcess {
  readonly url: string;
  readonly directory: string;
  /** Resident memory, in MB. */
  rss(): number;
  /** Processor time so far, of all its threads, in seconds. */
  cpu(): number;
  stop(): Promise<void>;
}

export async function scratch(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'daybook-bench-'));
}

export function startServer(
  directory: string,
  ...options: readonly string[]
): Promise<ServerProcess> {
  return startService('serve', directory, ...options);
}

/** A subcommand that serves what is in `directory`, which is removed when it stops. */
export async function startService(
  subcommand: string,
  directory: string,
  ...options: readonly string[]
): Promise<ServerProcess> {
  // As `npm start` has it, which runs a log.
  const memory = subcommand === 'serve' ? ['--max-semi-space-size=4'] : [];
  const settings = ['--port', '0', '--data', directory, ...options];
  const child: ChildProcess = spawn(
    process.execPath,
    [...memory, 'src/cli/main.ts', subcommand, ...settings],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    output += String(chunk);
    const port = /http:\/\/localhost:(\d+)/.exec(output)?.[1];
    if (port === undefined) continue;
    return {
      url: `http://127.0.0.1:${port}`,
      directory,
      rss() {
        const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
        return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1000);
      },
      cpu: () => cpuSeconds(child.pid),
      async stop() {
        child.kill('SIGTERM');
        await once(child, 'exit');
        await rm(directory, { recursive: true });
      },
    };
  }
  throw new Error(`the server did not start: ${output}`);
}

/** Processor time of a running process so far, of all its threads. */
export function cpuSeconds(pid: number | undefined): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(')'))
    .split(' ')
    .slice(12, 14)
    .map(Number);
  // In ticks of USER_HZ, which is 100 on Linux.
  return (user + system) / 100;
}

export interface WrkResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly errors: number;
}

/** Runs wrk with one thread and a Lua script that makes the requests and prints its summary. */
export async function wrk(
  url: string,
  script: string,
  { connections = 64, seconds = 10 }: { connections?: number; seconds?: number } = {},
): Promise<WrkResult> {
  const path = join(await scratch(), 'requests.lua');
  writeFileSync(path, `${script}\n${SUMMARY}`);
  const child = spawn(
    'wrk',
    ['-t1', `-c${connections}`, `-d${seconds}s`, '--timeout', '10s', '-s', path, url],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
  await once(child, 'exit');
  const json = /^summary (\{.*\})$/m.exec(output)?.[1];
  if (json === undefined) throw new Error(`wrk printed no summary: ${output}`);
  return JSON.parse(json) as WrkResult;
}

export function requireWrk(): void {
  try {
    execFileSync('wrk', ['-v'], { stdio: 'ignore' });
  } catch (error) {
    // wrk -v prints its version and exits with 1.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      throw new Error('the HTTP benches need wrk: apt-get install wrk');
    }
  }
}

const SUMMARY = `
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'summary {"perSecond":%d,"p50Ms":%.2f,"p99Ms":%.2f,"errors":%d}\\n',
    summary.requests / (summary.duration / 1000000),
    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    e.connect + e.read + e.write + e.status + e.timeout))
end`;
