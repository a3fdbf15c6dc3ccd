/** A real full disk: a small tmpfs, filled and freed under a running log. */

import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DaybookError } from '../../src/errors.ts';
import { verifyConsistency } from '../../src/merkle/consistency.ts';
import type { Published } from '../../src/log/publisher.ts';
import { Log, type Sequenced } from '../../src/log/log.ts';
import { fsck } from '../../src/log/fsck.ts';
import { cut, type Link } from './link.ts';
import { entries, scratchDirectory } from './scratch.ts';
import { openWitnessed, startHouse } from './witnessed.ts';

async function smallDisk(megabytes: number): Promise<string> {
  const directory = await scratchDirectory();
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', directory]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', directory]);
  });
  return directory;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(10);
}

const canMount = process.getuid?.() === 0;

describe.skipIf(!canMount)('a disk that is full', () => {
  test('stops the log at once; freed, it goes on from what was acknowledged', async () => {
    const directory = await smallDisk(24);
    const reports: string[] = [];
    const log = await Log.open({
      directory,
      admission: 'open',
      intervalMs: 50,
      report: (message) => reports.push(message),
    });
    const acknowledged = new Map<number, Buffer>();
    const seen: Published[] = [log.published];
    let failed: DaybookError | undefined;
    const ballast = join(directory, 'ballast');
    await writeFile(ballast, new Uint8Array(12 << 20));
    for (let i = 0; !failed; i++) {
      const batch = Array.from({ length: 50 }, (_, j) => Buffer.alloc(2000, `${i}/${j} `));
      (await log.submitMany(batch)).forEach((outcome, j) => {
        if (outcome instanceof DaybookError) failed ??= outcome;
        else acknowledged.set(outcome.index, batch[j] as Buffer);
      });
      if (log.published !== seen.at(-1)) seen.push(log.published);
    }
    expect(failed.code).toBe('store-failed');
    const refused = await log
      .submit(Buffer.from('while it is full'))
      .catch((error: unknown) => error);
    expect(refused).toMatchObject({ status: 503 });
    expect(log.status()).toMatchObject({ accepting: false });

    await rm(ballast);
    await until(() => log.status().accepting);
    const more = (await log.submitMany(entries(100, 'after'))) as Sequenced[];
    await log.included(more.at(-1)?.index as never);
    seen.push(log.published);
    for (const [index, bytes] of acknowledged) {
      expect(Buffer.from(await log.entry(index as never)).equals(bytes)).toBe(true);
    }
    for (let i = 1; i < seen.length; i++) {
      const [before, after] = [seen[i - 1] as Published, seen[i] as Published];
      const proof = await log.consistency(before.size, after.size);
      verifyConsistency({
        from: before.size,
        to: after.size,
        fromRoot: before.root,
        toRoot: after.root,
        proof,
      });
    }
    await log.close();
    expect((await fsck(directory)).disagreements).toEqual([]);
    expect(reports[0]).toMatch(/a write failed/);
    expect(reports.at(-1)).toMatch(/goes on/);
  });

  test('stops a log with witnesses, which asks them again before it goes on', async () => {
    const house = await startHouse(1);
    const directory = await smallDisk(24);
    const policy = house.policy('quorum A');
    const { log, reports } = await openWitnessed(house, { policy, directory });
    await until(() => log.published.size === 1);
    const ballast = join(directory, 'ballast');
    await writeFile(ballast, new Uint8Array(12 << 20));
    while (log.status().accepting) {
      await log.submitMany(Array.from({ length: 50 }, () => Buffer.alloc(2000, randomUUID())));
    }
    const link = house.witnesses[0]?.link as Link;
    link.interfere = cut;
    await rm(ballast);
    await until(() => /silent: A/.test(log.status().reason?.message ?? ''));
    link.interfere = undefined;
    await until(() => log.status().accepting);
    await log.included((await log.submit(Buffer.from('goes on'))).index);
    expect(reports.join()).toMatch(/a write failed.*silent: A.*goes on/s);
    await log.close();
    expect((await fsck(directory)).disagreements).toEqual([]);
  });

  test('at first start is a clear error', async () => {
    const directory = await smallDisk(1);
    await writeFile(join(directory, 'ballast'), new Uint8Array(1 << 20)).catch(() => undefined);
    await expect(Log.open({ directory, admission: 'open' })).rejects.toMatchObject({
      name: 'DaybookError',
    });
  });

  test('that was mounted read-only is a clear error, and the log opens again when it is not', async () => {
    const directory = await smallDisk(16);
    const log = await Log.open({ directory, admission: 'open' });
    await log.close();
    execFileSync('mount', ['-o', 'remount,ro', directory]);
    await expect(Log.open({ directory })).rejects.toMatchObject({ name: 'DaybookError' });
    execFileSync('mount', ['-o', 'remount,rw', directory]);
    const again = await Log.open({ directory });
    expect(again.status().size).toBe(1);
    await again.close();
  });

  test('does not keep a log from closing', async () => {
    const directory = await smallDisk(16);
    const log = await Log.open({ directory, admission: 'open', intervalMs: 50 });
    await writeFile(join(directory, 'ballast'), new Uint8Array(16 << 20)).catch(() => undefined);
    await log.submitMany(Array.from({ length: 50 }, (_, j) => Buffer.alloc(2000, `${j} `)));
    await log.close();
    expect(log.status().accepting).toBe(false);
  });
});
