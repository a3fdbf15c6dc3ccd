/** A monitor that follows a log: what it keeps, and what it makes of a log that is away, slow or lies. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import { answer, MemoryLog, numbered, problem } from '../client/memory-log.ts';
import { genesisEntry, newSigner, origin } from '../statement/parties.ts';
import { acmeLog, release, WatchScene } from './watch-scene.ts';

describe('a log that is honest', () => {
  test('is audited to its head, entry by entry, and its whole tree is kept', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: 400 }), fc.boolean()), { minLength: 1, maxLength: 5 }),
        async (steps) => {
          const { log, issuer } = await acmeLog();
          const sample = await release(issuer, 1);
          const scene = await WatchScene.of(log);
          for (const [added, restarted] of steps) {
            for (let i = 0; i < added; i++) log.entries.push(sample);
            await scene.watched.poll();
            if (restarted) await scene.again();
          }
          const { tree } = scene.watched;
          expect(scene.watched.status()).toEqual({
            origin: log.origin,
            audited: log.size,
            size: log.size,
            findings: 0,
          });
          expect(scene.entries.map(({ index }) => index)).toEqual([...log.entries.keys()]);
          for (let size = 0; size <= log.size; size += 37) {
            expect(encodeHex(await tree.rootAt(size))).toBe(encodeHex(log.root(size)));
          }
          expect(encodeHex(await tree.rootAt(log.size))).toBe(encodeHex(log.root(log.size)));
        },
      ),
      { numRuns: 12 },
    );
  });

  test('shows its statements and claims to the rules, and its head once all entries are seen', async () => {
    const { log, issuer, registrar } = await acmeLog();
    log.entries.push(await release(issuer, 1));
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    expect(scene.entries).toMatchObject([
      { index: 0 },
      { index: 1, claim: { kind: 'admission' } },
      {
        index: 2,
        statement: { predicate: { purl: 'pkg:generic/acme/scanner@1.1' } },
        claim: { kind: 'release', signer: issuer.publicKey.fingerprint },
      },
    ]);
    expect(scene.heads.map(({ size }) => size)).toEqual([3]);
    expect(registrar.publicKey.fingerprint).not.toBe(issuer.publicKey.fingerprint);
    await scene.watched.poll();
    expect(scene.heads.map(({ size }) => size)).toEqual([3, 3]);
    expect(scene.entries).toHaveLength(3);
  });

  test('may take any bytes in open mode', async () => {
    const genesis = await genesisEntry([await newSigner()], 1, 'open');
    const log = await MemoryLog.create([genesis, ...numbered(300)], origin);
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    await scene.again();
    log.entries.push(utf8('one more'));
    await scene.watched.poll();
    expect(scene.watched.status()).toMatchObject({ audited: 302, findings: 0 });
  });

  test('may be no log of statements at all, which is a finding', async () => {
    const log = await MemoryLog.create(numbered(300));
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    // Entry 0 is no genesis: the entries are hashed, and the list says why no more is done.
    expect(scene.watched.status()).toMatchObject({ audited: 300, findings: 1 });
    expect(await scene.findings()).toMatchObject({ findings: [{ index: 0, code: 'bad-entry' }] });
  });

  test('may have no entries at all', async () => {
    const scene = await WatchScene.of(await MemoryLog.create());
    await scene.watched.poll();
    expect(scene.watched.status()).toMatchObject({ audited: 0, size: 0 });
    expect(scene.watched.problem).toBeUndefined();
    expect(scene.alerts).toEqual([]);
  });

  test('may have bundles of 256 entries of 65,535 bytes', async () => {
    const { log } = await acmeLog();
    log.entries.push(...Array.from({ length: 700 }, (_, i) => new Uint8Array(65_535).fill(i)));
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    expect(scene.watched.status()).toMatchObject({ audited: 702, findings: 700 });
  });
});

describe('a log that is away', () => {
  test('is no alert: the rules are asked, and it goes on where it stood', async () => {
    const { log, issuer } = await acmeLog();
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    log.intercept = () => {
      throw new TypeError('fetch failed');
    };
    log.entries.push(await release(issuer, 1));
    const { ticks } = scene;
    for (let i = 0; i < 3; i++) await scene.watched.poll();
    expect(scene.watched.problem).toMatchObject({ code: 'network' });
    expect(scene.ticks).toBe(ticks + 3);
    log.intercept = () => undefined;
    await scene.watched.poll();
    expect(scene.watched.problem).toBeUndefined();
    expect(scene.watched.status()).toMatchObject({ audited: 3 });
    expect(scene.alerts).toEqual([]);
  });

  test('in the middle of catching up keeps what was audited, also over a restart', async () => {
    const { log, issuer } = await acmeLog();
    const sample = await release(issuer, 1);
    while (log.entries.length < 1500) log.entries.push(sample);
    log.intercept = (path) =>
      path.startsWith('tile/entries/003') ? problem(503, 'overloaded') : undefined;
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    expect(scene.watched.status()).toMatchObject({ audited: 768, size: 1500 });
    expect(scene.heads).toEqual([]);
    await scene.again();
    log.intercept = () => undefined;
    await scene.watched.poll();
    expect(scene.watched.status()).toMatchObject({ audited: 1500 });
    expect(scene.entries.map(({ index }) => index)).toEqual([...log.entries.keys()]);
  });

  test('that drips is given up on in time', async () => {
    const { log } = await acmeLog();
    log.intercept = (path, request) =>
      path !== 'checkpoint'
        ? undefined
        : new Response(
            new ReadableStream({
              async pull(controller): Promise<void> {
                await new Promise((resolve) => setTimeout(resolve, 50));
                if (request.signal.aborted) controller.error(request.signal.reason);
                else controller.enqueue(utf8('l'));
              },
            }),
          );
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    expect(scene.watched.problem).toMatchObject({ code: 'network' });
  });

  test('can be stopped at once, and what was audited is kept', async () => {
    const { log, issuer } = await acmeLog();
    const sample = await release(issuer, 1);
    while (log.entries.length < 3000) log.entries.push(sample);
    const stop = new AbortController();
    log.intercept = (path) => {
      if (path === 'tile/entries/006') stop.abort();
      return undefined;
    };
    const scene = await WatchScene.of(log);
    await scene.watched.follow(1, stop.signal);
    const { audited } = scene.watched.status();
    expect(audited % 256).toBe(0);
    expect(audited).toBeLessThan(3000);
    await scene.again();
    expect(scene.watched.status()).toMatchObject({ audited });
    log.intercept = () => undefined;
    await scene.watched.poll();
    expect(scene.entries.map(({ index }) => index)).toEqual([...log.entries.keys()]);
  });
});

describe('a log that lies', () => {
  test.each(['tile/entries/000', 'tile/entries/001', 'tile/entries/002.p/88', 'tile/1/000.p/2'])(
    'in one bit of %s: nothing behind it counts, one alert tells so, and it may make it good',
    async (lying) => {
      const { log, issuer } = await acmeLog();
      const sample = await release(issuer, 1);
      while (log.entries.length < 600) log.entries.push(sample);
      log.intercept = (path) => {
        if (path !== lying) return undefined;
        const bytes = Buffer.from(log.tile(path)!);
        bytes[bytes.length >> 1]! ^= 1;
        return answer(bytes);
      };
      const scene = await WatchScene.of(log);
      for (let i = 0; i < 3; i++) await scene.watched.poll();
      await scene.again();
      await scene.watched.poll();
      expect(scene.watched.status().audited).toBeLessThan(600);
      expect(scene.alerts).toMatchObject([{ rule: 'log-misbehaved', severity: 'critical' }]);
      log.intercept = () => undefined;
      await scene.watched.poll();
      expect(scene.watched.status()).toMatchObject({ audited: 600 });
      expect(scene.watched.problem).toBeUndefined();
      expect(scene.entries.map(({ index }) => index)).toEqual([...log.entries.keys()]);
      expect(scene.alerts).toHaveLength(1);
    },
  );

  test('about its signature is told of', async () => {
    const { log } = await acmeLog();
    const scene = await WatchScene.of(log);
    const note = Buffer.from(await log.note()).toString();
    const other = await MemoryLog.create([], log.origin);
    log.intercept = async (path) =>
      path === 'checkpoint' ? answer(await log.note(2, [other.signer])) : undefined;
    await scene.watched.poll();
    log.intercept = (path) =>
      path === 'checkpoint' ? answer(utf8(note.replace('\n2\n', '\n3\n'))) : undefined;
    await scene.watched.poll();
    const details = scene.alerts.map(({ detail }) => detail);
    expect(details).toHaveLength(2);
    expect(details.join()).toMatch(/no key|none of the 1 signatures/);
    expect(details.join()).toContain('does not verify');
    expect(scene.watched.status()).toMatchObject({ size: 0, audited: 0 });
  });

  test.each([
    ['forks', (log: MemoryLog) => log.fork(3, ...numbered(9, 'other'))],
    ['goes back', (log: MemoryLog) => log.fork(2)],
  ])('and %s: one alert, also over a restart, and the first branch stays', async (_, lie) => {
    const { log, issuer } = await acmeLog();
    for (let i = 0; i < 5; i++) log.entries.push(await release(issuer, i));
    const scene = await WatchScene.of(log);
    await scene.watched.poll();
    const branch = lie(log);
    log.intercept = async (path) =>
      path === 'checkpoint' ? answer(await branch.note()) : answer(branch.tile(path)!);
    await scene.watched.poll();
    await scene.again();
    await scene.watched.poll();
    expect(scene.watched.problem).toMatchObject({ code: 'log-forked' });
    expect(scene.alerts).toMatchObject([{ rule: 'log-forked', severity: 'critical' }]);
    expect(scene.watched.status()).toMatchObject({ audited: 7, size: 7 });
    expect(encodeHex(await scene.watched.tree.rootAt(7))).toBe(encodeHex(log.root(7)));
  });

  test('and withholds what it signed is told of within the hour', async () => {
    const { log, issuer } = await acmeLog();
    for (let i = 0; i < 5; i++) log.entries.push(await release(issuer, i));
    log.intercept = (path) =>
      path.startsWith('tile/entries') ? problem(503, 'overloaded') : undefined;
    const scene = await WatchScene.of(log);
    for (let minutes = 0; minutes < 60; minutes += 20) {
      await scene.watched.poll();
      expect(scene.alerts).toEqual([]);
      await scene.again();
      scene.now += 20 * 60_000;
    }
    await scene.watched.poll();
    await scene.watched.poll();
    expect(scene.alerts).toMatchObject([{ rule: 'log-misbehaved' }]);
    expect(scene.alerts[0]?.title).toContain('entry 0');
    // The rules know nothing of the head: they would judge by what is old.
    expect(scene.ticks).toBe(0);
  });

  test('with the codes of our own failures does not end the watch', async () => {
    const { log } = await acmeLog();
    const scene = await WatchScene.of(log);
    for (const code of ['store-failed', 'store-corrupt', 'internal', 'state-missing']) {
      log.intercept = () => problem(500, code);
      await scene.watched.poll();
      expect(scene.watched.problem).toBeDefined();
    }
    log.intercept = () => undefined;
    await scene.watched.poll();
    expect(scene.watched.status()).toMatchObject({ audited: 2 });
  });
});
