import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogClient, type LogClientOptions, type LoggedEntry } from '../../src/client/log-client.ts';
import type { ForkEvidence, HeadState } from '../../src/client/trusted-head.ts';
import { webVerifier } from '../../src/signature/web-verifier.ts';
import { verifyEvidence } from '../../src/verify/evidence.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { DaybookError } from '../../src/errors.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { verifyInclusion } from '../../src/merkle/inclusion.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { policyOf } from '../verify/released.ts';
import { answer, MemoryLog, numbered, problem } from './memory-log.ts';

function clientOf(log: MemoryLog, more: Partial<LogClientOptions> = {}): LogClient {
  const trust = more.policy === undefined ? { vkeys: [log.vkey] } : {};
  return new LogClient({
    url: 'http://log.example/',
    fetch: (input, init) => log.fetch(input, init),
    verifier: nodeVerifier,
    backoffMs: 1,
    ...trust,
    ...more,
  });
}

function keptState(): HeadState & { note: Uint8Array | undefined } {
  return {
    note: undefined,
    async load() {
      return this.note;
    },
    async save(note) {
      this.note = note;
    },
  };
}

async function all(entries: AsyncIterable<LoggedEntry>): Promise<string[]> {
  const texts: string[] = [];
  for await (const { index, entry } of entries) {
    expect(index).toBe(texts.length);
    texts.push(Buffer.from(entry).toString());
  }
  return texts;
}

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;
const texts = (entries: readonly Uint8Array[]): string[] =>
  entries.map((entry) => Buffer.from(entry).toString());

/** A client that follows the switch from one log to another at the same address. */
function switching(
  first: MemoryLog,
  more: Partial<LogClientOptions> = {},
): { client: LogClient; serve: (log: MemoryLog) => void } {
  let current = first;
  const client = clientOf(first, { fetch: (input, init) => current.fetch(input, init), ...more });
  return { client, serve: (log) => (current = log) };
}

describe('an honest log', () => {
  test.each([0, 1, 2, 255, 256, 257, 511, 512, 700])(
    'of %i entries is read as it is',
    async (size) => {
      const log = await MemoryLog.create(numbered(size));
      const client = clientOf(log);
      const head = await client.checkpoint();
      expect(head).toMatchObject({ origin: 'log.example', size, root: log.root(size) });
      expect(await all(client.entries(0, head))).toEqual(texts(log.entries));
    },
  );

  test('gives proofs that verify, for any entry and size', async () => {
    const log = await MemoryLog.create(numbered(70_000));
    const client = clientOf(log);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 70_000 }), fc.nat(69_999), async (size, at) => {
        log.published = size;
        const index = at % size;
        const head = await clientOf(log).checkpoint();
        const proof = await client.inclusion(index, head);
        const leafHash = rfc6962.leaf(log.entries[index]!);
        verifyInclusion({ index, size, leafHash, proof, root: head.root });
      }),
      { numRuns: 40 },
    );
  });

  test('is asked for each tile once, and for no tile that is not needed', async () => {
    const log = await MemoryLog.create(numbered(70_000));
    const client = clientOf(log);
    const head = await client.checkpoint();
    log.asked.length = 0;
    await Promise.all([client.inclusion(5, head)]);
    const tiles = [
      'GET tile/0/000',
      'GET tile/0/273.p/112',
      'GET tile/1/000',
      'GET tile/1/001.p/17',
      'GET tile/2/000.p/1',
    ];
    expect(log.asked.sort()).toEqual(tiles);
    await client.inclusion(6, head);
    await client.entry(7, head);
    expect(log.asked).toEqual([...tiles, 'GET tile/entries/000']);
  });

  test('grows, and each new checkpoint is proven to continue the last one', async () => {
    const log = await MemoryLog.create(numbered(1));
    const client = clientOf(log);
    for (const size of [1, 2, 3, 255, 256, 257, 600, 600, 1000]) {
      log.entries.push(...numbered(size - log.entries.length, `grown to ${size}`));
      expect((await client.checkpoint()).size).toBe(size);
    }
    expect(await all(client.entries(0, await client.checkpoint()))).toEqual(texts(log.entries));
  });

  test('proves consistency, and makes proof files from tiles', async () => {
    const log = await MemoryLog.create(numbered(300));
    const client = clientOf(log);
    const head = await client.checkpoint();
    expect(await client.consistency(300, head)).toEqual([]);
    expect((await client.consistency(37, head)).length).toBeGreaterThan(0);
    const proof = await client.proof(123, head);
    expect(proof).toEqual(await log.proof(123, 300, head.note));
    expect(parseTlogProof(proof).extra).toEqual(log.entries[123]);
  });

  test('may have dropped partial tiles whose full ones exist', async () => {
    const log = await MemoryLog.create(numbered(256));
    log.published = 200;
    const client = clientOf(log);
    const head = await client.checkpoint();
    log.intercept = (path) => (path.includes('.p/') ? problem(404, 'not-found') : undefined);
    expect(await all(client.entries(0, head))).toEqual(texts(log.entries.slice(0, 200)));
    await client.inclusion(199, head);
  });

  test('may stand behind a cache that is a little late', async () => {
    const log = await MemoryLog.create(numbered(300));
    const client = clientOf(log);
    await client.checkpoint();
    let late = 2;
    log.intercept = async (path) =>
      path === 'checkpoint' && late-- > 0 ? answer(await log.note(299)) : undefined;
    expect(await client.checkpoint()).toMatchObject({ size: 300 });
  });

  test('is not taken for one that went back when answers overtake each other', async () => {
    const log = await MemoryLog.create(numbered(1));
    const client = clientOf(log);
    let delay = 20;
    log.intercept = async (path) => {
      if (path !== 'checkpoint') return undefined;
      const note = answer(await log.note(log.entries.push(utf8(`entry after ${delay}`))));
      await new Promise((resolve) => setTimeout(resolve, (delay -= 5)));
      return note;
    };
    const heads = await Promise.all([1, 2, 3, 4].map(() => client.checkpoint()));
    expect(heads.map(({ size }) => size)).toEqual([2, 3, 4, 5]);
  });

  test('is known under the origin that it had before', async () => {
    const { client, serve } = switching(await MemoryLog.create(numbered(3)));
    await client.checkpoint();
    serve(await MemoryLog.create(numbered(4), 'other.example'));
    await expect(client.checkpoint()).rejects.toThrow(code('untrusted-checkpoint'));
  });

  test('has no entry beyond its checkpoint', async () => {
    const client = clientOf(await MemoryLog.create(numbered(3)));
    const head = await client.checkpoint();
    await expect(client.entry(3, head)).rejects.toThrow(code('not-found'));
    await expect(client.inclusion(3, head)).rejects.toThrow(code('inclusion-invalid'));
    expect(await all(client.entries(3, head))).toEqual([]);
  });
});

describe('a log that lies', () => {
  test.each([
    ['the last entry changed', 300, (log: MemoryLog) => log.fork(299, utf8('other'))],
    [
      'the first entry changed',
      300,
      (log: MemoryLog) => log.fork(0, utf8('other'), ...numbered(299)),
    ],
    [
      'grown, but not from what was',
      300,
      (log: MemoryLog) => log.fork(299, ...numbered(200, 'other')),
    ],
    [
      'grown, with an old entry changed',
      300,
      (log: MemoryLog) => log.fork(5, ...numbered(500, 'other')),
    ],
    ['gone back', 300, (log: MemoryLog) => log.fork(299)],
    ['gone back to nothing', 300, (log: MemoryLog) => log.fork(0)],
  ])('%s: is refused, with both checkpoints as evidence', async (_, size, lie) => {
    const log = await MemoryLog.create(numbered(size));
    const state = keptState();
    const { client, serve } = switching(log, { state });
    const before = await client.checkpoint();
    await all(client.entries(0, before));
    serve(lie(log));
    const error = await client.checkpoint().catch((caught: unknown) => caught as DaybookError);
    expect(error).toMatchObject({ code: 'log-forked' });
    const evidence = (error as DaybookError).cause as ForkEvidence;
    expect(evidence.trusted).toEqual(before.note);
    expect(evidence.offered).toEqual(await lie(log).note());
    expect(state.note).toEqual(before.note);
    // One that went back has signed nothing that contradicts itself, as far as it shows.
    expect(evidence.evidence === undefined).toBe(lie(log).size < size);
    if (evidence.evidence !== undefined) {
      const keys = { logKeys: [log.signer.key] };
      const { origin } = await verifyEvidence(evidence.evidence, keys, webVerifier);
      expect(origin).toBe(log.origin);
    }

    // It stays refused, and what was trusted before is not poisoned by what the fork served.
    await expect(client.checkpoint()).rejects.toThrow(code('log-forked'));
    serve(log);
    expect(await all(client.entries(0, await client.checkpoint()))).toEqual(texts(log.entries));
  });

  test('is refused by the next client that has the same state', async () => {
    const log = await MemoryLog.create(numbered(300));
    const state = keptState();
    await clientOf(log, { state }).checkpoint();
    const fork = log.fork(200, ...numbered(200, 'other'));
    await expect(clientOf(fork, { state }).checkpoint()).rejects.toThrow(code('log-forked'));
    await expect(clientOf(fork).checkpoint()).resolves.toMatchObject({ size: 400 });
  });

  test('is not believed under another key, or without the quorum', async () => {
    const log = await MemoryLog.create(numbered(3));
    const stranger = await MemoryLog.create(numbered(3));
    await expect(clientOf(log, { vkeys: [stranger.vkey] }).checkpoint()).rejects.toThrow(
      code('untrusted-checkpoint'),
    );
    const policy = policyOf(log, [await newNoteSigner('w1.example', 0x04)], 1);
    await expect(clientOf(log, { policy }).checkpoint()).rejects.toThrow(code('quorum-missing'));
  });

  test.each<[string, (path: string, log: MemoryLog, other: MemoryLog) => Uint8Array | undefined]>([
    [
      'another partial tile',
      (path, _, other) => (path === 'tile/0/002.p/188' ? other.tile(path) : undefined),
    ],
    [
      'another tile above',
      (path, _, other) => (path === 'tile/1/000.p/2' ? other.tile(path) : undefined),
    ],
    [
      'another full tile and the one above',
      (path, _, other) => (/^tile\/[01]\//.test(path) ? other.tile(path) : undefined),
    ],
    [
      'a tile that is too wide',
      (path, log) => (path === 'tile/0/002.p/188' ? log.tile('tile/0/000') : undefined),
    ],
    ['an empty tile', (path) => (path.startsWith('tile/0') ? new Uint8Array(0) : undefined)],
    [
      'another bundle',
      (path, _, other) => (path === 'tile/entries/001' ? other.tile(path) : undefined),
    ],
    [
      'a bundle that is cut',
      (path, log) => (path === 'tile/entries/001' ? log.tile(path)!.subarray(0, -1) : undefined),
    ],
    [
      'a bundle with an entry too many',
      (path, log) =>
        path === 'tile/entries/002.p/188'
          ? Buffer.concat([log.tile(path)!, Buffer.from([0, 1, 7])])
          : undefined,
    ],
    [
      'entries exchanged within a bundle',
      (path, log) => {
        if (path !== 'tile/entries/001') return undefined;
        const swapped = log.fork(256, ...log.entries.slice(256, 512).reverse());
        return swapped.tile(path);
      },
    ],
  ])('with %s: no entry of it is given out', async (_, lie) => {
    const log = await MemoryLog.create(numbered(700));
    const other = await MemoryLog.create(numbered(700, 'other'));
    log.intercept = (path) => {
      const bytes = lie(path, log, other);
      return bytes && answer(bytes);
    };
    const client = clientOf(log);
    const head = await client.checkpoint();
    const given: string[] = [];
    const reading = (async () => {
      for await (const { entry } of client.entries(0, head))
        given.push(Buffer.from(entry).toString());
    })();
    await expect(reading).rejects.toThrow(DaybookError);
    expect(given).toEqual(texts(log.entries).slice(0, given.length));
    expect(given.length).toBeLessThanOrEqual(512);
  });

  test.each<[string, (log: MemoryLog, other: MemoryLog) => Uint8Array]>([
    ['of another log', (_, other) => other.tile('tile/0/001')!],
    ['of another place', (log) => log.tile('tile/0/000')!],
    ['that is cut', (log) => log.tile('tile/0/001')!.subarray(32)],
  ])('with a full tile %s: no proof is made from it, and entries do without', async (_, lie) => {
    const log = await MemoryLog.create(numbered(700));
    const other = await MemoryLog.create(numbered(700, 'other'));
    log.intercept = (path) => (path === 'tile/0/001' ? answer(lie(log, other)) : undefined);
    const client = clientOf(log);
    const head = await client.checkpoint();
    await expect(client.inclusion(300, head)).rejects.toThrow(code('inclusion-invalid'));
    expect(Buffer.from(await client.entry(300, head)).toString()).toBe('entry 300');
  });
});

test('asks for vkeys or a policy, and not for both', async () => {
  const log = await MemoryLog.create();
  const url = 'http://log.example';
  expect(() => new LogClient({ url })).toThrow(code('bad-usage'));
  expect(() => new LogClient({ url, vkeys: [log.vkey], policy: policyOf(log, []) })).toThrow(
    code('bad-usage'),
  );
  expect(() => new LogClient({ url, vkeys: [`${log.vkey}\nquorum none`] })).toThrow(DaybookError);
});

describe('follow', () => {
  test('gives every entry once and in order while the log grows, and ends with its signal', async () => {
    const log = await MemoryLog.create(numbered(1));
    const stop = new AbortController();
    const seen: LoggedEntry[] = [];
    for await (const entry of clientOf(log).follow({ from: 0, pollMs: 1, signal: stop.signal })) {
      seen.push(entry);
      if (log.entries.length < 600)
        log.entries.push(...numbered(37, `after ${log.entries.length}`));
      else if (seen.length === log.entries.length) stop.abort();
    }
    expect(seen.map(({ index }) => index)).toEqual(log.entries.map((_, i) => i));
    expect(texts(seen.map(({ entry }) => entry))).toEqual(texts(log.entries));
    expect(seen.every(({ index, head }) => index < head.size)).toBe(true);
  });

  test('starts where it is told to, beyond the end too', async () => {
    const log = await MemoryLog.create(numbered(10));
    setTimeout(() => log.entries.push(...numbered(5, 'late')), 5);
    for await (const { index, entry } of clientOf(log).follow({ from: 12, pollMs: 1 })) {
      expect(index).toBe(12);
      expect(entry).toEqual(log.entries[12]);
      break;
    }
  });

  test('throws when the log forks under it', async () => {
    const log = await MemoryLog.create(numbered(10));
    const { client, serve } = switching(log);
    const following = (async () => {
      for await (const { index } of client.follow({ pollMs: 1 })) {
        if (index === 9) serve(log.fork(9, ...numbered(5, 'other')));
      }
    })();
    await expect(following).rejects.toThrow(code('log-forked'));
  });
});
