/** A real log behind a real server on a free port, and ways to talk to it that fetch would not allow. */
import { connect } from 'node:net';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import type { Log, LogOptions } from '../../src/log/log.ts';
import { createServer, type LogServer, type ServerConfig } from '../../src/server/index.ts';
import { problemSchema, type Problem } from '../../src/http/problem.ts';
import { scratchDirectory, scratchLog } from '../log/scratch.ts';

export interface RunningServer {
  readonly log: Log;
  readonly server: LogServer;
  readonly directory: string;
  readonly port: number;
  /** Without a slash at its end. */
  readonly url: string;
}

/** Runs until the test ends. Admission is open unless `log` says otherwise. */
export async function startServer(
  options: { log?: Partial<LogOptions>; server?: Partial<ServerConfig> } = {},
): Promise<RunningServer> {
  const directory = options.log?.directory ?? (await scratchDirectory());
  const log = await scratchLog({ admission: 'open', ...options.log, directory });
  const server = createServer(log, { logger: pino({ level: 'silent' }), ...options.server });
  const { port } = await server.listen(0, '127.0.0.1');
  onTestFinished(() => server.stop());
  return { log, server, directory, port, url: `http://127.0.0.1:${port}` };
}

const entryType = 'application/octet-stream';

export function postEntry(
  { url }: RunningServer,
  entry: Uint8Array | string,
  search = '',
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(`${url}/entries${search}`, {
    method: 'POST',
    body: Buffer.from(entry),
    headers: { 'Content-Type': entryType, ...headers },
  });
}

/** The problem details of an answer, whose head and body agree. */
export async function problemIn(response: Response): Promise<Problem> {
  const problem = problemSchema.parse(await response.json());
  if (
    problem.status !== response.status ||
    response.headers.get('content-type') !== 'application/problem+json' ||
    response.headers.get('cache-control') !== null ||
    problem.requestId !== response.headers.get('x-request-id')
  ) {
    throw new Error(`${response.status} does not agree with ${JSON.stringify(problem)}`);
  }
  return problem;
}

/** Sends these bytes and gives all that came back when the server closed the connection. */
export function exchange(port: number, ...pieces: (string | Uint8Array)[]): Promise<string> {
  return new Promise((resolve) => {
    const received: Buffer[] = [];
    const socket = connect(port, '127.0.0.1');
    socket.on('data', (piece) => received.push(piece));
    // A reset is a way to close, too: what came before it counts.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(received).toString('latin1')));
    for (const piece of pieces) socket.write(piece);
  });
}

/** Status code of the first answer in what a connection gave; 0 when it gave none. */
export function statusIn(received: string): number {
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(received)?.[1] ?? 0);
}
