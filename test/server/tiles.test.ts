import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { concatBytes } from '../../src/encoding/bytes.ts';
import { encodeBundle } from '../../src/merkle/bundle.ts';
import { rfc6962, type Hash } from '../../src/merkle/hash.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';
import { bundlePath, tilePath, tilesOf } from '../../src/merkle/tile.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { entries } from '../log/scratch.ts';
import {
  exchange,
  problemIn,
  startServer,
  statusIn,
  type RunningServer,
} from './running-server.ts';

const immutable = 'public, max-age=31536000, immutable';

interface Filled extends RunningServer {
  readonly logged: readonly Uint8Array[];
  readonly leaves: readonly Hash[];
}

/** A published log of `size` entries. */
async function filledServer(size: number): Promise<Filled> {
  const server = await startServer();
  const more = entries(size - 1);
  await server.log.submitMany(more);
  await server.log.included((size - 1) as never);
  const logged = [await server.log.entry(0 as never), ...more];
  return { ...server, logged, leaves: logged.map((entry) => rfc6962.leaf(entry)) };
}

async function bytesAt(url: string, headers: Record<string, string> = {}): Promise<Uint8Array> {
  const response = await fetch(url, { headers });
  expect(response.status, url).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/octet-stream');
  expect(response.headers.get('cache-control')).toBe(immutable);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  return new Uint8Array(await response.arrayBuffer());
}

describe('C2SP tlog-tiles', () => {
  test('serves the checkpoint, and each tile and bundle of its tree', async () => {
    const { url, leaves, logged } = await filledServer(600);
    const response = await fetch(`${url}/checkpoint`);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-cache');
    const [text = ''] = (await response.text()).split('\n\n', 1);
    const checkpoint = parseCheckpoint(`${text}\n`);
    expect(checkpoint).toMatchObject({ size: 600, root: rootOfLeaves(leaves) });

    for (const tile of tilesOf(600)) {
      const start = tile.index * 256;
      const hashes =
        tile.level === 0
          ? leaves.slice(start, start + tile.width)
          : [0, 1].map((i) => rootOfLeaves(leaves.slice(i * 256, (i + 1) * 256)));
      expect(await bytesAt(`${url}/${tilePath(tile)}`)).toEqual(concatBytes(...hashes));
      if (tile.level > 0) continue;
      const bundle = await bytesAt(`${url}/${bundlePath(tile.index, tile.width)}`);
      expect(bundle).toEqual(encodeBundle(logged.slice(start, start + tile.width)));
    }
  });

  test('serves partial tiles of every smaller size, also once they are full', async () => {
    const { url, leaves, logged } = await filledServer(300);
    for (const width of [1, 2, 255]) {
      const tile = await bytesAt(`${url}/tile/0/000.p/${width}`);
      expect(tile).toEqual(concatBytes(...leaves.slice(0, width)));
      const bundle = await bytesAt(`${url}/tile/entries/000.p/${width}`);
      expect(bundle).toEqual(encodeBundle(logged.slice(0, width)));
    }
  });

  test('compresses bundles for those who take gzip', async () => {
    const { port, logged } = await filledServer(300);
    const get = (encoding: string): Promise<string> =>
      exchange(
        port,
        `GET /tile/entries/000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${encoding}\r\n`,
      );
    const body = (received: string): Uint8Array =>
      Buffer.from(received.slice(received.indexOf('\r\n\r\n') + 4), 'latin1');
    const bundle = Buffer.from(encodeBundle(logged.slice(0, 256)));
    for (const plain of ['', 'Accept-Encoding: br\r\n', 'Accept-Encoding: gzip;q=0\r\n']) {
      const received = await get(plain);
      expect(received).not.toMatch(/content-encoding/i);
      expect(received).toMatch(/vary: accept-encoding/i);
      expect(body(received)).toEqual(bundle);
    }
    for (const zipped of ['gzip', 'br, gzip', 'gzip;q=0.5', 'identity, *']) {
      const received = await get(`Accept-Encoding: ${zipped}\r\n`);
      expect(received).toMatch(/content-encoding: gzip/i);
      expect(gunzipSync(body(received))).toEqual(bundle);
    }
  });

  test('answers 304 to those who have it', async () => {
    const { url } = await filledServer(300);
    for (const path of ['/checkpoint', '/tile/0/000', '/tile/entries/000']) {
      const etag = (await fetch(url + path)).headers.get('etag')!;
      expect(etag).toMatch(/^"[^"]+"$/);
      for (const tag of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
        const response = await fetch(url + path, { headers: { 'If-None-Match': tag } });
        expect(response.status).toBe(304);
        expect(response.headers.get('etag')).toBe(etag);
        expect(await response.text()).toBe('');
      }
      const other = await fetch(url + path, { headers: { 'If-None-Match': '"other"' } });
      expect(other.status).toBe(200);
    }
  });

  test('HEAD has the head of GET', async () => {
    const { url } = await filledServer(300);
    for (const path of ['/checkpoint', '/tile/0/000', '/tile/entries/000.p/7']) {
      const [get, head] = [await fetch(url + path), await fetch(url + path, { method: 'HEAD' })];
      expect(head.status).toBe(200);
      expect(await head.text()).toBe('');
      for (const name of ['content-type', 'content-length', 'etag', 'cache-control']) {
        expect(head.headers.get(name)).toBe(get.headers.get(name));
      }
    }
  });

  test.for([
    'tile/0/001.p/45',
    'tile/0/002',
    'tile/1/000',
    'tile/1/000.p/2',
    'tile/2/000.p/1',
    'tile/63/000',
    'tile/entries/001.p/45',
    'tile/entries/x999/x999/999',
  ])('what no checkpoint covers is not there: %s', async (path) => {
    const { url } = await filledServer(300);
    expect((await problemIn(await fetch(`${url}/${path}`))).code).toBe('not-found');
  });

  test('paths that are not the one spelling of a tile', async () => {
    const { port } = await filledServer(300);
    const paths = [
      '/tile/',
      '/tile/0',
      '/tile/0/',
      '/tile/0/0',
      '/tile/0/00',
      '/tile/0/0000',
      '/tile/00/000',
      '/tile/64/000',
      '/tile/-1/000',
      '/tile/+0/000',
      '/tile/0x0/000',
      '/tile/0/x000/000',
      '/tile/0/x1/001',
      '/tile/0/001/001',
      '/tile/0/x001/x001',
      '/tile/0/000/',
      '/tile//0/000',
      '//tile/0/000',
      '/tile/0/000.p',
      '/tile/0/000.p/',
      '/tile/0/000.p/0',
      '/tile/0/000.p/01',
      '/tile/0/000.p/256',
      '/tile/0/000.p/1/',
      '/tile/0/000.p/1.p/1',
      '/tile/0/%3000',
      '/tile/0/000%2Ep/1',
      '/tile/%2e%2e/checkpoint',
      '/tile/../checkpoint',
      '/tile/0/../0/000',
      '/tile/./0/000',
      '/tile/0/000%00',
      '/Tile/0/000',
      '/tile/entries',
      '/tile/entries/0',
      '/tile/Entries/000',
      '/tile/data/000',
      '/tile/0/x999/x999/x999/x999/x999/x999/999',
      '/tile/0/\u0660\u0660\u0660',
      '/checkpoint/',
      '/tile\\0\\000',
    ];
    for (const path of paths) {
      const received = await exchange(
        port,
        `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
      );
      expect([400, 404], path).toContain(statusIn(received));
      expect(received, path).not.toMatch(/cache-control/i);
      expect(received, path).toContain('urn:daybook:error:');
    }
  });

  test('a query is refused: it would make copies of one resource in caches', async () => {
    const { url } = await filledServer(2);
    for (const path of ['/checkpoint?a', '/tile/0/000.p/1?a=b']) {
      expect((await problemIn(await fetch(url + path))).code).toBe('bad-request');
    }
  });
});
