import { describe, expect, test } from 'vitest';
import { readinessSchema } from '../../src/server/health.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { cut } from '../log/link.ts';
import { cosigners, startHouse, until, type House } from '../log/witnessed.ts';
import { postEntry, problemIn, startServer, type RunningServer } from './running-server.ts';

async function start(house: House, known = true, maxUnpublished?: number): Promise<RunningServer> {
  const policy = house.policy('group q all A B', 'quorum q');
  const server = await startServer({
    log: { origin: 'log.example/a', witnesses: { policy, timeoutMs: 1000 }, maxUnpublished },
    server: { includedTimeoutMs: 300 },
  });
  if (known) house.known.logs.set(server.log.origin, server.log.vkeys.map(parseVkey));
  return server;
}

async function readiness({ url }: RunningServer): Promise<{ status: number; body: unknown }> {
  const answer = await fetch(`${url}/readyz`);
  return { status: answer.status, body: readinessSchema.parse(await answer.json()) };
}

describe('a log with witnesses over HTTP', () => {
  test('has no checkpoint before its first quorum, and says so', async () => {
    const server = await start(await startHouse(2), false);
    await until(() => server.log.status().silent.length === 2);
    for (const path of ['/checkpoint', '/cosigned-checkpoint']) {
      const answer = await fetch(server.url + path);
      expect(answer.headers.get('retry-after')).toBe('1');
      expect(await problemIn(answer)).toMatchObject({ status: 503, code: 'quorum-away' });
    }
    expect((await fetch(`${server.url}/`)).status).toBe(200);
    expect((await fetch(`${server.url}/proofs/entry/0`)).status).toBe(404);
    expect(await readiness(server)).toEqual({
      status: 503,
      body: expect.objectContaining({
        ready: false,
        accepting: true,
        publishing: false,
        reason: 'Too few witnesses cosign',
        silent: ['A', 'B'],
        size: 1,
        published: 0,
      }) as unknown,
    });
  });

  test('serves both checkpoints, and proofs under the cosigned one', async () => {
    const house = await startHouse(2);
    const server = await start(house);
    await until(() => server.log.cosigned.size === 1);
    const answer = await postEntry(server, 'a build');
    expect(answer.status).toBe(201);
    const { proof } = (await answer.json()) as { proof: string };
    expect(proof).toContain('— witness.example/A ');
    expect(proof).toContain('— witness.example/B ');
    await until(() => server.log.cosigned.size === 2);
    for (const path of ['/checkpoint', '/cosigned-checkpoint']) {
      const found = await fetch(server.url + path);
      expect(found.headers.get('cache-control')).toBe('no-cache');
      const note = new Uint8Array(await found.arrayBuffer());
      expect(await cosigners(house, { ...server.log.published, note })).toBe('AB');
      const again = await fetch(server.url + path, {
        headers: { 'if-none-match': found.headers.get('etag') ?? '' },
      });
      expect(again.status).toBe(304);
    }
    expect(await readiness(server)).toMatchObject({ status: 200, body: { ready: true } });
  });

  test('takes entries without a quorum, answers 202, and 503 when there are too many', async () => {
    const house = await startHouse(2);
    const server = await start(house, true, 2);
    await until(() => server.log.published.size === 1);
    const [, b] = house.witnesses;
    if (b) b.link.interfere = cut;
    expect((await postEntry(server, 'one')).status).toBe(202);
    expect((await postEntry(server, 'two')).status).toBe(202);
    const refused = await postEntry(server, 'three');
    expect(refused.headers.get('retry-after')).toBe('1');
    expect(await problemIn(refused)).toMatchObject({ status: 503, code: 'quorum-away' });
    const batch = await fetch(`${server.url}/entries/batch`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-ndjson' },
      body: 'four\n',
    });
    expect(await problemIn(batch)).toMatchObject({ status: 503, code: 'quorum-away' });
    expect(await readiness(server)).toMatchObject({
      status: 503,
      body: { accepting: false, publishing: false, silent: ['B'], size: 3, published: 1 },
    });
    if (b) b.link.interfere = undefined;
    await until(() => server.log.published.size === 3);
    await until(() => server.log.status().publishing);
    expect((await postEntry(server, 'three')).status).toBe(201);
  });
});
