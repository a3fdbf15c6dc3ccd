/** A monitor whose own disk fails: nothing that was not written counts, and it goes on when it can. */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cosigner } from '../../src/monitor/cosigner.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { mayMount, mountDisk } from '../store/memory-disk.ts';
import { acmeLog, release, WatchScene } from './watch-scene.ts';

describe.runIf(mayMount())('a disk that is full', () => {
  test('ends the poll, and what comes after it is as if it had never been', async () => {
    const { log, issuer } = await acmeLog();
    const cosigner = new Cosigner([await newNoteSigner('m.example/m1', 0x04)]);
    const directory = await mountDisk('size=24m');
    const scene = await WatchScene.of(log, cosigner, directory);
    await scene.watched.poll();
    const sample = await release(issuer, 1);
    for (let i = 0; i < 20_000; i++) log.entries.push(i % 5000 === 77 ? Buffer.of(i) : sample);
    const filler = join(directory, 'filler');
    // As much as there is room for, but for a little.
    for (let bytes = 0; bytes < 64; bytes++) {
      try {
        await writeFile(filler, new Uint8Array(1 << 20), { flag: 'a' });
      } catch {
        break;
      }
    }
    const failed = await scene.watched.poll().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: 'store-failed' });
    expect(scene.records.failed).toBe(true);
    // The process ends by that, and its service manager starts it again.
    await rm(filler);
    scene.entries.length = 0;
    await scene.again();
    const { audited } = scene.watched.status();
    await scene.watched.poll();
    expect(scene.watched.status()).toMatchObject({ audited: 20_002, findings: 4 });
    expect(scene.entries.map(({ index }) => index)).toEqual(
      Array.from({ length: 20_002 - audited }, (_, i) => audited + i),
    );
    const told = scene.alerts.map(
      ({ title }) => 1 + Number(/and (\d+) more/.exec(title)?.[1] ?? 0),
    );
    expect(told.reduce((sum, count) => sum + count, 0)).toBe(4);
    expect(Buffer.from(scene.watched.checkpoint!).toString()).toContain('\n20002\n');
  });
});
