/** Monitors that talk over HTTP on loopback, each with a log of two faces in front of it. */
import { pino } from 'pino';
import { beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { createHttpFace } from '../../../src/http/face.ts';
import { MAX_NEIGHBOUR_HEADS } from '../../../src/monitor/gossip/pending-heads.ts';
import { gossipRoutes } from '../../../src/monitor/gossip/routes.ts';
import { originHash } from '../../../src/note/origin-hash.ts';
import type { NoteSigner } from '../../../src/note/sign.ts';
import { MAX_EVIDENCE_BYTES } from '../../../src/verify/evidence.ts';
import { numbered, type MemoryLog } from '../../client/memory-log.ts';
import { newNoteSigner } from '../../note/new-signer.ts';
import { FORK_AT, monitorOf, twoFaces, type Scene, type SceneOptions } from './scene.ts';

let honest: MemoryLog;
let forked: MemoryLog;
let witness: NoteSigner;
beforeAll(async () => {
  [honest, forked] = await twoFaces();
  witness = await newNoteSigner('w.example', 0x04);
});

interface Running extends Scene {
  readonly url: string;
}

/** A monitor of `log` at a free port. */
async function running(log: MemoryLog, options: SceneOptions = {}): Promise<Running> {
  const scene = await monitorOf(log, { fetch, ...options });
  const face = createHttpFace({
    logger: pino({ level: 'silent' }),
    routes: (router) => gossipRoutes(router, scene.gossip),
  });
  const { port } = await face.listen(0, '127.0.0.1');
  onTestFinished(() => face.stop());
  return Object.assign(scene, { url: `http://127.0.0.1:${port}/` });
}

function post(
  { url }: Running,
  path: string,
  body: Uint8Array | string,
  type = 'text/plain',
): Promise<Response> {
  const init = { method: 'POST', headers: { 'content-type': type } };
  return fetch(new URL(path, url), { ...init, body: new Uint8Array(Buffer.from(body)) });
}

const peer = (name: string, { url }: Running): { name: string; url: string }[] => [{ name, url }];
const idsOf = ({ gossip }: Scene): string[] => gossip.held().evidence.map(({ id }) => id);
const rulesOf = (scene: Scene): string[] => scene.alerts.map(({ rule }) => rule);

describe('two monitors', () => {
  test.each([
    ['the same size', 40, 40],
    ['the one that asks further', 40, 20],
    ['the one that is asked further', 20, 40],
  ])('find the fork between them: %s', async (_, asking, asked) => {
    const first = await running(honest);
    const second = await running(forked, { peers: peer('first', first) });
    await first.advance(asked);
    await second.advance(asking);
    await second.gossip.round();
    if (asking >= asked) {
      expect(rulesOf(second)).toEqual(['log-forked']);
      expect(idsOf(first)).toEqual(idsOf(second));
      expect(rulesOf(first)).toEqual(['log-forked']);
    } else {
      expect(second.gossip.judge(second.followed.hash).pending).toMatchObject([
        { source: 'peer first' },
      ]);
    }
  });

  test('pass on heads that neither can judge, to a third that can', async () => {
    const first = await running(honest);
    const second = await running(honest, { peers: peer('first', first) });
    const third = await running(honest, { peers: peer('second', second) });
    await third.advance(50);
    expect((await post(first, 'gossip/checkpoint', await forked.note(30))).status).toBe(202);
    await second.gossip.round();
    await third.gossip.round();
    expect(rulesOf(third)).toEqual(['log-forked']);
  });

  test('spread evidence by pulling too, once, and to whoever comes late', async () => {
    const first = await running(honest);
    await first.advance(40);
    await first.gossip.take(await forked.note(30), 'client');
    const asked: string[] = [];
    const second = await running(honest, {
      peers: peer('first', first),
      fetch: (input, init) => {
        const { method, url } = new Request(input, init);
        asked.push(`${method} ${new URL(url).pathname}`);
        return fetch(input, init);
      },
    });
    await second.gossip.round();
    expect(idsOf(second)).toEqual(idsOf(first));
    const [id] = idsOf(first);
    await second.gossip.round();
    await second.gossip.round();
    expect(asked.filter((path) => path === `GET /gossip/evidence/${id}`)).toHaveLength(1);
    expect(asked.filter((path) => path === 'POST /gossip/evidence')).toHaveLength(1);
    expect(second.alerts).toHaveLength(1);
  });

  test('owe evidence to a peer that is away, also after a restart', async () => {
    const first = await running(honest);
    let away = true;
    const second = await running(honest, {
      peers: peer('first', first),
      fetch: (input, init) => {
        if (away) throw new TypeError('fetch failed');
        return fetch(input, init);
      },
    });
    await second.advance(40);
    await second.gossip.take(await forked.note(30), 'client');
    await second.gossip.round();
    expect(first.alerts).toEqual([]);
    away = false;
    await (await second.again()).round();
    expect(rulesOf(first)).toEqual(['log-forked']);
  });
});

test('what a client reports is told to the peers at once', async () => {
  const stop = new AbortController();
  const first = await running(honest);
  const second = await running(honest, { peers: peer('first', first), intervalSeconds: 3600 });
  await second.advance(40);
  const following = second.gossip.follow(stop.signal);
  for (const size of [FORK_AT + 1, 20]) {
    await post(second, 'gossip/checkpoint', await forked.note(size));
  }
  await vi.waitFor(async () => {
    for await (const [key] of second.records.list('gossip/push/')) throw new Error(`owed: ${key}`);
    expect(rulesOf(first)).toEqual(['log-forked']);
  }, 10_000);
  stop.abort();
  await following;
});

describe('the monitoring prefix of a witness', () => {
  test('is read, and convicts the log and the witness', async () => {
    const hash = originHash(honest.origin);
    const scene = await monitorOf(honest, {
      witnesses: [{ key: witness.key, url: 'http://w.invalid/prefix' }],
      fetch: async (input, init) => {
        const { pathname } = new URL(new Request(input, init).url);
        if (pathname !== `/prefix/${hash}/checkpoint`) return new Response(null, { status: 404 });
        const note = await forked.note(30, [forked.signer, witness]);
        return new Response(new Uint8Array(note));
      },
    });
    await scene.advance(40, [witness]);
    await scene.gossip.round();
    expect(scene.gossip.held().evidence).toMatchObject([{ convictedWitnesses: ['w.example'] }]);
  });
});

describe('the interface for clients and peers', () => {
  test('takes reports only where that is wished', async () => {
    const open = await running(honest);
    await open.advance(40);
    const answers = await Promise.all(
      [await honest.note(20), await forked.note(20), await honest.note(50)].map(async (note) => {
        const response = await post(open, 'gossip/checkpoint', note);
        return [response.status, (await response.json()) as unknown];
      }),
    );
    expect(answers).toEqual([
      [200, { verdict: 'consistent' }],
      [200, { verdict: 'convicted' }],
      [202, { verdict: 'pending' }],
    ]);
    const closed = await running(honest, { acceptReports: false });
    expect((await post(closed, 'gossip/checkpoint', await honest.note(20))).status).toBe(404);
  });

  test('shows heads, the list of evidence, and each file', async () => {
    const scene = await running(honest);
    await scene.advance(40);
    await scene.gossip.take(await honest.note(50), 'client');
    await scene.gossip.take(await forked.note(20), 'client');
    const get = async (path: string): Promise<Response> => fetch(new URL(path, scene.url));
    const { heads } = (await (await get(`gossip/heads/${scene.followed.hash}`)).json()) as {
      heads: string[];
    };
    expect(heads.map((note) => note.split('\n')[1])).toEqual(['40', '50']);
    const { evidence } = (await (await get('gossip/evidence')).json()) as {
      evidence: { id: string }[];
    };
    expect(evidence).toEqual([
      {
        id: scene.gossip.held().evidence[0]!.id,
        origin: 'log.example',
        kind: 'inconsistent',
        sizes: [20, 40],
        convictedWitnesses: [],
      },
    ]);
    const file = await get(`gossip/evidence/${evidence[0]!.id}`);
    expect(new Uint8Array(await file.arrayBuffer())).toEqual(
      scene.gossip.held().evidence[0]!.bytes,
    );
    expect((await get('gossip/evidence/0')).status).toBe(404);
    expect((await get('gossip/heads/0')).status).toBe(404);
  });

  test.each([
    ['no note', 'gossip/checkpoint', 'text/plain', () => 'x', 400, 'bad-note'],
    [
      'a note too long',
      'gossip/checkpoint',
      'text/plain',
      () => 'x'.repeat(600_000),
      413,
      'request-too-large',
    ],
    ['another type', 'gossip/checkpoint', 'image/png', () => 'x', 415, 'unsupported-media-type'],
    ['no evidence', 'gossip/evidence', 'application/json', () => '{}', 400, 'bad-evidence'],
    [
      'evidence too long',
      'gossip/evidence',
      'application/json',
      () => ' '.repeat(MAX_EVIDENCE_BYTES + 1),
      413,
      'request-too-large',
    ],
  ])('refuses %s', async (_, path, type, body, status, code) => {
    const scene = await running(honest);
    const response = await post(scene, path, body(), type);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ code });
  });

  test('limits what one address sends, and remembers a bounded number of heads', async () => {
    const scene = await running(honest);
    const flood = honest.fork(60, ...numbered(300, 'flood'));
    const statuses: number[] = [];
    for (let size = 61; size < 211; size++) {
      statuses.push((await post(scene, 'gossip/checkpoint', await flood.note(size))).status);
    }
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThan(30);
    const response = await post(scene, 'gossip/checkpoint', await flood.note(250));
    expect(response.headers.get('retry-after')).toBe('1');
  });
});

describe('a peer that sends rubbish', () => {
  const problems = async (answers: Record<string, unknown>): Promise<string[]> => {
    const told: string[] = [];
    const scene = await monitorOf(honest, {
      peers: [{ name: 'p', url: 'http://p.invalid/' }],
      report: (neighbour, problem) => told.push(`${neighbour}: ${problem?.code ?? 'well again'}`),
      fetch: async (input, init) => {
        const { pathname } = new URL(new Request(input, init).url);
        const found = Object.entries(answers).find(([path]) => pathname.startsWith(path));
        return found ? Response.json(found[1]) : new Response(null, { status: 404 });
      },
    });
    await scene.advance(40);
    await scene.gossip.round();
    await scene.gossip.round();
    expect(scene.alerts).toEqual([]);
    return told;
  };

  test.each<[string, Record<string, unknown>, string[]]>([
    ['nothing at all', {}, []],
    ['null', { '/gossip/heads': null }, ['peer p: bad-request']],
    [
      'too many heads',
      { '/gossip/heads': { heads: Array(129).fill('') } },
      ['peer p: bad-request'],
    ],
    ['a head that is none', { '/gossip/heads': { heads: ['x'] } }, ['peer p: bad-note']],
    ['a number as head', { '/gossip/heads': { heads: [5] } }, ['peer p: bad-note']],
    ['no list of evidence', { '/gossip/evidence': { evidence: 5 } }, ['peer p: bad-request']],
    ['an id that is none', { '/gossip/evidence': { evidence: [null, { id: '../x' }] } }, []],
    [
      'evidence that is none',
      { '/gossip/evidence/': {}, '/gossip/evidence': { evidence: [{ id: '0'.repeat(32) }] } },
      // It is not asked for a second time.
      ['peer p: bad-evidence', 'peer p: well again'],
    ],
  ])('is told of, once: %s', async (_, answers, told) => {
    expect(await problems(answers)).toEqual(told);
  });

  test('does not keep others from being read', async () => {
    const first = await running(honest);
    const second = await running(forked, {
      peers: [{ name: 'bad', url: 'http://127.0.0.1:9/' }, ...peer('first', first)],
    });
    await first.advance(20);
    await second.advance(30);
    await second.gossip.round();
    expect(rulesOf(second)).toEqual(['log-forked']);
  });
});

describe('a peer that floods', () => {
  test('with heads that the log did sign takes a bounded room, and hides nothing', async () => {
    const flood = honest.fork(60, ...numbered(2000, 'flood'));
    const scene = await monitorOf(honest, {
      peers: [{ name: 'p', url: 'http://p.invalid/' }],
      fetch: async (input, init) => {
        if (!new URL(new Request(input, init).url).pathname.startsWith('/gossip/heads')) {
          return new Response(null, { status: 404 });
        }
        const sizes = Array.from({ length: 128 }, () => 61 + Math.floor(Math.random() * 1900));
        const notes = await Promise.all(sizes.map((size) => flood.note(size)));
        return Response.json({ heads: notes.map((note) => Buffer.from(note).toString()) });
      },
    });
    await scene.advance(20);
    for (let round = 0; round < 4; round++) await scene.gossip.round();
    await scene.gossip.take(await forked.note(50), 'client');
    for (let round = 0; round < 4; round++) await scene.gossip.round();
    const { pending } = scene.gossip.judge(scene.followed.hash);
    expect(pending.filter(({ source }) => source === 'peer p')).toHaveLength(MAX_NEIGHBOUR_HEADS);
    await scene.advance(60);
    expect(rulesOf(scene)).toEqual(['log-forked']);
  });

  test('with an answer without end is cut off', async () => {
    const told: (string | undefined)[] = [];
    let sent = 0;
    const scene = await monitorOf(honest, {
      peers: [{ name: 'p', url: 'http://p.invalid/' }],
      report: (_, problem) => told.push(problem?.code),
      fetch: async () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              sent += 65_536;
              controller.enqueue(new Uint8Array(65_536).fill(0x20));
            },
          }),
        ),
    });
    await scene.gossip.round();
    expect(told).toEqual(['network']);
    expect(sent).toBeLessThan(10 << 20);
  });
});

test('a neighbour that never answers keeps no evidence from the others', async () => {
  const stop = new AbortController();
  const first = await running(honest);
  const second = await running(honest, {
    peers: [{ name: 'slow', url: 'http://slow.invalid/' }, ...peer('first', first)],
    witnesses: [{ key: witness.key, url: 'http://slow.invalid/' }],
    intervalSeconds: 3600,
    fetch: (input, init) => {
      const request = new Request(input, init);
      if (new URL(request.url).host !== 'slow.invalid') return fetch(input, init);
      return new Promise((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason as Error));
      });
    },
  });
  await second.advance(40);
  const following = second.gossip.follow(stop.signal);
  await post(second, 'gossip/checkpoint', await forked.note(20));
  await vi.waitFor(() => expect(rulesOf(first)).toEqual(['log-forked']), 8000);
  stop.abort();
  await following;
});
