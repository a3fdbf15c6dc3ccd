/** Mirrors in the hands of killed processes, full disks and logs that drip. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { initCosigner } from '../../src/cosigner/directory.ts';
import { RunningMirror } from '../../src/mirror/running-mirror.ts';
import { bundlePath, tilePath, tilesOf } from '../../src/merkle/tile.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { formatVkey, parseVkey } from '../../src/note/vkey.ts';
import { policyOfLogs } from '../../src/verify/log-policy.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { scratchDirectory } from '../log/scratch.ts';
import { mayMount, mountDisk } from '../store/memory-disk.ts';
import { openMirror, served } from './scratch-mirror.ts';
import { serve } from './served-log.ts';

const KILLS = 12;

/** What stands in `checkpoint` is signed by both, and all that it covers is there. Gives its size. */
async function expectWhole(
  directory: string,
  log: MemoryLog,
  vkeys: readonly string[],
): Promise<number> {
  const bytes = await served(directory, log, 'checkpoint').catch(() => undefined);
  if (bytes === undefined) return 0;
  const note = parseNote(bytes);
  const opened = await openNote(note, [log.vkey, ...vkeys].map(parseVkey), nodeVerifier);
  expect(opened).toHaveLength(2);
  const { size, root } = parseCheckpoint(note.text);
  expect(Buffer.from(root)).toEqual(Buffer.from(log.root(size)));
  const paths = [...tilesOf(size)].flatMap((tile) => [
    tilePath(tile),
    ...(tile.level === 0 ? [bundlePath(tile.index, tile.width)] : []),
  ]);
  for (const path of paths) {
    const same = (await served(directory, log, path)).equals(log.tile(path)!);
    expect(same, path).toBe(true);
  }
  return size;
}

test(`killed ${KILLS} times, it never shows a checkpoint whose tiles are not there, and arrives`, async () => {
  const log = await MemoryLog.create(numbered(3000));
  const url = await serve(log);
  const directory = join(await scratchDirectory(), 'mirror');
  const vkeys = (await initCosigner(directory, { name: 'mirror.example/m1' })).map(formatVkey);
  const policy = join(directory, '..', 'policy');
  await writeFile(policy, `log ${log.vkey}\nquorum none\n`);
  const options = ['--log', url, '--policy', policy, '--data', directory, '--poll-ms', '50'];
  let size = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(process.execPath, ['src/cli/main.ts', 'mirror', ...options], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    log.entries.push(...numbered(log.entries.length + 700).slice(log.entries.length));
    // Somewhere on the way to the end of the copy, or a little behind it.
    const until = log.asked.length + 1 + Math.random() * 1.5 * (log.entries.length / 256 + 6);
    while (log.asked.length < until) await delay(2);
    await delay(Math.random() * 30);
    child.kill('SIGKILL');
    await once(child, 'close');
    const now = await expectWhole(directory, log, vkeys);
    expect(now).toBeGreaterThanOrEqual(size);
    size = now;
  }
  expect(size).toBeGreaterThan(0);
  const running = await RunningMirror.open({ directory, url, policy: policyOfLogs([log.vkey]) });
  onTestFinished(() => running.close());
  await running.update();
  expect(await expectWhole(directory, log, vkeys)).toBe(log.entries.length);
  expect(await readdir(join(directory, 'staging'))).toEqual([]);
}, 120_000);

test.skipIf(!mayMount())(
  'a full disk stops the copy, not the mirror: it goes on when there is room',
  async () => {
    const disk = await mountDisk('size=48m');
    const directory = join(disk, 'mirror');
    const vkeys = (await initCosigner(directory, { name: 'mirror.example/m1' })).map(formatVkey);
    const log = await MemoryLog.create(numbered(300));
    const running = await openMirror(log, { directory });
    await running.update();
    const ballast = join(disk, 'ballast');
    await writeFile(ballast, new Uint8Array(36 << 20));
    log.entries.push(...Array.from({ length: 256 }, (_, i) => new Uint8Array(60_000).fill(i)));
    await expect(running.update()).rejects.toMatchObject({ code: 'store-failed' });
    expect(await expectWhole(directory, log, vkeys)).toBe(300);
    await rm(ballast);
    expect(await running.update()).toBe(true);
    expect(await expectWhole(directory, log, vkeys)).toBe(556);
    // Its disk is about to go.
    await running.close();
  },
);

test('a log that drips bytes is given up on in time, and asked again', async () => {
  const log = await MemoryLog.create(numbered(300));
  let dripping = true;
  const server = createServer((request, response) => {
    void log.fetch(`http://log.example${request.url}`).then(async (answer) => {
      const bytes = new Uint8Array(await answer.arrayBuffer());
      response.writeHead(answer.status);
      if (!dripping || !request.url?.includes('entries')) return response.end(bytes);
      for (const byte of bytes) {
        response.write(Uint8Array.of(byte));
        await delay(20);
        if (response.destroyed) return;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = { attempts: 1, timeoutMs: 500 };
  const running = await openMirror(log, { url, http });
  await expect(running.update()).rejects.toMatchObject({ code: 'network' });
  dripping = false;
  expect(await running.update()).toBe(true);
});

test('an older copy of its state and files would sign nothing that contradicts: it follows on', async () => {
  const log = await MemoryLog.create(numbered(300));
  const directory = join(await scratchDirectory(), 'mirror');
  const vkeys = (await initCosigner(directory, { name: 'mirror.example/m1' })).map(formatVkey);
  const first = await openMirror(log, { directory });
  await first.update();
  await first.close();
  const copy = join(await scratchDirectory(), 'copy');
  await mkdir(copy);
  await cp(directory, copy, { recursive: true });
  log.entries.push(...numbered(900).slice(300));
  const second = await openMirror(log, { directory: copy });
  await second.update();
  expect(await expectWhole(copy, log, vkeys)).toBe(900);
});
