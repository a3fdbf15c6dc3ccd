import { mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Level } from 'level';
import { describe, expect, onTestFinished, test } from 'vitest';
import { leafIndex } from '../../src/encoding/integer.ts';
import { entryKey, tileKey } from '../../src/store/layout.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { conformance } from './conformance.ts';
import { appendAt, digestOf, entriesAt, sampleNote } from './samples.ts';
import { temporaryDirectory } from './temporary-directory.ts';

conformance('LevelDB', openLevelStore);
// Small enough that most of what is read comes out of tables, after many compactions.
conformance('LevelDB with a tiny write buffer', (directory) =>
  openLevelStore(directory, { writeBufferSize: 64 << 10, cacheSize: 0 }),
);

type Raw = Level<Uint8Array, Uint8Array>;

/** A store of 600 entries in runs of 100, 156, 200, 56 and 88, closed, its database changed by `edit`. */
async function editedStore(edit: (raw: Raw) => Promise<unknown>): Promise<string> {
  const directory = await temporaryDirectory();
  const store = await openLevelStore(directory);
  for (const count of [100, 356, 144]) await store.append(appendAt(store.state.size, count));
  await store.recordSigned(sampleNote(500));
  await store.close();
  const raw: Raw = new Level(directory, { keyEncoding: 'view', valueEncoding: 'view' });
  await edit(raw);
  await raw.close();
  return directory;
}

async function openEdited(edit: (raw: Raw) => Promise<unknown>): Promise<Store> {
  const store = await openLevelStore(await editedStore(edit));
  onTestFinished(() => store.close());
  return store;
}

const corrupt = { code: 'store-corrupt' };
const at = (name: string): Uint8Array => new TextEncoder().encode(`r.${name}`);

describe('damage in the database', () => {
  test.each([
    ['first run', 0, [0, 1]],
    ['run within a bundle', 100, [0, 256]],
    ['run at the start of a bundle', 256, [300, 2]],
    ['last run', 512, [0, 600]],
  ] as const)('a missing %s is store-corrupt', async (_, first, [from, count]) => {
    const store = await openEdited((raw) => raw.del(entryKey(first)));
    await expect(store.readEntries(leafIndex(from), count)).rejects.toMatchObject(corrupt);
  });

  test('a missing run does not harm other bundles', async () => {
    const store = await openEdited((raw) => raw.del(entryKey(256)));
    expect(await store.readEntries(leafIndex(0), 256)).toEqual(entriesAt(0, 256));
    expect(await store.readEntries(leafIndex(512), 88)).toEqual(entriesAt(512, 88));
  });

  test('a run that is cut, empty, too long or in the way is store-corrupt', async () => {
    const runs: [number, Uint8Array][] = [
      [100, Uint8Array.of(0, 9, 1)],
      [100, new Uint8Array(0)],
      [100, new Uint8Array(2 * 157)],
      [100, new Uint8Array(2 * 300)],
      [99, new Uint8Array(2 * 4)],
    ];
    for (const [first, bytes] of runs) {
      const store = await openEdited((raw) => raw.put(entryKey(first), bytes));
      await expect(store.readBundle(0, 256)).rejects.toMatchObject(corrupt);
    }
  });

  test('a tile or index key of the wrong length is store-corrupt', async () => {
    const leafKey = Uint8Array.of('l'.charCodeAt(0), ...digestOf('leaf 5'));
    const store = await openEdited(async (raw) => {
      await raw.put(tileKey(0, 1), new Uint8Array(8191));
      await raw.put(leafKey, new Uint8Array(7));
    });
    await expect(store.readTiles([{ level: 0, index: 1 }])).rejects.toMatchObject(corrupt);
    expect(() => store.lookup('leaf', digestOf('leaf 5'))).toThrow(
      expect.objectContaining(corrupt),
    );
  });

  test('any flipped bit of the state or of a note keeps the store shut', async () => {
    for (const name of ['state', 'signed']) {
      for (const position of [0, 1, 8, 16, 30, 48, 60, 80]) {
        const directory = await editedStore(async (raw) => {
          const record = await raw.get(at(name));
          record[position]! ^= 1 << (position % 8);
          await raw.put(at(name), record);
        });
        await expect(openLevelStore(directory)).rejects.toMatchObject(corrupt);
      }
    }
  });

  test('a cut or missing state keeps the store shut', async () => {
    for (const edit of [
      (raw: Raw) => raw.del(at('state')),
      (raw: Raw) => raw.put(at('state'), new Uint8Array(0)),
      (raw: Raw) => raw.put(at('state'), new Uint8Array(31)),
      async (raw: Raw) => raw.put(at('state'), await raw.get(at('signed'))),
    ]) {
      await expect(openLevelStore(await editedStore(edit))).rejects.toMatchObject(corrupt);
    }
  });

  test('lost table files keep the store shut', async () => {
    const directory = await temporaryDirectory();
    const store = await openLevelStore(directory, { writeBufferSize: 64 << 10 });
    await store.append(appendAt(0, 2000));
    await store.append(appendAt(2000, 2000));
    await store.close();
    // Closed in the middle of a compaction it may have everything in its log still: opening settles that.
    await (await openLevelStore(directory)).close();
    const tables = (await readdir(directory)).filter((file) => file.endsWith('.ldb'));
    expect(tables.length).toBeGreaterThan(0);
    for (const table of tables) await rm(join(directory, table));
    await expect(openLevelStore(directory)).rejects.toMatchObject(corrupt);
  });
});

describe('directories', () => {
  test('data of a newer format are refused, with both formats named', async () => {
    const directory = await editedStore((raw) =>
      raw.put(at('format'), new TextEncoder().encode('2')),
    );
    await expect(openLevelStore(directory)).rejects.toMatchObject({
      code: 'wrong-directory',
      message: expect.stringMatching(/format "2".*reads format 1/) as string,
    });
  });

  test("another program's database is refused and not written to", async () => {
    const directory = await temporaryDirectory();
    const raw = new Level(directory);
    await raw.put('name', 'value');
    await raw.close();
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'wrong-directory' });
    await raw.open();
    expect(await raw.keys().all()).toEqual(['name']);
    await raw.close();
  });

  test('missing directories are created', async () => {
    const directory = join(await temporaryDirectory(), 'a', 'b', 'c');
    const store = await openLevelStore(directory);
    await store.append(appendAt(0, 1));
    await store.close();
  });

  test('a path that cannot be a directory says why', async () => {
    const directory = await temporaryDirectory();
    await writeFile(join(directory, 'file'), '');
    for (const path of [join(directory, 'file'), join(directory, 'file', 'below')]) {
      await expect(openLevelStore(path)).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringContaining(path) as string,
      });
    }
  });

  test('one opener for each real path, whatever it is called', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'data'));
    await symlink('data', join(directory, 'link'));
    const store = await openLevelStore(join(directory, 'data'));
    for (const name of ['data', 'link', 'data/../link/.']) {
      await expect(openLevelStore(`${directory}/${name}`)).rejects.toMatchObject({
        code: 'store-locked',
        message: expect.stringContaining(join(directory, 'data')) as string,
      });
    }
    await store.append(appendAt(0, 1));
    await store.close();
    await store.close();

    const again = await openLevelStore(join(directory, 'link'));
    await store.close();
    await expect(openLevelStore(join(directory, 'data'))).rejects.toMatchObject({
      code: 'store-locked',
    });
    expect(again.state.size).toBe(1);
    await again.close();
  });

  test('a directory that could not be opened can be opened later', async () => {
    const directory = await temporaryDirectory();
    await mkdir(join(directory, 'CURRENT'));
    await expect(openLevelStore(directory)).rejects.toMatchObject({ code: 'store-failed' });
    await rm(join(directory, 'CURRENT'), { recursive: true });
    const store = await openLevelStore(directory);
    await store.close();
  });
});
