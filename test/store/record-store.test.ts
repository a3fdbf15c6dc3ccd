import { spawn } from 'node:child_process';
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { DaybookError } from '../../src/errors.ts';
import { openRecordStore, type RecordStore } from '../../src/store/record-store.ts';
import { temporaryDirectory } from './temporary-directory.ts';

async function newStore(): Promise<{ directory: string; store: RecordStore }> {
  const directory = await temporaryDirectory();
  const store = await openRecordStore(directory, { create: true });
  onTestFinished(() => store.close());
  return { directory, store };
}

async function contents(store: RecordStore, prefix = ''): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const [key, value] of store.list(prefix))
    found.set(key, new TextDecoder().decode(value));
  return found;
}

const codeOf = (opening: Promise<RecordStore>): Promise<string> =>
  opening.then(
    async (store) => {
      await store.close();
      return 'none';
    },
    (error: unknown) => (error as DaybookError).code,
  );

test('records are what a map would hold, also when it is opened again', async () => {
  const { directory, store } = await newStore();
  await store.close();
  const key = fc.constantFrom('a', 'ab', 'b', 'log/1', 'log/2', 'log');
  const change = fc.record({
    put: fc.array(fc.tuple(key, fc.string({ maxLength: 8 })), { maxLength: 4 }),
    delete: fc.array(key, { maxLength: 2 }),
  });
  const model = new Map<string, string>();
  const property = fc.asyncProperty(
    fc.array(fc.array(change, { maxLength: 3 }), { maxLength: 4 }),
    async (groups) => {
      const opened = await openRecordStore(directory, { create: false });
      for (const group of groups) {
        for (const { put, delete: gone } of group) {
          for (const name of gone) model.delete(name);
          for (const [name, value] of put) model.set(name, value);
        }
        await Promise.all(
          group.map(({ put, delete: gone }) =>
            opened.commit({
              put: put.map(([name, value]) => [name, utf8(value)] as const),
              delete: gone,
            }),
          ),
        );
      }
      const sorted = [...model].sort(([a], [b]) => (a < b ? -1 : 1));
      expect([...(await contents(opened))]).toEqual(sorted);
      const below = sorted.filter(([name]) => name.startsWith('log/'));
      expect([...(await contents(opened, 'log/'))]).toEqual(below);
      for (const [name, value] of sorted) expect(opened.get(name)).toEqual(utf8(value));
      expect(opened.get('never written')).toBeUndefined();
      await opened.close();
    },
  );
  await fc.assert(property, { numRuns: 40 });
});

describe('a state that is not there', () => {
  test('is never begun anew without being told to', async () => {
    const directory = await temporaryDirectory();
    expect(await codeOf(openRecordStore(directory, { create: false }))).toBe('state-missing');
    expect(await readdir(directory)).toEqual([]);
  });

  test('is not begun over one that is there', async () => {
    const { directory, store } = await newStore();
    await store.close();
    expect(await codeOf(openRecordStore(directory, { create: true }))).toBe('wrong-directory');
  });

  test.each(['db', 'head'])('is missing when %s is gone', async (name) => {
    const { directory, store } = await newStore();
    await store.commit({ put: [['a', utf8('1')]] });
    await store.close();
    await rm(join(directory, name), { recursive: true });
    expect(await codeOf(openRecordStore(directory, { create: false }))).toBe('state-missing');
  });
});

test('an older copy of the database is noticed', async () => {
  const { directory, store } = await newStore();
  await store.commit({ put: [['size', utf8('1')]] });
  await store.close();
  await cp(join(directory, 'db'), join(directory, 'old'), { recursive: true });
  const again = await openRecordStore(directory, { create: false });
  await again.commit({ put: [['size', utf8('2')]] });
  await again.close();
  await rm(join(directory, 'db'), { recursive: true });
  await cp(join(directory, 'old'), join(directory, 'db'), { recursive: true });
  expect(await codeOf(openRecordStore(directory, { create: false }))).toBe('store-corrupt');
});

/** A store of some writes that all lie in LevelDB's write-ahead log, as after a kill. */
async function killedStore(
  writes = 40,
): Promise<{ directory: string; log: string; bytes: Uint8Array }> {
  const { directory, store } = await newStore();
  for (let i = 1; i <= writes; i++) {
    await store.commit({
      put: [
        ['size', utf8(String(i))],
        [`n/${i}`, new Uint8Array(300)],
      ],
    });
  }
  const killed = await temporaryDirectory();
  await cp(directory, killed, { recursive: true });
  const names = await readdir(join(killed, 'db'));
  const log = join('db', names.find((name) => name.endsWith('.log')) as string);
  return { directory: killed, log, bytes: await readFile(join(killed, log)) };
}

/** What opening a copy says in which the write-ahead log has these bytes. */
async function openedWith(directory: string, log: string, bytes: Uint8Array): Promise<string> {
  const copy = await temporaryDirectory();
  await cp(directory, copy, { recursive: true });
  await writeFile(join(copy, log), bytes);
  const code = await codeOf(openRecordStore(copy, { create: false }));
  await rm(copy, { recursive: true });
  return code;
}

test('a write-ahead log that was cut anywhere is noticed', async () => {
  const { directory, log, bytes } = await killedStore();
  expect(await openedWith(directory, log, bytes)).toBe('none');
  for (let at = 0; at < bytes.length; at += 997) {
    expect(await openedWith(directory, log, bytes.subarray(0, at))).toBe('store-corrupt');
  }
});

test('a bit that flipped anywhere in the write-ahead log is noticed', async () => {
  const { directory, log, bytes } = await killedStore();
  for (let at = 3; at < bytes.length; at += 487) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] as number) ^ (1 << (at % 8));
    expect(await openedWith(directory, log, flipped)).toBe('store-corrupt');
  }
});

test('writes that LevelDB passes over in the middle of its write-ahead log are noticed', async () => {
  // Of a damaged log it drops the rest of a block of 32 KiB, and goes on behind it.
  const { directory, log, bytes } = await killedStore(300);
  expect(bytes.length).toBeGreaterThan(3 * 32_768);
  for (const at of [100, 20_000, 33_000, 60_000]) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] as number) ^ 1;
    const copy = await temporaryDirectory();
    await cp(directory, copy, { recursive: true });
    await writeFile(join(copy, log), flipped);
    await expect(openRecordStore(copy, { create: false })).rejects.toThrow(/write \d+ is missing/);
  }
});

test('nothing that was said to be durable is lost by kills', async () => {
  const { directory, store } = await newStore();
  await store.close();
  let said = 0;
  for (let round = 0; round < 8; round++) {
    const child = spawn(process.execPath, [
      fileURLToPath(new URL('record-writer.ts', import.meta.url)),
      directory,
    ]);
    let output = '';
    child.stdout.on('data', (piece: Buffer) => {
      output += piece.toString();
      if (output.length > 20 + 40 * round) child.kill('SIGKILL');
    });
    await once(child, 'close');
    said = Number(output.slice(0, output.lastIndexOf('\n')).split('\n').at(-1));
    const opened = await openRecordStore(directory, { create: false });
    const number = (key: string): number => {
      const value = opened.get(key) as Uint8Array;
      return new DataView(value.buffer, value.byteOffset).getUint32(0);
    };
    const counter = number('counter');
    expect(counter).toBeGreaterThanOrEqual(said);
    expect(counter).toBeLessThanOrEqual(said + 1);
    expect(number(`write/${counter % 7}`)).toBe(counter);
    await opened.close();
  }
  expect(said).toBeGreaterThan(20);
});

test('old numbers go, and a store of many writes opens', { timeout: 120_000 }, async () => {
  const { directory, store } = await newStore();
  const value = new Uint8Array(1 << 20);
  for (let i = 0; i < 60; i++)
    await store.commit({
      put: [
        ['big', value],
        ['i', utf8(`${i}`)],
      ],
    });
  await store.close();
  const opened = await openRecordStore(directory, { create: false });
  expect(opened.get('i')).toEqual(utf8('59'));
  await opened.close();
});
