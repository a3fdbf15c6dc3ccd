/** The way from a log to one of its witnesses: it can be cut, be slow, drip, and answer in the witness's place. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

export interface Reply {
  readonly status: number;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

type Effect = Reply | 'cut' | 'drip' | undefined;

/** Answers in the witness's place; passes the request on where it gives nothing. */
export type Interference = (path: string, body: string) => Effect | Promise<Effect>;

export interface Link {
  readonly url: string;
  /** Bodies of the requests for cosignatures that came, the oldest first. */
  readonly asked: string[];
  interfere: Interference | undefined;
}

/** To `target`, until the test ends; whoever has none interferes with everything. */
export async function startLink(target = 'http://127.0.0.1:9'): Promise<Link> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk as Uint8Array);
      const body = Buffer.concat(chunks).toString();
      const path = request.url ?? '/';
      if (request.method === 'POST') asked.push(body);
      const reply =
        (await link.interfere?.(path, body)) ??
        (await pass(`${target}${path}`, request.method, body));
      if (reply === 'cut') {
        request.socket.destroy();
      } else if (reply === 'drip') {
        response.writeHead(200);
        while (!response.destroyed) {
          response.write('x');
          await delay(20);
        }
      } else {
        response.writeHead(reply.status, reply.headers);
        response.end(reply.body);
      }
    })();
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as AddressInfo;
  const link: Link = { url: `http://127.0.0.1:${port}`, asked, interfere: undefined };
  return link;
}

async function pass(url: string, method = 'GET', body: string): Promise<Reply | 'cut'> {
  try {
    const answer = await fetch(url, { method, ...(method === 'POST' ? { body } : {}) });
    return {
      status: answer.status,
      headers: { 'content-type': answer.headers.get('content-type') ?? '' },
      body: new Uint8Array(await answer.arrayBuffer()),
    };
  } catch {
    return 'cut';
  }
}

/** Whatever is asked, the connection breaks. */
export const cut: Interference = () => 'cut';

/** Requests for cosignatures come to an answer, but late. */
export function slow(milliseconds: number): Interference {
  return async () => {
    await delay(milliseconds);
    return undefined;
  };
}
