import { mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { treeSize } from '../../src/encoding/integer.ts';
import { HeadFile, MAX_HEAD_NOTE_BYTES, type Head } from '../../src/store/head-file.ts';
import { rootAt, sampleNote } from './samples.ts';
import { temporaryDirectory } from './temporary-directory.ts';

function headAt(size: number, noteBytes = 40): Head {
  return { note: sampleNote(noteBytes), size: treeSize(size), root: rootAt(size) };
}

async function newPath(): Promise<string> {
  return join(await temporaryDirectory(), 'head');
}

async function openHere(path: string): Promise<HeadFile> {
  const file = await HeadFile.open(path);
  onTestFinished(() => file.close());
  return file;
}

async function readHead(path: string): Promise<Head | undefined> {
  const file = await HeadFile.open(path);
  await file.close();
  return file.read();
}

const corrupt = { code: 'store-corrupt' };

describe('the head file', () => {
  test('is created without a head, under its own name only', async () => {
    const path = await newPath();
    const file = await openHere(path);
    expect(file.read()).toBeUndefined();
    expect(await readdir(join(path, '..'))).toEqual(['head']);
    expect(await readHead(path)).toBeUndefined();
  });

  test('gives back the newest head, also when it is opened again', async () => {
    const path = await newPath();
    const file = await openHere(path);
    for (const size of [0, 1, 1, 5, 2 ** 40]) {
      const head = headAt(size);
      await file.write(head);
      expect(file.read()).toEqual(head);
      expect(await readHead(path)).toEqual(head);
    }
  });

  test('goes on after any number of openings', async () => {
    const path = await newPath();
    for (let size = 0; size < 7; size += 1) {
      const file = await HeadFile.open(path);
      if (size > 0) expect(file.read()?.size).toBe(size - 1);
      await file.write(headAt(size));
      await file.close();
    }
    expect((await readHead(path))?.size).toBe(6);
  });

  test('writes that do not wait for each other keep their order', async () => {
    const path = await newPath();
    const file = await openHere(path);
    const heads = [1, 2, 3, 4, 5].map((size) => headAt(size));
    await Promise.all(heads.map((head) => file.write(head)));
    expect(await readHead(path)).toEqual(heads[4]);
  });

  test('holds a note with many ML-DSA-44 signatures, and refuses a longer one unharmed', async () => {
    const path = await newPath();
    const file = await openHere(path);
    const head = headAt(1, 15 * 3300);
    await file.write(head);
    await file.write(headAt(2, MAX_HEAD_NOTE_BYTES));
    await expect(file.write(headAt(3, MAX_HEAD_NOTE_BYTES + 1))).rejects.toMatchObject({
      code: 'internal',
    });
    await file.write(headAt(3, 1));
    expect((await readHead(path))?.note.length).toBe(1);
  });

  test('refuses to go back or sideways', async () => {
    const path = await newPath();
    const file = await openHere(path);
    await file.write(headAt(5));
    const sideways = { ...headAt(5), root: rootAt(6) };
    for (const head of [headAt(4), headAt(0), sideways]) {
      await expect(file.write(head)).rejects.toMatchObject({ code: 'log-forked' });
    }
    expect(file.read()?.size).toBe(5);
    await file.write(headAt(5));
    await file.write(headAt(6));
  });

  test('refuses writes once closed', async () => {
    const file = await HeadFile.open(await newPath());
    await file.close();
    await expect(file.write(headAt(1))).rejects.toMatchObject({ code: 'store-failed' });
  });

  test('can be looked at without being written', async () => {
    const path = await newPath();
    const file = await HeadFile.open(path);
    const head = headAt(3);
    await file.write(head);
    await file.close();
    const before = await readFile(path);
    expect(await HeadFile.peek(path)).toEqual(head);
    expect(await readFile(path)).toEqual(before);
    await expect(HeadFile.peek(`${path}.none`)).rejects.toMatchObject({ code: 'store-failed' });
  });

  test('a path that cannot be used says why', async () => {
    const directory = await temporaryDirectory();
    for (const path of [directory, join(directory, 'missing', 'head')]) {
      await expect(HeadFile.open(path)).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringContaining(path) as string,
      });
    }
  });
});

describe('a damaged head file', () => {
  let directory: string;
  let path: string;
  const older = headAt(10);
  const newer = headAt(11);
  let before: Buffer;
  let after: Buffer;
  /** Where the bytes of `newer` lie in `after`. */
  let start: number;
  let end: number;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'daybook-head-'));
    path = join(directory, 'head');
    const file = await HeadFile.open(path);
    await file.write(headAt(9, 45));
    await file.write(older);
    before = await readFile(path);
    await file.write(newer);
    after = await readFile(path);
    await file.close();
    const changed = [...after.keys()].filter((i) => before[i] !== after[i]);
    start = after.lastIndexOf('daybook head', changed[0]);
    end = changed.at(-1)! + 1;
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test('a write torn at any byte leaves the head before it', async () => {
    for (let cut = start; cut <= end; cut += 1) {
      const torn = Buffer.concat([after.subarray(0, cut), before.subarray(cut)]);
      await writeFile(path, torn);
      const expected = torn.equals(after) ? newer : older;
      expect(await readHead(path), `cut at ${cut}`).toEqual(expected);
    }
  });

  test('a write of which only a later part arrived leaves the head before it', async () => {
    for (let cut = start + 1; cut < end; cut += 1) {
      const torn = Buffer.concat([before.subarray(0, cut), after.subarray(cut)]);
      await writeFile(path, torn);
      expect(await readHead(path), `from ${cut}`).toEqual(torn.equals(after) ? newer : older);
    }
  });

  test('a flipped bit in one slot leaves the other, in both it is store-corrupt', async () => {
    const other = after.indexOf(older.note) - (after.indexOf(newer.note) - start);
    for (let i = 0; start + i < end - 5; i += 1) {
      const damaged = Buffer.from(after);
      damaged[start + i]! ^= 1 << (i % 8);
      await writeFile(path, damaged);
      expect(await readHead(path), `byte ${start + i}`).toEqual(older);

      damaged[start + i]! ^= 1 << (i % 8);
      damaged[other + i]! ^= 1 << (i % 8);
      await writeFile(path, damaged);
      expect(await readHead(path), `byte ${other + i}`).toEqual(newer);

      damaged[start + i]! ^= 1 << (i % 8);
      await writeFile(path, damaged);
      await expect(HeadFile.open(path)).rejects.toMatchObject(corrupt);
    }
  });

  test('opening heals the damaged slot', async () => {
    const damaged = Buffer.from(after);
    damaged[start + 20]! ^= 1;
    await writeFile(path, damaged);
    expect(await readHead(path)).toEqual(older);
    const healed = await readFile(path);
    const other = after.indexOf(older.note);
    healed[other]! ^= 1;
    await writeFile(path, healed);
    expect(await readHead(path)).toEqual(older);
  });

  test('a file of another length is store-corrupt, an empty one too', async () => {
    for (const length of [0, 1, after.length / 2, after.length - 1, after.length + 1]) {
      await writeFile(path, after);
      await truncate(path, length);
      await expect(HeadFile.open(path)).rejects.toMatchObject(corrupt);
    }
    await writeFile(path, new Uint8Array(after.length));
    await expect(HeadFile.open(path)).rejects.toMatchObject(corrupt);
  });
});
