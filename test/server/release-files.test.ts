/** Channel and release files as the server gives them: each leads to the checkpoint in it. */
import { describe, expect, test } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { rootFromMultiInclusion } from '../../src/merkle/multi-inclusion.ts';
import { parseReleaseFile, type ReleaseFile } from '../../src/proof/release-file.ts';
import type { Signer } from '../../src/signature/port.ts';
import { admission, channelEntry, newSigner, opened, release, sha256 } from '../log/scratch.ts';
import {
  exchange,
  problemIn,
  startServer,
  statusIn,
  type RunningServer,
} from './running-server.ts';

const type = 'application/vnd.daybook.release+cbor';

interface WithIssuer extends RunningServer {
  readonly issuer: Signer;
}

async function withIssuer(): Promise<WithIssuer> {
  const server = await startServer({ log: { admission: 'issuers' } });
  const issuer = await newSigner();
  await server.log.submit(await admission(server.log, server.directory, issuer));
  return { ...server, issuer };
}

/** Logs statement `sequence` of acme/stable and waits until it is published. */
async function publish(
  { log, issuer }: WithIssuer,
  sequence: number,
  previous?: number,
): Promise<number> {
  const { index } = await log.submit(await channelEntry(log, issuer, sequence, previous));
  await log.included(index);
  return index;
}

async function fileAt({ log }: RunningServer, response: Response): Promise<ReleaseFile> {
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe(type);
  expect(response.headers.get('cache-control')).toBe('public, max-age=60');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  const file = parseReleaseFile(new Uint8Array(await response.arrayBuffer()));
  const { size, root } = await opened(log, { ...log.published, note: file.checkpoint });
  const leaves = file.entries.map(({ index, entry }) => ({ index, hash: rfc6962.leaf(entry) }));
  expect(rootFromMultiInclusion({ leaves, size, proof: file.proof })).toEqual(root);
  return file;
}

const indexesOf = ({ entries }: ReleaseFile): number[] => entries.map(({ index }) => index);

describe('GET /channels/{name}', () => {
  test('is the newest statement of the channel, as the log grows', async () => {
    const server = await withIssuer();
    const url = `${server.url}/channels/acme/stable`;
    const first = await publish(server, 1);
    expect(indexesOf(await fileAt(server, await fetch(url)))).toEqual([first]);
    const { log } = server;
    await log.included((await log.submit(await release(server.issuer, '1.1'))).index);
    const second = await publish(server, 2, first);
    const file = await fileAt(server, await fetch(url));
    expect(indexesOf(file)).toEqual([second]);
    expect(file.entries[0]?.entry).toEqual(new Uint8Array(await log.entry(second as never)));
  });

  test('names any channel, of two to four parts', async () => {
    const server = await withIssuer();
    for (const channel of ['acme/stable', 'acme/eu/stable', 'acme/eu/north.1/av_signatures']) {
      const entry = await channelEntry(server.log, server.issuer, 1, undefined, { channel });
      const { index } = await server.log.submit(entry);
      await server.log.included(index);
      const file = await fileAt(server, await fetch(`${server.url}/channels/${channel}`));
      expect(indexesOf(file)).toEqual([index]);
    }
  });

  test('has a proof and checkpoint under 4 KiB', async () => {
    const server = await withIssuer();
    for (let version = 0; version < 600; version += 100) {
      const names = Array.from({ length: 100 }, (_, i) => `2.${version + i}`);
      const entries = await Promise.all(names.map((name) => release(server.issuer, name)));
      await server.log.submitMany(entries);
    }
    await publish(server, 1);
    const response = await fetch(`${server.url}/channels/acme/stable`);
    expect((await response.arrayBuffer()).byteLength).toBeLessThan(4096);
  });

  test('is not sent again to who has it, and stays the same while the checkpoint does', async () => {
    const server = await withIssuer();
    const url = `${server.url}/channels/acme/stable`;
    const first = await publish(server, 1);
    const responses = await Promise.all(Array.from({ length: 20 }, () => fetch(url)));
    const etags = new Set(responses.map(({ headers }) => headers.get('etag')));
    expect(etags.size).toBe(1);
    const [etag] = etags as Set<string>;
    const unchanged = await fetch(url, { headers: { 'If-None-Match': etag as string } });
    expect([unchanged.status, unchanged.headers.get('etag')]).toEqual([304, etag]);
    expect((await fetch(url, { method: 'HEAD' })).headers.get('etag')).toBe(etag);
    await publish(server, 2, first);
    const changed = await fetch(url, { headers: { 'If-None-Match': etag as string } });
    expect(changed.status).toBe(200);
  });

  test.each([
    ['/channels/acme/stable', 404],
    ['/channels/acme/stable/', 400],
    ['/channels/acme', 400],
    ['/channels/Acme/stable', 400],
    ['/channels/acme//stable', 400],
    ['/channels/acme/../stable', 400],
    ['/channels/a/b/c/d/e', 400],
    [`/channels/acme/${'x'.repeat(200)}`, 400],
    ['/channels/acme/stable?x=1', 400],
    ['/channels/', 404],
    ['/channels', 404],
    ['/channels/acme%2Fstable', 404],
  ])('%s is %i', async (path, status) => {
    const { port } = await withIssuer();
    // Not fetch, which would tidy the path up.
    const head = `GET ${path} HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\r\n`;
    const received = await exchange(port, head);
    expect(statusIn(received)).toBe(status);
    expect(received).toContain('Content-Type: application/problem+json');
  });

  test('takes no other method', async () => {
    const { url } = await withIssuer();
    const refused = await fetch(`${url}/channels/acme/stable`, { method: 'PUT', body: 'x' });
    expect((await problemIn(refused)).code).toBe('method-not-allowed');
    const preflight = await fetch(`${url}/channels/acme/stable`, { method: 'OPTIONS' });
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET, HEAD');
  });
});

describe('GET /releases/{sha256}', () => {
  test('has all published statements about a file under one proof', async () => {
    const server = await withIssuer();
    const { log, directory } = server;
    const indexes: number[] = [];
    for (const issuer of [server.issuer, await newSigner(), await newSigner()]) {
      if (issuer !== server.issuer) await log.submit(await admission(log, directory, issuer));
      indexes.push((await log.submit(await release(issuer, '1.2'))).index);
      await log.submit(await release(issuer, '1.3'));
    }
    await log.included((log.status().size - 1) as never);
    const url = `${server.url}/releases/${encodeHex(sha256('1.2'))}`;
    expect(indexesOf(await fileAt(server, await fetch(url)))).toEqual(indexes);
  });

  test('of more than 64 the newest', async () => {
    const server = await withIssuer();
    let previous: number | undefined;
    // All statements of a channel are about one digest, that of its name.
    for (let sequence = 1; sequence <= 70; sequence++) {
      const entry = await channelEntry(server.log, server.issuer, sequence, previous);
      previous = (await server.log.submit(entry)).index;
    }
    await server.log.included(previous as never);
    const url = `${server.url}/releases/${encodeHex(sha256('acme/stable'))}`;
    const file = await fileAt(server, await fetch(url));
    expect(indexesOf(file)).toEqual(Array.from({ length: 64 }, (_, i) => 8 + i));
  });

  test.each([
    ['0'.repeat(64), 404],
    ['0'.repeat(63), 400],
    ['A'.repeat(64), 400],
    ['A'.repeat(43), 400],
  ])('of %s is %i', async (digest, status) => {
    const { url } = await startServer();
    const response = await fetch(`${url}/releases/${digest}`);
    expect(response.status).toBe(status);
    await problemIn(response);
  });
});
