/** The store in the hands of killed processes, second processes and disks that refuse. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';
import { describe, expect, onTestFinished, test } from 'vitest';
import { leafIndex } from '../../src/encoding/integer.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import type { Said } from './appender.ts';
import { appendAt, digestOf, entriesAt, rootAt, sampleNote } from './samples.ts';
import { mayMount, mountDisk } from './memory-disk.ts';
import { temporaryDirectory } from './temporary-directory.ts';

interface Appender {
  readonly process: ChildProcess;
  /** All lines so far; `heard` resolves when there is one that passes. */
  readonly lines: readonly Said[];
  heard(passes: (said: Said) => boolean): Promise<Said>;
  kill(): Promise<void>;
}

const appenderScript = join(import.meta.dirname, 'appender.ts');

/** Starts appender.ts, under a shell that first runs `limit`. */
function startAppender(directory: string, until = Infinity, limit = 'true'): Appender {
  const child = spawn(
    'sh',
    [
      '-c',
      `${limit} && exec "$@"`,
      'sh',
      process.execPath,
      '--no-warnings',
      appenderScript,
      directory,
      String(until),
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const lines: Said[] = [];
  const reader = createInterface({ input: child.stdout });
  reader.on('line', (line) => lines.push(JSON.parse(line) as Said));
  const appender: Appender = {
    process: child,
    lines,
    async heard(passes) {
      for (;;) {
        const said = lines.find(passes);
        if (said) return said;
        await once(reader, 'line', { signal: AbortSignal.timeout(30_000) });
      }
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      // 'close' comes when all that the process had printed is read.
      await once(child, 'close');
    },
  };
  onTestFinished(() => appender.kill());
  return appender;
}

const acknowledged = ({ lines }: Appender): number =>
  Math.max(0, ...lines.map(({ size }) => size ?? 0));

/** Checks all of the store against the samples, up to whatever size it has. */
async function checkStore(store: Store): Promise<void> {
  const { size, root } = store.state;
  expect(await store.readEntries(leafIndex(0), size)).toEqual(entriesAt(0, size));
  if (size > 0) expect(root).toEqual(rootAt(size));
  for (let i = 0; i < size; i += 1) {
    expect(store.lookup('leaf', digestOf(`leaf ${i}`))).toBe(i);
  }
  expect(store.lookup('leaf', digestOf(`leaf ${size}`))).toBeUndefined();
  const tiles = Array.from({ length: Math.floor(size / 256) }, (_, index) => ({ level: 0, index }));
  expect(await store.readTiles(tiles)).toHaveLength(tiles.length);
}

describe('processes', () => {
  test('what was acknowledged is there after kill -9', async () => {
    const directory = await temporaryDirectory();
    for (let round = 1; round <= 8; round += 1) {
      const appender = startAppender(directory);
      const { size: start } = await appender.heard(({ size }) => size !== undefined);
      await appender.heard(({ size }) => (size ?? 0) > start! + 700 * Math.random());
      await appender.kill();

      const store = await openLevelStore(directory);
      expect(store.state.size).toBeGreaterThanOrEqual(acknowledged(appender));
      await checkStore(store);
      await store.append(appendAt(store.state.size, 3));
      await store.close();
    }
  });

  test('a store that another process has open is locked, and that process goes on', async () => {
    const directory = await temporaryDirectory();
    const owner = startAppender(directory);
    await owner.heard(({ size }) => (size ?? 0) > 0);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await expect(openLevelStore(directory)).rejects.toMatchObject({
        code: 'store-locked',
        message: expect.stringContaining(directory) as string,
      });
    }
    const before = acknowledged(owner);
    await owner.heard(({ size }) => (size ?? 0) > before);
    await owner.kill();

    const store = await openLevelStore(directory);
    await checkStore(store);
    await store.close();
  });

  test('a second opening in this process leaves the lock against other processes alone', async () => {
    const directory = await temporaryDirectory();
    const store = await openLevelStore(directory);
    onTestFinished(() => store.close());
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'store-locked' });
    const other = startAppender(directory);
    expect(await other.heard(() => true)).toMatchObject({ code: 'store-locked' });
    await store.append(appendAt(0, 5));
    await checkStore(store);
  });

  test('a worker thread cannot open a store, since it would not know of other openers', async () => {
    const directory = await temporaryDirectory();
    const worker = new Worker(appenderScript, { argv: [directory], stdout: true });
    onTestFinished(() => void worker.terminate());
    const [line] = (await once(createInterface({ input: worker.stdout }), 'line')) as [string];
    expect(JSON.parse(line)).toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining('worker thread') as string,
    });
  });
});

describe('disks', () => {
  test('after a write that failed nothing is written, and what was acknowledged is there', async () => {
    const directory = await temporaryDirectory();
    // No file may grow past 512 KiB: LevelDB's log soon does.
    const appender = startAppender(directory, Infinity, 'ulimit -f 1024');
    const refusals = (): Said[] => appender.lines.filter(({ code }) => code !== undefined);
    await appender.heard(() => refusals().length === 3);
    expect(refusals().map(({ code }) => code)).toEqual(Array(3).fill('store-failed'));
    expect(refusals()[0]?.message).toMatch(/unknown what of it is durable/);
    expect(refusals()[1]?.message).toMatch(/takes no more writes.*open it again/);
    await appender.kill();

    const store = await openLevelStore(directory);
    expect(store.state.size).toBeGreaterThanOrEqual(acknowledged(appender));
    expect(acknowledged(appender)).toBeGreaterThan(300);
    await checkStore(store);
    await store.append(appendAt(store.state.size, 1));
    await store.close();
  });

  test.skipIf(!mayMount())('a full disk (skipped where mounting is not permitted)', async () => {
    const disk = await mountDisk('size=6m');
    const directory = join(disk, 'store');
    await writeFile(join(disk, 'ballast'), new Uint8Array(3 << 20));
    const store = await openLevelStore(directory);
    const fill = async (): Promise<void> => {
      for (;;) await store.append(appendAt(store.state.size, 300));
    };
    await expect(fill()).rejects.toMatchObject({ code: 'store-failed' });
    const { size } = store.state;
    expect(size).toBeGreaterThan(300);
    await checkStore(store);
    // Room again does not help: what LevelDB would acknowledge now is gone at the next open.
    await rm(join(disk, 'ballast'));
    await expect(store.append(appendAt(size, 1))).rejects.toMatchObject({ code: 'store-failed' });
    await expect(store.recordSigned(sampleNote(9))).rejects.toMatchObject({ code: 'store-failed' });
    expect(store.state.signed).toBeUndefined();
    await store.close();

    const again = await openLevelStore(directory);
    expect(again.state.size).toBeGreaterThanOrEqual(size);
    await checkStore(again);
    await again.append(appendAt(again.state.size, 1));
    await again.close();
  });

  test.skipIf(!mayMount())('a disk too full to open (skipped likewise)', async () => {
    const disk = await mountDisk('size=1m');
    await writeFile(join(disk, 'ballast'), new Uint8Array(1 << 20)).catch(() => undefined);
    await mkdir(join(disk, 'store'));
    await expect(openLevelStore(join(disk, 'store'))).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining(disk) as string,
    });
  });

  test.skipIf(!mayMount())('a read-only disk (skipped likewise)', async () => {
    const disk = await mountDisk('size=6m');
    const store = await openLevelStore(join(disk, 'store'));
    await store.append(appendAt(0, 3));
    await store.close();
    execFileSync('mount', ['-o', 'remount,ro', disk]);
    for (const directory of ['store', 'new'].map((name) => join(disk, name))) {
      await expect(openLevelStore(directory)).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringMatching(new RegExp(`${directory}.*read-only`, 'i')) as string,
      });
    }
    execFileSync('mount', ['-o', 'remount,rw', disk]);
    const again = await openLevelStore(join(disk, 'store'));
    await checkStore(again);
    await again.close();
  });

  test('a directory without the right to write', async () => {
    const directory = await temporaryDirectory();
    await chmod(directory, 0o555);
    // Root may write anywhere, so it is somebody else for a moment.
    const wasRoot = process.geteuid?.() === 0;
    if (wasRoot) process.seteuid?.(65_534);
    try {
      for (const path of [directory, join(directory, 'new')]) {
        await expect(openLevelStore(path)).rejects.toMatchObject({
          code: 'store-failed',
          message: expect.stringMatching(/permission/i) as string,
        });
      }
    } finally {
      if (wasRoot) process.seteuid?.(0);
    }
  });
});
