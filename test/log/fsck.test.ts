/** Damage of each kind, written into the database as a faulty disk would, is named where it is. */
import { readFile, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { dataFiles } from '../../src/log/data-directory.ts';
import { fsck } from '../../src/log/fsck.ts';
import { Log } from '../../src/log/log.ts';
import { entryKey, digestKey, tileKey } from '../../src/store/layout.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { change, flip, present } from './damage.ts';
import { admission, closedLog, entries, newSigner, release, scratchDirectory } from './scratch.ts';

async function found(directory: string): Promise<string[]> {
  return (await fsck(directory)).disagreements.map(({ where }) => where);
}

describe('fsck names', () => {
  test('one bit in an entry: the entry and the bytes of the tile that disagree', async () => {
    const directory = await closedLog(600);
    // The run of entries 256 to 511: 2 bytes of length, then entry 256.
    await change(directory, (db) => flip(db, entryKey(256), 2));
    const { disagreements } = await fsck(directory);
    expect(disagreements[0]).toMatchObject({ where: 'entry 256' });
    expect(disagreements[0]?.what).toContain('bytes 0 to 31 of tile/0/001');
  });

  test('one bit in a tile', async () => {
    const directory = await closedLog(600);
    await change(directory, (db) => flip(db, tileKey(0, 1), 32 * 5));
    const { disagreements } = await fsck(directory);
    expect(disagreements[0]).toMatchObject({ where: 'entry 261' });
    expect(disagreements[0]?.what).toContain('bytes 160 to 191 of tile/0/001');
    expect(disagreements.map(({ where }) => where)).toContain('record state');
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('a tile and a run of entries that are missing', async () => {
    const directory = await closedLog(600);
    await change(directory, async (db) => {
      await db.del(tileKey(0, 0));
      await db.del(entryKey(256));
    });
    const where = await found(directory);
    expect(where).toContain('tile/0/000');
    expect(where).toContain('entry 256');
    expect(where).toContain('entry 511');
    expect(where).not.toContain('entry 512');
  });

  test('an index key that is missing, and one that lies', async () => {
    const directory = await closedLog(600);
    const [first, second] = entries(2).map((entry) => rfc6962.leaf(entry));
    await change(directory, async (db) => {
      await db.del(digestKey('leaf', first as Uint8Array));
      await flip(db, digestKey('leaf', second as Uint8Array), 7);
    });
    const { disagreements } = await fsck(directory);
    expect(disagreements.map(({ where }) => where)).toEqual([
      `index key leaf ${Buffer.from(first as Uint8Array).toString('hex')}`,
      `index key leaf ${Buffer.from(second as Uint8Array).toString('hex')}`,
      'index keys leaf',
    ]);
  });

  test('an index key that nothing explains', async () => {
    const directory = await closedLog(600);
    const stray = Buffer.alloc(32, 7);
    await change(directory, (db) => db.put(digestKey('leaf', stray), Buffer.alloc(8)));
    expect(await found(directory)).toEqual([
      'index keys leaf',
      `index key leaf ${stray.toString('hex')}`,
    ]);
  });

  test('a head file of another state', async () => {
    const directory = await closedLog(600);
    const { head } = dataFiles(directory);
    const bytes = await readFile(head);
    await writeFile(head, bytes.subarray(0, bytes.length - 1));
    expect(await found(directory)).toEqual(['file head']);
  });

  test('an entry that those before it do not admit', async () => {
    const directory = await scratchDirectory();
    const log = await Log.open({ directory, intervalMs: 50 });
    const issuer = await newSigner();
    const admitted = await log.submit(await admission(log, directory, issuer));
    const first = await log.submit(await release(issuer, '1'));
    await log.submit(await release(issuer, '2'));
    await log.close();
    expect(await found(directory)).toEqual([]);
    await change(directory, async (db) => {
      const change = await present(db, entryKey(admitted.index));
      await db.put(entryKey(admitted.index), await present(db, entryKey(first.index)));
      await db.put(entryKey(first.index), change);
    });
    const { disagreements } = await fsck(directory);
    expect(disagreements).toContainEqual(
      expect.objectContaining({
        where: 'entry 1',
        what: expect.stringContaining('is not valid') as string,
      }),
    );
  });
});
