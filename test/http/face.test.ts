import { connect, type Socket } from 'node:net';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { answer } from '../../src/http/exchange.ts';
import { createHttpFace, type HttpFace } from '../../src/http/face.ts';

/** Answers to `GET /slow` when `release` is called. */
async function slowFace(): Promise<{ face: HttpFace; port: number; release: () => void }> {
  let release!: () => void;
  const released = new Promise<void>((resolve) => (release = resolve));
  const face = createHttpFace({
    logger: pino({ level: 'silent' }),
    limits: { stopTimeoutMs: 600_000, headersTimeoutMs: 600_000, requestTimeoutMs: 600_000 },
    routes(router) {
      router.get('/slow', async (ctx) => {
        await released;
        answer(ctx, 200, ['Content-Type', 'text/plain'], 'done');
      });
    },
  });
  const { port } = await face.listen(0, '127.0.0.1');
  return { face, port, release };
}

function connected(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', () => undefined);
  });
}

test('stopping waits for no connection that has asked for nothing', async () => {
  const { face, port } = await slowFace();
  const socket = await connected(port);
  const begun = await connected(port);
  begun.write('GET /slow HTT');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const closed = new Promise((resolve) => socket.on('close', resolve));
  await face.stop();
  await closed;
});

test('stopping lets a request in flight get its answer', async () => {
  const { face, port, release } = await slowFace();
  const answered = fetch(`http://127.0.0.1:${port}/slow`).then((response) => response.text());
  while (face.traffic.inFlight.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const stopped = face.stop();
  release();
  expect(await answered).toBe('done');
  await stopped;
  await expect(fetch(`http://127.0.0.1:${port}/slow`)).rejects.toThrow();
});
