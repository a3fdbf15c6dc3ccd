/** A log that is away, and mirrors in its place: believed as little as the log is. */
import { describe, expect, test, vi } from 'vitest';
import { LogClient, type LogClientOptions } from '../../src/client/log-client.ts';
import { memoryState } from '../../src/client/trusted-head.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { verifyMultiInclusion } from '../../src/merkle/multi-inclusion.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { parseNote } from '../../src/note/note.ts';
import { parseReleaseFile } from '../../src/proof/release-file.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { sourceCommitmentStatement } from '../../src/statement/source-commitment.ts';
import { channelEntry, envelope, newSigner, release, sha256 } from '../log/scratch.ts';
import { answer, MemoryLog, numbered, problem } from './memory-log.ts';

interface Scene {
  readonly log: MemoryLog;
  readonly mirrors: readonly MemoryLog[];
  readonly client: LogClient;
}

const away = (): Response => problem(503, 'overloaded');

/** A log that is away, and so many mirrors of it. */
async function scene(
  entries: readonly Uint8Array[],
  { mirrors: count = 1, options }: { mirrors?: number; options?: Partial<LogClientOptions> } = {},
): Promise<Scene> {
  const log = await MemoryLog.create(entries);
  log.intercept = away;
  const mirrors = Array.from({ length: count }, () => log.fork(entries.length));
  const client = new LogClient({
    url: 'http://log.example/',
    mirrors: mirrors.map((_, i) => `http://mirror.example/${i}/`),
    fetch: (input, init) => {
      const request = new Request(input, init);
      const [, place, path] = /^http:\/\/mirror\.example\/(\d+)\/(.*)$/.exec(request.url) ?? [];
      if (place === undefined) return log.fetch(request);
      return mirrors[Number(place)]!.fetch(new Request(`http://log.example/${path}`, request));
    },
    vkeys: [log.vkey],
    backoffMs: 1,
    attempts: 1,
    ...options,
  });
  return { log, mirrors, client };
}

describe('while the log is away', () => {
  const absences: [string, () => Response | Promise<never>][] = [
    ['answers 503', away],
    ['answers 500 and no reason', () => new Response('', { status: 500 })],
    ['has too much to do', () => problem(429, 'rate-limited')],
    ['cannot be reached', () => Promise.reject(new TypeError('connect ECONNREFUSED'))],
  ];
  test.each(absences)(
    'and %s, a mirror gives checkpoint, entries and proofs',
    async (_, absence) => {
      const { log, client } = await scene(numbered(700));
      log.intercept = absence;
      const head = await client.checkpoint();
      expect(head.size).toBe(700);
      expect(await client.entry(300, head)).toEqual(log.entries[300]);
      expect(await client.inclusion(699, head)).toHaveLength(7);
      const read: Uint8Array[] = [];
      for await (const { entry } of client.entries(0, head)) read.push(entry);
      expect(read).toEqual(log.entries);
    },
  );

  test('it is not asked again at once, and is once it had time to come back', async () => {
    const { log, mirrors, client } = await scene(numbered(5));
    await client.checkpoint();
    await client.checkpoint();
    expect(log.asked).toEqual(['GET checkpoint']);
    log.intercept = () => undefined;
    const clock = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 31_000);
    const before = mirrors[0]!.asked.length;
    await client.checkpoint();
    clock.mockRestore();
    expect(log.asked).toHaveLength(2);
    expect(mirrors[0]!.asked).toHaveLength(before);
  });

  test('a mirror that has less than was trusted is passed over, and accuses nobody', async () => {
    const state = memoryState();
    const { log, mirrors, client } = await scene(numbered(700), { mirrors: 2, options: { state } });
    await state.save(await log.note(650));
    mirrors[0]!.published = 600;
    expect((await client.checkpoint()).size).toBe(700);
    mirrors[1]!.published = 600;
    const both = expect(client.checkpoint()).rejects;
    await both.toMatchObject({ code: 'network' });
    await expect(client.checkpoint()).rejects.toThrow(/only 600 entries, and 700 were trusted/);
  });

  test('a mirror without a partial tile gives the full one', async () => {
    const { mirrors, client } = await scene(numbered(300));
    const head = await client.checkpoint();
    mirrors[0]!.entries.push(...numbered(700).slice(300));
    mirrors[0]!.intercept = (path) =>
      path.includes('001.p/') ? problem(404, 'not-found') : undefined;
    expect(await client.entry(299, head)).toEqual(numbered(300)[299]);
  });

  test('all that is wrong with each is told', async () => {
    const { mirrors, client } = await scene(numbered(5));
    mirrors[0]!.intercept = () => problem(500, 'store-failed');
    await expect(client.checkpoint()).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/told overloaded; .*told store-failed/) as string,
    });
  });
});

describe('a mirror is verified as the log is', () => {
  test.each(['tile/entries/001', 'tile/1/000.p/2', 'tile/0/002.p/188'])(
    'one bit of %s',
    async (lied) => {
      const { mirrors, client } = await scene(numbered(700));
      mirrors[0]!.intercept = (path) => {
        if (path !== lied) return undefined;
        return answer(mirrors[0]!.tile(path)!.map((byte, i) => (i === 9 ? byte ^ 1 : byte)));
      };
      const head = await client.checkpoint();
      await expect(client.entry(300, head)).rejects.toMatchObject({ code: 'inclusion-invalid' });
    },
  );

  test('a checkpoint of somebody else', async () => {
    const { mirrors, client } = await scene(numbered(5), { mirrors: 2 });
    const other = await MemoryLog.create(numbered(9));
    mirrors[0]!.intercept = (path, request) => other.fetch(request);
    expect((await client.checkpoint()).size).toBe(5);
    mirrors[1]!.intercept = (path, request) => other.fetch(request);
    await expect(client.checkpoint()).rejects.toMatchObject({ code: 'network' });
  });

  test('two trees that the log signed convict it, whoever shows them', async () => {
    const { log, mirrors, client } = await scene(numbered(300));
    await client.checkpoint();
    const fork = log.fork(200, ...numbered(200, 'forked'));
    fork.intercept = () => undefined;
    mirrors[0]!.intercept = (path, request) => fork.fetch(request);
    await expect(client.checkpoint()).rejects.toMatchObject({ code: 'log-forked' });
  });

  test('what the log itself answers counts, while it answers', async () => {
    const { log, mirrors, client } = await scene(numbered(5));
    log.intercept = () => problem(404, 'not-found');
    await expect(client.checkpoint()).rejects.toMatchObject({ code: 'not-found' });
    expect(mirrors[0]!.asked).toEqual([]);
  });
});

describe('files that others verify offline', () => {
  const origin = 'log.example';

  async function statements(): Promise<Uint8Array[]> {
    const issuer = await newSigner();
    const root = sha256('the source tree');
    const build = {
      subjects: [{ name: 'scanner', sha256: sha256('1.0') }],
      buildType: 'https://ci.acme.example/make',
      builderId: 'https://ci.acme.example/release',
      externalParameters: {},
      commitment: root,
    };
    const entries = numbered(3000);
    entries[10] = await envelope(sourceCommitmentStatement({ root, files: 3 }), issuer);
    entries[300] = await release(issuer, '1.0');
    entries[520] = await envelope(provenanceStatement(build), issuer);
    entries[30] = await channelEntry({ origin }, issuer, 1, undefined);
    entries[2610] = await channelEntry({ origin }, issuer, 2, 30);
    entries[2620] = await channelEntry({ origin }, issuer, 7, 6, { channel: 'acme/beta' });
    entries[2630] = await channelEntry({ origin: 'other.example' }, issuer, 9, 8);
    return entries;
  }

  function indexesIn(bytes: Uint8Array): number[] {
    const { checkpoint, entries, proof } = parseReleaseFile(bytes);
    const { size, root } = parseCheckpoint(parseNote(checkpoint).text);
    const leaves = entries.map(({ index, entry }) => ({ index, hash: rfc6962.leaf(entry) }));
    verifyMultiInclusion({ leaves, size, proof, root });
    return entries.map(({ index }) => index);
  }

  test('a release file is made from a mirror, channels in it, by reading all of it', async () => {
    const { client } = await scene(await statements());
    const bytes = await client.releaseFile(sha256('1.0'), { channels: ['acme/stable'] });
    expect(indexesIn(bytes)).toEqual([10, 300, 520]);
    expect(parseReleaseFile(bytes).channels.map(indexesIn)).toEqual([[2610]]);
  });

  test('a channel file is made from the newest statement in a mirror', async () => {
    const { mirrors, client } = await scene(await statements());
    expect(indexesIn(await client.channelFile('acme/stable'))).toEqual([2610]);
    // The newest ones are at the end, where the search begins.
    expect(mirrors[0]!.asked).not.toContain('GET tile/entries/000');
    await expect(client.channelFile('acme/none')).rejects.toMatchObject({ code: 'not-found' });
    await expect(client.releaseFile(sha256('9.9'))).rejects.toMatchObject({ code: 'not-found' });
  });
});
