/** A witness whose clock is wrong, whose disk is full, whose directory is not what it should be. */
import { cp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { openRecordStore } from '../../src/store/record-store.ts';
import { initCosigner } from '../../src/cosigner/directory.ts';
import { openWitness } from '../../src/witness/witness.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { mayMount, mountDisk } from '../store/memory-disk.ts';
import {
  listOf,
  post,
  requestBody,
  startWitness,
  witnessDirectory,
  type RunningWitness,
} from './running-witness.ts';

const DAY = 86_400;

/** Size and time of the checkpoint that the witness serves. */
async function served({ url, keys }: RunningWitness, log: MemoryLog): Promise<[number, number]> {
  const answer = await fetch(`${url}/${originHash(log.origin)}/checkpoint`);
  const note = parseNote(await answer.text());
  const [cosignature] = await openNote(note, keys, nodeVerifier);
  return [parseCheckpoint(note.text).size, cosignature!.timestamp!];
}

async function codeOf(answer: Response): Promise<unknown> {
  return ((await answer.json()) as { code: unknown }).code;
}

describe('the clock', () => {
  test('back by a day: nothing is cosigned for that log, and it is reported once', async () => {
    const start = 1_790_000_000;
    let now = start;
    const [log, other] = [
      await MemoryLog.create(numbered(9)),
      await MemoryLog.create(numbered(9), 'other.example'),
    ];
    const running = await startWitness({ list: listOf(log, other), now: () => now });
    await post(running.url, await requestBody(log, 0, 4));
    now -= DAY;
    for (const [old, size] of [
      [4, 4],
      [4, 9],
      [4, 5],
    ] as const) {
      const answer = await post(running.url, await requestBody(log, old, size));
      expect(answer.status).toBe(503);
      const problem = (await answer.json()) as { code: string; detail: string };
      expect(problem.code).toBe('clock-went-back');
      expect(problem.detail).toContain(`shows ${now}`);
      expect(problem.detail).toContain(`last at ${start}`);
    }
    expect(running.reported.map(({ error }) => error)).toEqual([
      expect.objectContaining({ code: 'clock-went-back' }),
    ]);
    expect(await served(running, log)).toEqual([4, start]);
    // A conflict is told as ever, and another log starts at the time that it is now.
    expect((await post(running.url, await requestBody(log, 3, 9))).status).toBe(409);
    expect((await post(running.url, await requestBody(other, 0, 9))).status).toBe(200);
    expect(await served(running, other)).toEqual([9, now]);
    now = start;
    expect((await post(running.url, await requestBody(log, 4, 9))).status).toBe(200);
    expect(await served(running, log)).toEqual([9, start]);
  });

  test('ahead by a year and then right: it waits, also after a restart', async () => {
    let now = 1_790_000_000;
    const log = await MemoryLog.create(numbered(9));
    const directory = await witnessDirectory();
    await initCosigner(directory, { name: 'w' });
    const witness = await openWitness(directory, { list: listOf(log), now: () => now });
    const ask = async (old: number, size: number): Promise<unknown> =>
      witness.addCheckpoint(Buffer.from(await requestBody(log, old, size)));
    await ask(0, 3);
    now += 365 * DAY;
    await ask(3, 4);
    now -= 365 * DAY;
    await expect(ask(4, 9)).rejects.toMatchObject({ code: 'clock-went-back' });
    await witness.close();
    const running = await startWitness({ directory, list: listOf(log), now: () => now });
    expect(await codeOf(await post(running.url, await requestBody(log, 4, 9)))).toBe(
      'clock-went-back',
    );
    expect(await served(running, log)).toEqual([4, now + 365 * DAY]);
    now += 365 * DAY;
    expect((await post(running.url, await requestBody(log, 4, 9))).status).toBe(200);
  });

  test.each([0, 0.9, -5, Number.NaN])('at %d: no time 0 is ever cosigned', async (now) => {
    const log = await MemoryLog.create(numbered(9));
    const running = await startWitness({ list: listOf(log), now: () => now });
    expect(await codeOf(await post(running.url, await requestBody(log, 0, 9)))).toBe(
      'clock-went-back',
    );
    expect((await fetch(`${running.url}/${originHash(log.origin)}/checkpoint`)).status).toBe(404);
  });
});

describe('the directory', () => {
  test('of a new witness is empty before', async () => {
    const directory = await witnessDirectory();
    await writeFile(join(directory, 'anything'), '');
    await expect(initCosigner(directory, { name: 'w' })).rejects.toMatchObject({
      code: 'wrong-directory',
      message: expect.stringContaining('anything') as string,
    });
  });

  test('takes an Ed25519 key that is there already, and no other', async () => {
    const [made, copied] = [await witnessDirectory(), await witnessDirectory()];
    const keys = await initCosigner(made, { name: 'w', mlDsa: true });
    for (const [keyFile, code] of [
      [join(made, 'cosigner-mldsa.key'), 'bad-key'],
      [join(made, 'cosigner.key.pub'), 'bad-key'],
      [join(made, 'none'), 'file-unreadable'],
    ] as const) {
      await expect(initCosigner(copied, { name: 'w', keyFile })).rejects.toMatchObject({ code });
    }
    const keyFile = join(made, 'cosigner.key');
    expect(await initCosigner(copied, { name: 'w', keyFile })).toEqual([keys[0]]);
  });

  test.each(['', 'two words', 'a+b', 'w\n'])('is not made for the name %j', async (name) => {
    const directory = await witnessDirectory();
    await expect(initCosigner(directory, { name })).rejects.toMatchObject({ code: 'bad-key' });
    await initCosigner(directory, { name: 'right' });
  });

  test.each(['state', 'state/db', 'state/head'])(
    'without %s: the key does not sign',
    async (part) => {
      const directory = await witnessDirectory();
      await initCosigner(directory, { name: 'w' });
      await rm(join(directory, part), { recursive: true });
      await expect(openWitness(directory, { list: listOf() })).rejects.toMatchObject({
        code: 'state-missing',
        message: expect.stringMatching(/new key/) as string,
      });
    },
  );

  test('whose making was cut off: the key does not sign', async () => {
    const directory = await witnessDirectory();
    await initCosigner(directory, { name: 'w' });
    await rm(join(directory, 'state'), { recursive: true });
    await (await openRecordStore(join(directory, 'state'), { create: true })).close();
    await expect(openWitness(directory, { list: listOf() })).rejects.toMatchObject({
      code: 'state-missing',
    });
  });

  test('with the keys of another witness: they do not sign from this state', async () => {
    const [a, b] = [await witnessDirectory(), await witnessDirectory()];
    await initCosigner(a, { name: 'w' });
    await initCosigner(b, { name: 'w' });
    await cp(join(b, 'cosigner.key'), join(a, 'cosigner.key'));
    await expect(openWitness(a, { list: listOf() })).rejects.toMatchObject({
      code: 'wrong-directory',
    });
  });

  test('with an older copy of the database: lost writes are noticed', async () => {
    const [directory, copy] = [await witnessDirectory(), await witnessDirectory()];
    await initCosigner(directory, { name: 'w' });
    await cp(join(directory, 'state', 'db'), copy, { recursive: true });
    const log = await MemoryLog.create(numbered(9));
    const witness = await openWitness(directory, { list: listOf(log) });
    await witness.addCheckpoint(Buffer.from(await requestBody(log, 0, 9)));
    await witness.close();
    await rm(join(directory, 'state', 'db'), { recursive: true });
    await cp(copy, join(directory, 'state', 'db'), { recursive: true });
    await expect(openWitness(directory, { list: listOf() })).rejects.toMatchObject({
      code: 'store-corrupt',
    });
  });

  test('is used by one witness at a time', async () => {
    const { directory } = await startWitness();
    await expect(openWitness(directory, { list: listOf() })).rejects.toMatchObject({
      code: 'store-locked',
    });
  });
});

test.skipIf(!mayMount())(
  'a full disk: no answer without its write, and it recovers (skipped where mounting is not permitted)',
  async () => {
    const disk = await mountDisk('size=8m');
    const directory = join(disk, 'witness');
    await initCosigner(directory, { name: 'w', mlDsa: true });
    const logs = await Promise.all(
      Array.from({ length: 8 }, (_, i) => MemoryLog.create(numbered(200), `log-${i}.example`)),
    );
    const running = await startWitness({ directory, list: listOf(...logs) });
    const ballast = join(disk, 'ballast');
    const cosigned = new Map<MemoryLog, number>(logs.map((log) => [log, 0]));

    /** The next checkpoint; its size is known as cosigned only when the witness says so. */
    const push = async (log: MemoryLog): Promise<number> => {
      const old = cosigned.get(log)!;
      const size = Math.min(old + 1, 200);
      const answer = await post(running.url, await requestBody(log, old, size));
      const text = await answer.text();
      if (answer.status === 200) cosigned.set(log, size);
      // A write whose outcome was not known turned out to be durable.
      if (answer.status === 409) cosigned.set(log, Number(text));
      return answer.status;
    };

    for (let round = 0; round < 3; round++) {
      expect(await Promise.all(logs.map(push))).toEqual(logs.map(() => 200));
      // Until nothing fits any more.
      await writeFile(ballast, new Uint8Array(16 << 20)).catch(() => undefined);
      let statuses: number[];
      do statuses = await Promise.all(logs.map(push));
      while (!statuses.includes(503));
      // Reading the state back may itself make room; until then nothing is cosigned.
      const before = running.witness.halted;
      const [health, ...more] = await Promise.all([
        fetch(`${running.url}/healthz`),
        ...logs.map(push),
      ]);
      if (before !== undefined && running.witness.halted !== undefined) {
        expect([health.status, ...more]).toEqual([503, ...logs.map(() => 503)]);
      }

      await rm(ballast);
      while (running.witness.halted !== undefined) await delay(20);
      for (const log of logs) {
        const { size } = parseCheckpoint(
          parseNote(running.witness.checkpoint(originHash(log.origin))!).text,
        );
        expect([0, 1]).toContain(size - cosigned.get(log)!);
        await push(log);
      }
    }
    expect(
      running.reported.filter(({ message }) => message.includes('read back')),
    ).not.toHaveLength(0);
  },
);
