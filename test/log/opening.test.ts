import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { describe, expect, test } from 'vitest';
import { dataFiles } from '../../src/log/data-directory.ts';
import { fsck } from '../../src/log/fsck.ts';
import { Log } from '../../src/log/log.ts';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { HeadFile } from '../../src/store/head-file.ts';
import { entryKey } from '../../src/store/layout.ts';
import { closedLog, entries, scratchDirectory, scratchLog } from './scratch.ts';

describe('a new log', () => {
  test('makes its keys, public files and genesis entry, and keeps them', async () => {
    const directory = join(await scratchDirectory(), 'not', 'there', 'yet');
    const log = await Log.open({ directory, origin: 'log.example/a' });
    const files = dataFiles(directory);
    expect(await readFile(files.vkey, 'utf8')).toBe(`${log.vkeys[0]}\n`);
    expect(await readFile(files.policy, 'utf8')).toBe(`log ${log.vkeys[0]}\nquorum none\n`);
    const genesis = Buffer.from(await log.entry(0 as never));
    await log.close();
    const again = await scratchLog({ directory });
    expect(again).toMatchObject({ origin: 'log.example/a', vkeys: log.vkeys });
    expect(Buffer.from(await again.entry(0 as never))).toEqual(genesis);
    expect(again.published.size).toBe(1);
  });

  test('is refused a name that no note can carry', async () => {
    const directory = await scratchDirectory();
    await expect(Log.open({ directory, origin: 'a b' })).rejects.toMatchObject({ code: 'bad-key' });
  });
});

describe('a directory is refused', () => {
  test('when it is in use, which leaves the first log unharmed', async () => {
    const log = await scratchLog({ admission: 'open' });
    const directory = await scratchDirectory();
    const first = await scratchLog({ directory, admission: 'open' });
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'store-locked' });
    expect(await first.submit(Buffer.from('still here'))).toMatchObject({ index: 1 });
    expect(log.status().accepting).toBe(true);
  });

  test('when it is of another origin or admission', async () => {
    const directory = await closedLog(1);
    await expect(Log.open({ directory, origin: 'log.example/b' })).rejects.toMatchObject({
      code: 'wrong-directory',
    });
    await expect(Log.open({ directory, admission: 'issuers' })).rejects.toMatchObject({
      code: 'wrong-directory',
    });
  });

  test('when the log key is missing, unreadable or another', async () => {
    const directory = await closedLog(1);
    const { logKey } = dataFiles(directory);
    await writeFile(logKey, 'nonsense');
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'bad-key' });
    await rm(logKey);
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'bad-key' });
    await rm(`${logKey}.pub`);
    await createKeyFile(logKey, 'ed25519');
    await expect(Log.open({ directory })).rejects.toThrow(/is not a key of the log log.example\/a/);
  });

  test('when the database is older than the head that was signed', async () => {
    const directory = await closedLog(10);
    const { database } = dataFiles(directory);
    await cp(database, `${database}.old`, { recursive: true });
    const log = await Log.open({ directory, intervalMs: 50 });
    await log.submitMany(entries(10, 'later'));
    await log.close();
    await rm(database, { recursive: true });
    await cp(`${database}.old`, database, { recursive: true });
    await expect(Log.open({ directory })).rejects.toThrow(/size 21 was signed.* only 11 entries/);
  });

  test('when the database is gone, or the head is', async () => {
    const directory = await closedLog(10);
    const { database, head } = dataFiles(directory);
    await copyFile(head, `${head}.kept`);
    await rm(head);
    for (let i = 0; i < 2; i++) {
      await expect(Log.open({ directory })).rejects.toThrow(/head file is missing/);
    }
    await copyFile(`${head}.kept`, head);
    await rm(database, { recursive: true });
    await expect(Log.open({ directory })).rejects.toThrow(/entries were lost/);
  });

  test('when database and head are both gone: another log under the same key would be a fork', async () => {
    const directory = await closedLog(3);
    const { database, head, vkey } = dataFiles(directory);
    await rm(database, { recursive: true });
    await rm(head);
    const opening = Log.open({ directory, admission: 'open' });
    await expect(opening).rejects.toMatchObject({ code: 'store-corrupt' });
    await expect(opening).rejects.toThrow(/daybook restore/);
    // What a first start leaves behind that was cut short.
    await rm(vkey);
    expect((await scratchLog({ directory, admission: 'open' })).published.size).toBe(1);
  });

  test('when the head is of another tree', async () => {
    const [directory, other] = [await closedLog(10), await closedLog(10, 'other')];
    await copyFile(dataFiles(other).head, dataFiles(directory).head);
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'store-corrupt' });
  });
});

describe('a head that was signed but not published', () => {
  test('is published at the next start, as it was signed', async () => {
    const directory = await closedLog(10);
    const files = dataFiles(directory);
    await copyFile(files.head, `${files.head}.old`);
    const log = await Log.open({ directory, intervalMs: 50 });
    await log.submitMany(entries(5, 'later'));
    await log.close();
    const signed = (await HeadFile.peek(files.head))?.note as Uint8Array;
    const again = await scratchLog({ directory });
    expect(Buffer.from(again.published.note)).toEqual(Buffer.from(signed));
    expect(again.published.size).toBe(16);
  });
});

describe('damage to what LevelDB keeps', () => {
  /** Flips one bit, and gives the outcome of opening a copy. */
  async function openFlipped(directory: string, file: string, position: number): Promise<string> {
    const copy = await scratchDirectory();
    await cp(directory, copy, { recursive: true });
    const path = join(dataFiles(copy).database, file);
    const bytes = await readFile(path);
    bytes[position] = (bytes[position] as number) ^ 1;
    await writeFile(path, bytes);
    try {
      const log = await Log.open({ directory: copy });
      const { size } = log.status();
      await log.close();
      return String(size);
    } catch (error) {
      return (error as { code?: string }).code ?? String(error);
    }
  }

  test('in the write-ahead log is never followed by a signature over less', async () => {
    const directory = await scratchDirectory();
    const log = await Log.open({ directory, admission: 'open', intervalMs: 50 });
    for (let i = 0; i < 20; i++) await log.submitMany(entries(10, `batch ${i}`));
    await log.included(200 as never);
    // As a kill leaves it: with everything in the write-ahead log.
    const snapshot = await scratchDirectory();
    await mkdir(snapshot, { recursive: true });
    await cp(directory, snapshot, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
    await log.close();
    const names = await readdir(dataFiles(snapshot).database);
    const writeAheadLog = names.find((name) => name.endsWith('.log')) as string;
    const { length } = await readFile(join(dataFiles(snapshot).database, writeAheadLog));
    expect(length).toBeGreaterThan(10_000);
    const outcomes = new Map<string, number>();
    for (let i = 0; i < 60; i++) {
      const position = Math.floor(((i + 0.5) * length) / 60);
      const outcome = await openFlipped(snapshot, writeAheadLog, position);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
    // Either all 201 entries are there, or the log refuses; it never goes on with fewer.
    expect(
      [...outcomes.keys()].filter((outcome) => /^\d+$/.test(outcome) && outcome !== '201'),
    ).toEqual([]);
    expect(outcomes.get('store-corrupt') ?? 0).toBeGreaterThan(30);
  });
});

describe('an entry that changed', () => {
  test('since the last verified size is found at start, below full tiles too', async () => {
    const directory = await scratchDirectory();
    const log = await Log.open({ directory, admission: 'open', intervalMs: 50 });
    await log.submitMany(entries(600));
    const killed = await scratchDirectory();
    await cp(directory, killed, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
    await log.close();
    const db = new Level<Uint8Array, Uint8Array>(dataFiles(killed).database, {
      keyEncoding: 'view',
      valueEncoding: 'view',
    });
    // The run of entries 256 to 511: 2 bytes of length, then entry 256.
    const run = Buffer.from((await db.get(entryKey(256))) ?? []);
    run.writeUInt8(run.readUInt8(2) ^ 1, 2);
    await db.put(entryKey(256), run);
    await db.close();
    await expect(Log.open({ directory: killed })).rejects.toThrow(/entry 256 is not what the tree/);
  });
});

describe('fsck', () => {
  test('agrees with a sound log', async () => {
    const directory = await closedLog(1000);
    expect(await fsck(directory)).toEqual({
      origin: 'log.example/a',
      size: 1001,
      disagreements: [],
    });
  });

  test('refuses a directory without a log, and a running log', async () => {
    const directory = await scratchDirectory();
    await expect(fsck(directory)).rejects.toMatchObject({ code: 'wrong-directory' });
    await scratchLog({ directory });
    await expect(fsck(directory)).rejects.toMatchObject({ code: 'store-locked' });
  });
});
