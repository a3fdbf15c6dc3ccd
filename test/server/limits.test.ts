import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { exchange, postEntry, problemIn, startServer, statusIn } from './running-server.ts';

function openSocket(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  return socket;
}

const postHead = (length: number, path = '/entries', type = 'application/octet-stream'): string =>
  `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\n\r\n`;

describe('slow clients are cut off', () => {
  test('with a slow entry', async () => {
    const { port } = await startServer({ server: { bodyTimeoutMs: 50 } });
    const received = await exchange(port, `${postHead(10)}slow`);
    expect(statusIn(received)).toBe(408);
    expect(received).toContain('urn:daybook:error:request-timeout');
  });

  test('with slow headers, and with a slow batch', async () => {
    const { port, url } = await startServer({
      server: { headersTimeoutMs: 100, requestTimeoutMs: 300 },
    });
    expect(statusIn(await exchange(port, 'GET / HTTP/1.1\r\nHost:'))).toBe(408);
    const batch = postHead(100, '/entries/batch', 'application/x-ndjson');
    expect(statusIn(await exchange(port, `${batch}slow`))).toBe(408);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('on an idle connection', async () => {
    const { port } = await startServer({ server: { idleTimeoutMs: 50 } });
    expect(await exchange(port)).toBe('');
  });
});

describe('what is too much at once is refused with 503 and a time to come back', () => {
  test('requests', async () => {
    const { port, url } = await startServer({ server: { maxRequests: 1 } });
    const busy = openSocket(port);
    busy.write(postHead(10));
    await expect.poll(async () => (await fetch(`${url}/healthz`)).status).toBe(503);
    const refused = await fetch(`${url}/healthz`);
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await problemIn(refused)).code).toBe('overloaded');
    busy.write('0123456789');
    await once(busy, 'data');
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  test('bytes of entries, before their body is read', async () => {
    const server = await startServer({ server: { maxEntryBytes: 10_000 } });
    const busy = openSocket(server.port);
    busy.write(postHead(8000));
    await expect
      .poll(async () => (await postEntry(server, 'x'.repeat(3000), '?wait=sequenced')).status)
      .toBe(503);
    // Only the head is sent: the answer does not wait for the body.
    const waiting = openSocket(server.port);
    waiting.write(postHead(3000));
    const [answer] = (await once(waiting, 'data')) as [Buffer];
    expect(statusIn(answer.toString())).toBe(503);
    busy.destroy();
    await expect.poll(async () => (await postEntry(server, 'x'.repeat(3000))).status).toBe(201);
  });

  test('batches', async () => {
    const { port, url } = await startServer({ server: { maxBatches: 1 } });
    const busy = openSocket(port);
    const type = 'application/x-ndjson';
    busy.write(postHead(100, '/entries/batch', type));
    const send = (): Promise<Response> =>
      fetch(`${url}/entries/batch`, {
        method: 'POST',
        body: 'a\n',
        headers: { 'Content-Type': type },
      });
    await expect.poll(async () => (await send()).status).toBe(503);
    busy.destroy();
    await expect.poll(async () => (await send()).status).toBe(200);
  });

  test('connections', async () => {
    const { port, url } = await startServer({ server: { maxConnections: 2 } });
    const [first, second] = [openSocket(port), openSocket(port)];
    await Promise.all([once(first, 'connect'), once(second, 'connect')]);
    expect(await exchange(port, 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('');
    first.destroy();
    await expect
      .poll(() =>
        fetch(`${url}/healthz`).then(
          (r) => r.status,
          () => 0,
        ),
      )
      .toBe(200);
  });
});

test('an answer before the end of a body does not break the connection for the next request', async () => {
  const { port } = await startServer();
  const refused = 'POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n';
  const next = 'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
  const received = await exchange(port, refused, 'x'.repeat(100_000), next);
  expect([...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => status)).toEqual([
    '404',
    '200',
  ]);
});

test('a client that waits for an invitation gets it, or a refusal in its place', async () => {
  const { port } = await startServer();
  const head = (length: number): string =>
    postHead(length).replace('\r\n\r\n', '\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n');
  const invited = openSocket(port);
  invited.write(head(4));
  const [first] = (await once(invited, 'data')) as [Buffer];
  expect(statusIn(first.toString())).toBe(100);
  invited.write('body');
  const [second] = (await once(invited, 'data')) as [Buffer];
  expect(statusIn(second.toString())).toBe(201);
  const refused = openSocket(port);
  refused.write(head(65_536));
  const [refusal] = (await once(refused, 'data')) as [Buffer];
  expect(statusIn(refusal.toString())).toBe(413);
});

describe('stop', () => {
  test('answers what is in flight, then closes', async () => {
    const server = await startServer();
    const busy = openSocket(server.port);
    busy.write(`${postHead(4)}bu`);
    await fetch(`${server.url}/healthz`);
    const stopped = server.server.stop();
    busy.write('sy');
    const [answer] = (await once(busy, 'data')) as [Buffer];
    expect(statusIn(answer.toString())).toBe(201);
    expect(answer.toString()).toMatch(/connection: close/i);
    await stopped;
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
  });

  test('cuts what does not finish in time', async () => {
    const server = await startServer({ server: { stopTimeoutMs: 50 } });
    const stuck = openSocket(server.port);
    stuck.write(postHead(10));
    await fetch(`${server.url}/healthz`);
    await server.server.stop();
    await expect.poll(() => stuck.destroyed).toBe(true);
  });
});
