/** A webhook's receiver: a real HTTP server that keeps what it was sent and answers as it is told. */
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

export interface Hook {
  readonly url: string;
  readonly received: Received[];
  /** Ids of the alerts that it answered with 2xx, in that order. */
  readonly taken: string[];
}

/** What a request is answered with: a status, with headers, or nothing at all. */
export type Reply = number | { status: number; headers: Record<string, string> } | undefined;

/** `reply` is asked for each request; 204 when not given. */
export async function startHook(reply: (id: string) => Reply = () => 204): Promise<Hook> {
  const received: Received[] = [];
  const taken: string[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      received.push({ path: req.url ?? '', headers: req.headers, body });
      const { id } = JSON.parse(body) as { id: string };
      const told = reply(id);
      if (told === undefined) return;
      const { status, headers } = typeof told === 'number' ? { status: told, headers: {} } : told;
      if (status < 300) taken.push(id);
      res.writeHead(status, headers).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/hook?team=1`, received, taken };
}
