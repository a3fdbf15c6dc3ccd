/** A mirror over HTTP: C2SP tlog-tiles below the origin hash. */
import { pino } from 'pino';
import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { LogClient } from '../../src/client/log-client.ts';
import { createMirrorFace } from '../../src/mirror/face.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { exchange, problemIn, statusIn } from '../server/running-server.ts';
import { newMirror, openMirror } from './scratch-mirror.ts';

interface Scene {
  readonly log: MemoryLog;
  readonly port: number;
  readonly base: string;
}

async function scene(): Promise<Scene> {
  const log = await MemoryLog.create(numbered(300));
  const running = await openMirror(log, { directory: await newMirror() });
  await running.update();
  const face = createMirrorFace(running.publicDirectory, { logger: pino({ level: 'silent' }) });
  const { port } = await face.listen(0, '127.0.0.1');
  onTestFinished(() => face.stop());
  return { log, port, base: `http://127.0.0.1:${port}/${originHash(log.origin)}` };
}

let hash: string;
beforeAll(async () => {
  hash = originHash((await MemoryLog.create()).origin);
});

test('a client reads it as it reads the log', async () => {
  const { log, base } = await scene();
  const client = new LogClient({ url: base, vkeys: [log.vkey] });
  const head = await client.checkpoint();
  expect(head.size).toBe(300);
  expect(await client.entry(299, head)).toEqual(log.entries[299]);
});

test('each kind of file has its type and how long it may be cached', async () => {
  const { base } = await scene();
  const expected = {
    checkpoint: ['text/plain; charset=utf-8', 'no-cache'],
    'tile/0/000': ['application/octet-stream', 'public, max-age=31536000, immutable'],
    'tile/0/001.p/44': ['application/octet-stream', 'public, max-age=31536000, immutable'],
    'tile/entries/000': ['application/octet-stream', 'public, max-age=31536000, immutable'],
  };
  for (const [path, [type, caching]] of Object.entries(expected)) {
    const response = await fetch(`${base}/${path}`);
    expect(response.status, path).toBe(200);
    expect(response.headers.get('content-type')).toBe(type);
    expect(response.headers.get('cache-control')).toBe(caching);
    expect(response.headers.get('access-control-allow-origin')).toBe('*');
    const etag = response.headers.get('etag')!;
    const again = await fetch(`${base}/${path}`, { headers: { 'if-none-match': etag } });
    expect(again.status).toBe(304);
    const head = await fetch(`${base}/${path}`, { method: 'HEAD' });
    expect(head.headers.get('content-length')).toBe(response.headers.get('content-length'));
  }
});

test('bundles are compressed for whoever takes gzip', async () => {
  const { log, base } = await scene();
  const wish = { 'accept-encoding': 'gzip' };
  const zipped = await fetch(`${base}/tile/entries/000`, { headers: wish });
  expect(zipped.headers.get('content-encoding')).toBe('gzip');
  expect(zipped.headers.get('vary')).toBe('Accept-Encoding');
  expect(Buffer.from(await zipped.arrayBuffer())).toEqual(
    Buffer.from(log.tile('tile/entries/000')!),
  );
  const plain = await fetch(`${base}/tile/entries/000`, {
    headers: { 'accept-encoding': 'identity' },
  });
  expect(plain.headers.get('content-encoding')).toBeNull();
  expect(plain.headers.get('etag')).not.toBe(zipped.headers.get('etag'));
  const tile = await fetch(`${base}/tile/0/000`, { headers: wish });
  expect(tile.headers.get('content-encoding')).toBeNull();
});

test.each([
  'tile/0/002',
  'tile/0/001.p/45',
  'tile/0/000/',
  'tile/0/0',
  'tile/0/x000/000',
  'tile/entries/001',
  'tile',
  'tile/0',
  'checkpoint/',
  'nothing',
])('there is nothing at %s', async (path) => {
  const { base } = await scene();
  const problem = await problemIn(await fetch(`${base}/${path}`));
  expect(problem).toMatchObject({ status: 404, code: 'not-found' });
});

test('nothing but the files of logs can be read', async () => {
  const { port } = await scene();
  const paths = [
    '/../state/head',
    `/${hash}/../../cosigner.key`,
    `/${hash}/tile/../../../cosigner.key`,
    `/${hash}/%2e%2e/%2e%2e/cosigner.key`,
    `/${hash.toUpperCase()}/checkpoint`,
    `/${'0'.repeat(64)}/checkpoint`,
    `/${hash}`,
    `/${hash}/`,
  ];
  for (const path of paths) {
    const answer = await exchange(
      port,
      `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    );
    expect(statusIn(answer), path).toBe(404);
    expect(answer).not.toContain('PRIVATE KEY');
  }
});

test('other methods and queries are refused', async () => {
  const { base } = await scene();
  const posted = await fetch(`${base}/checkpoint`, { method: 'POST', body: 'x' });
  expect(posted.status).toBe(405);
  expect(posted.headers.get('allow')).toBe('GET, HEAD');
  expect((await fetch(`${base}/checkpoint?x=1`)).status).toBe(400);
  const { origin } = new URL(base);
  expect(await (await fetch(`${origin}/healthz`)).text()).toBe('ok\n');
});
