/** A log that lost entries, brought back from a mirror. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LogClient } from '../../src/client/log-client.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { fsck } from '../../src/log/fsck.ts';
import { Log } from '../../src/log/log.ts';
import {
  restoreLog,
  type Restored,
  type RestoreOptions,
  type RestoreSource,
} from '../../src/log/restore.ts';
import { createMirrorFace } from '../../src/mirror/face.ts';
import { RunningMirror } from '../../src/mirror/running-mirror.ts';
import { parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { createServer } from '../../src/server/index.ts';
import { policyOfLogs } from '../../src/verify/log-policy.ts';
import {
  admission,
  channelEntry,
  entries,
  newSigner,
  release,
  scratchDirectory,
} from '../log/scratch.ts';
import {
  accepting,
  openWitnessed,
  startHouse,
  until,
  type WitnessedLog,
} from '../log/witnessed.ts';
import { startServer, type RunningServer } from '../server/running-server.ts';
import { newMirror } from './scratch-mirror.ts';

const origin = 'log.example/a';

interface LogKeys {
  readonly vkeys: readonly string[];
}

async function* firstOf<T>(all: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const each of all) {
    yield each;
    return;
  }
}

async function copyOf(directory: string): Promise<string> {
  const copy = join(await scratchDirectory(), 'copy');
  await cp(directory, copy, { recursive: true });
  return copy;
}

type Served = Pick<RunningServer, 'url' | 'log'>;

async function mirrorOf(
  { url, log }: Served,
  directory?: string,
  policy = policyOfLogs(log.vkeys),
): Promise<RunningMirror> {
  const running = await RunningMirror.open({
    directory: directory ?? (await newMirror()),
    url,
    policy,
  });
  onTestFinished(() => running.close());
  return running;
}

/** The same mirror, brought up to date from where the log is now. */
async function again(before: RunningMirror, server: Served): Promise<RunningMirror> {
  await before.close();
  const running = await mirrorOf(server, dirname(before.publicDirectory));
  await running.update();
  return running;
}

/** Reads a log or mirror at `url` as `daybook restore` does. */
function reading(url: string): (log: LogKeys) => Promise<RestoreSource> {
  return async ({ vkeys }) => {
    const client = new LogClient({ url, vkeys, verifier: nodeVerifier });
    const head = await client.checkpoint();
    return {
      note: head.note,
      consistency: (from) => client.consistency(from, head),
      bundles: (from) => client.bundles(from, head),
    };
  };
}

/** Reads a mirror's files over HTTP, as any web server gives them. */
async function serving<T>(
  { publicDirectory }: RunningMirror,
  use: (url: string) => Promise<T>,
): Promise<T> {
  const face = createMirrorFace(publicDirectory, { logger: pino({ level: 'silent' }) });
  const { port } = await face.listen(0, '127.0.0.1');
  try {
    return await use(`http://127.0.0.1:${port}/${originHash(origin)}`);
  } finally {
    await face.stop();
  }
}

function restoreFrom(
  mirror: RunningMirror,
  directory: string,
  more: Partial<RestoreOptions> = {},
): Promise<Restored> {
  return serving(mirror, (url) => restoreLog({ ...more, directory, connect: reading(url) }));
}

async function expectClean(directory: string, size: number): Promise<void> {
  expect(await fsck(directory)).toMatchObject({ size, disagreements: [] });
}

async function stop({ server, log }: RunningServer): Promise<void> {
  await server.stop();
  await log.close();
}

/** Waits until all that was logged is published. */
async function published({ log }: RunningServer): Promise<number> {
  const { size } = log.status();
  await log.included(leafIndex(size - 1));
  return size;
}

describe('a log of issuers', () => {
  test('whose backup was restored goes on where it stood, with all it can look up', async () => {
    const directory = await scratchDirectory();
    const first = await startServer({ log: { directory, origin, admission: 'issuers' } });
    const { log } = first;
    const [alice, bob] = [await newSigner(), await newSigner()];
    await log.submit(await admission(log, directory, alice));
    const releases = await Promise.all(
      Array.from({ length: 300 }, (_, i) => release(alice, `1.${i}`)),
    );
    await log.submitMany(releases.slice(0, 200));
    const channel = await log.submit(await channelEntry(log, alice, 1, undefined));
    const mirror = await mirrorOf(first);
    await published(first);
    await mirror.update();
    await stop(first);
    const backup = await copyOf(directory);

    const second = await startServer({ log: { directory, origin, admission: undefined } });
    await second.log.submitMany(releases.slice(200));
    await second.log.submit(await admission(second.log, directory, bob));
    const bobs = await second.log.submit(await release(bob, '2.0'));
    await second.log.submit(await admission(second.log, directory, alice, 'revoke'));
    await second.log.submit(await channelEntry(second.log, bob, 2, channel.index));
    await second.log.submitMany(
      await Promise.all(Array.from({ length: 300 }, (_, i) => release(bob, `3.${i}`))),
    );
    const size = await published(second);
    const following = await again(mirror, second);
    await stop(second);

    expect(await restoreFrom(following, backup)).toEqual({ origin, from: 203, to: size });
    await expectClean(backup, size);
    expect(await restoreFrom(following, backup)).toMatchObject({ from: size, to: size });

    const third = await startServer({ log: { directory: backup, origin, admission: undefined } });
    expect(third.log.published.size).toBe(size);
    expect(await third.log.submit(await release(bob, '2.0'))).toMatchObject({
      index: bobs.index,
      duplicate: true,
    });
    await expect(third.log.submit(await release(alice, '9.9'))).rejects.toMatchObject({
      code: 'not-admitted',
    });
    await third.log.submit(await release(bob, '4.0'));
    expect(third.log.channel('acme/stable')).toBeDefined();
    await published(third);
    const client = new LogClient({ url: third.url, vkeys: third.log.vkeys });
    expect((await client.checkpoint()).size).toBe(size + 1);
    await stop(third);
    await expectClean(backup, size + 1);
  });
});

describe('an open log', () => {
  async function scene(): Promise<{ server: RunningServer; mirror: RunningMirror; size: number }> {
    const server = await startServer({ log: { origin } });
    await server.log.submitMany(entries(400));
    const size = await published(server);
    const mirror = await mirrorOf(server);
    await mirror.update();
    return { server, mirror, size };
  }

  test('whose database is lost is made anew from the mirror and its vkey', async () => {
    const { server, mirror, size } = await scene();
    const { directory, log } = server;
    await stop(server);
    await rm(join(directory, 'db'), { recursive: true });
    await expect(restoreFrom(mirror, directory)).rejects.toMatchObject({ code: 'wrong-directory' });
    expect(await restoreFrom(mirror, directory, { vkeys: log.vkeys })).toMatchObject({
      from: 0,
      to: size,
    });
    await expectClean(directory, size);
    const again = await startServer({ log: { directory, origin, admission: undefined } });
    await again.log.submit(Buffer.from('one more'));
    await stop(again);
    await expectClean(directory, size + 1);
  });

  test('is of another key: nothing is restored', async () => {
    const { server, mirror } = await scene();
    const other = await startServer({ log: { origin: 'log.example/b' } });
    await stop(server);
    await stop(other);
    await expect(restoreFrom(mirror, other.directory)).rejects.toMatchObject({
      code: 'untrusted-checkpoint',
    });
    await expectClean(other.directory, 1);
  });

  test('that logged other entries since its backup is a fork, and stays as it is', async () => {
    const { server, mirror: before, size } = await scene();
    await stop(server);
    const backup = await copyOf(server.directory);
    const branch = await startServer({ log: { directory: server.directory, origin } });
    await branch.log.submitMany(entries(10, 'branch'));
    await published(branch);
    const mirror = await again(before, branch);
    await stop(branch);
    const other = await startServer({ log: { directory: backup, origin, admission: undefined } });
    await other.log.submitMany(entries(5, 'other'));
    await published(other);
    await stop(other);
    await expect(restoreFrom(mirror, backup)).rejects.toMatchObject({ code: 'log-forked' });
    await expectClean(backup, size + 5);
  });

  test('that stands above the mirror is told which of the two is behind', async () => {
    const { server, mirror, size } = await scene();
    await server.log.submitMany(entries(10, 'more'));
    await published(server);
    await stop(server);
    await expect(restoreFrom(mirror, server.directory)).rejects.toMatchObject({
      code: 'log-behind',
    });
    await expectClean(server.directory, size + 10);
  });

  test('whose head file is newer than its database is brought up to it', async () => {
    const { server, mirror: before, size } = await scene();
    await stop(server);
    const backup = await copyOf(server.directory);
    const later = await startServer({ log: { directory: server.directory, origin } });
    await later.log.submitMany(entries(10, 'more'));
    await published(later);
    const mirror = await again(before, later);
    await stop(later);
    await cp(join(server.directory, 'head'), join(backup, 'head'));
    await expect(Log.open({ directory: backup })).rejects.toMatchObject({ code: 'store-corrupt' });
    expect(await restoreFrom(mirror, backup)).toMatchObject({ from: size, to: size + 10 });
    await expectClean(backup, size + 10);
  });

  test('that is stopped in the middle of it does not sign, and is brought on by the next try', async () => {
    const { server, mirror, size } = await scene();
    await stop(server);
    const { directory, log } = server;
    await rm(join(directory, 'db'), { recursive: true });
    await rm(join(directory, 'head'));
    await serving(mirror, async (url) => {
      const connect = async (log: LogKeys): Promise<RestoreSource> => {
        const source = await reading(url)(log);
        return { ...source, bundles: (from) => firstOf(source.bundles(from)) };
      };
      const restoring = restoreLog({ directory, vkeys: log.vkeys, connect });
      await expect(restoring).rejects.toMatchObject({ code: 'network' });
    });
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'store-corrupt' });
    expect(await restoreFrom(mirror, directory)).toMatchObject({ from: 256, to: size });
    await expectClean(directory, size);
  });

  test('is not taken in by a mirror that serves another entry', async () => {
    const { server, mirror } = await scene();
    await stop(server);
    const { directory, log } = server;
    await rm(join(directory, 'db'), { recursive: true });
    await rm(join(directory, 'head'));
    const path = join(mirror.publicDirectory, originHash(origin), 'tile/entries/000');
    const bytes = await readFile(path);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(path, bytes);
    await expect(restoreFrom(mirror, directory, { vkeys: log.vkeys })).rejects.toMatchObject({
      code: 'inclusion-invalid',
    });
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'store-corrupt' });
  });
});

test('a log whose witnesses know of more stands still until it is restored, and is cosigned again', async () => {
  const house = await startHouse(3);
  const policy = house.policy('group q 2 A B C', 'quorum q');
  const open = async (directory?: string): Promise<WitnessedLog & Served> => {
    const opened = await openWitnessed(house, { policy, ...(directory && { directory }) });
    const server = createServer(opened.log, { logger: pino({ level: 'silent' }) });
    const { port } = await server.listen(0, '127.0.0.1');
    onTestFinished(() => server.stop());
    return { ...opened, url: `http://127.0.0.1:${port}` };
  };
  const grow = async ({ log }: Served, label: string): Promise<void> => {
    await accepting(log);
    const { size } = log.status();
    await log.submitMany(entries(10, label));
    await until(() => log.published.size === size + 10);
  };
  const first = await open();
  await grow(first, 'first');
  const logs = first.log.vkeys.map((vkey) => ({ key: parseVkey(vkey) }));
  const before = await mirrorOf(first, undefined, { ...policy, logs });
  await before.update();
  await first.log.close();
  const backup = await copyOf(first.directory);
  const second = await open(first.directory);
  await grow(second, 'second');
  const mirror = await again(before, second);
  await second.log.close();

  const third = await open(backup);
  await until(() => third.log.status().reason?.code === 'log-behind');
  await third.log.close();
  const cosigners = policy.witnesses.map(({ key }) => key);
  const restored = await restoreFrom(mirror, backup, { cosigners });
  expect(restored).toEqual({ origin, from: 11, to: 21 });
  const fourth = await open(backup);
  // Of the mirror's own cosignature it says nothing.
  const { signatures } = parseNote(fourth.log.published.note);
  const names = signatures.map(({ name }) => name.replace(/\/.$/, ''));
  expect(names.slice(0, 3)).toEqual([origin.slice(0, -2), 'witness.example', 'witness.example']);
  expect(names).not.toContain('mirror.example/m1');
  await grow(fourth, 'third');
  const after = await again(mirror, fourth);
  expect(after.mirror.signed?.size).toBe(31);
  await fourth.log.close();
  await expectClean(backup, 31);
});
