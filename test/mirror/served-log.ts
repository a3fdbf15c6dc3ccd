/** A log in memory behind a real HTTP server, for mirrors that run as processes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';
import type { MemoryLog } from '../client/memory-log.ts';

/** The base URL of `log`, until the test ends. */
export async function serve(log: MemoryLog): Promise<string> {
  const server = createServer((request, response) => {
    void log.fetch(`http://log.example${request.url}`).then(async (answer) => {
      response.writeHead(answer.status);
      response.end(new Uint8Array(await answer.arrayBuffer()));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
