/** What every store engine must do; each engine's test calls `conformance`. */
import { describe, expect, onTestFinished, test } from 'vitest';
import { leafIndex, treeSize } from '../../src/encoding/integer.ts';
import { decodeBundle, encodeBundle } from '../../src/merkle/bundle.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import type { Append, IndexKey, Store } from '../../src/store/store.ts';
import { appendAt, digestOf, entriesAt, rootAt, sampleNote, tileAt } from './samples.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** `open` opens the store of `directory`, or creates it; the suite closes it. */
export function conformance(name: string, open: (directory: string) => Promise<Store>): void {
  async function openHere(directory: string): Promise<Store> {
    const store = await open(directory);
    onTestFinished(() => store.close());
    return store;
  }

  async function openNew(...sizes: number[]): Promise<Store> {
    const store = await openHere(await temporaryDirectory());
    for (const count of sizes) await store.append(appendAt(store.state.size, count));
    return store;
  }

  describe(`${name} conforms: state`, () => {
    test('a new store is the empty tree', async () => {
      const store = await openNew();
      expect(store.state).toEqual({
        size: 0,
        root: rfc6962.emptyRoot,
        verifiedSize: 0,
        signed: undefined,
        published: undefined,
      });
      expect(await store.readEntries(leafIndex(0), 0)).toEqual([]);
    });

    test('an append moves size and root, and nothing else', async () => {
      const store = await openNew(3, 5);
      expect(store.state).toMatchObject({ size: 8, root: rootAt(8), verifiedSize: 0 });
      expect(store.state.signed).toBeUndefined();
    });

    test('records are kept beside each other and through appends', async () => {
      const store = await openNew(10);
      const [signed, published] = [sampleNote(3000), sampleNote(9000)];
      await Promise.all([
        store.recordSigned(signed),
        store.append(appendAt(10, 1)),
        store.recordPublished(published),
        store.recordVerified(treeSize(7)),
        store.append(appendAt(11, 1)),
      ]);
      expect(store.state).toEqual({
        size: 12,
        root: rootAt(12),
        verifiedSize: 7,
        signed,
        published,
      });
    });

    test('a state that was read does not change', async () => {
      const store = await openNew(1);
      const before = store.state;
      await store.append(appendAt(1, 1));
      expect(before.size).toBe(1);
    });

    test('arrays that a caller changes later do not reach the state', async () => {
      const store = await openNew();
      const append = { ...appendAt(0, 1), root: Buffer.from(rootAt(1)) };
      const note = sampleNote(100);
      const kept = note.slice();
      const writes = Promise.all([store.append(append), store.recordSigned(note)]);
      note.fill(0);
      await writes;
      append.root.fill(0);
      expect(store.state).toMatchObject({ root: rootAt(1), signed: kept });
    });

    test('verified size cannot pass the size', async () => {
      const store = await openNew(2);
      await expect(store.recordVerified(treeSize(3))).rejects.toMatchObject({ code: 'internal' });
      await store.recordVerified(treeSize(2));
      expect(store.state.verifiedSize).toBe(2);
    });

    test('everything is there after closing and opening again', async () => {
      const directory = await temporaryDirectory();
      const store = await open(directory);
      for (const count of [200, 100, 300]) await store.append(appendAt(store.state.size, count));
      await store.recordSigned(sampleNote(3000));
      await store.recordPublished(sampleNote(7000));
      await store.recordVerified(treeSize(123));
      const { state } = store;
      await store.close();

      const again = await openHere(directory);
      expect(again.state).toEqual(state);
      expect(await again.readEntries(leafIndex(0), 600)).toEqual(entriesAt(0, 600));
      expect(await again.readTiles([{ level: 0, index: 1 }])).toEqual([tileAt(0, 1).hashes]);
      expect(again.lookup('leaf', digestOf('leaf 599'))).toBe(599);
      expect(again.lookup('channel', digestOf('channel 1'))).toBe(1);
      await again.append(appendAt(600, 1));
      expect(again.state.size).toBe(601);
    });

    test('a closed store refuses to be written and read', async () => {
      const store = await openNew(1);
      const pending = store.append(appendAt(1, 1));
      await Promise.all([store.close(), store.close()]);
      await pending;
      expect(store.state.size).toBe(2);
      const refusal = { code: 'store-failed' };
      await expect(store.append(appendAt(2, 1))).rejects.toMatchObject(refusal);
      await expect(store.recordSigned(sampleNote(10))).rejects.toMatchObject(refusal);
      await expect(store.readEntries(leafIndex(0), 1)).rejects.toMatchObject(refusal);
      expect(() => store.lookup('leaf', digestOf('leaf 0'))).toThrow(
        expect.objectContaining(refusal),
      );
    });
  });

  describe(`${name} conforms: compare-and-swap`, () => {
    test.each([0, 4, 6])(
      'an append that expects size %i is refused at size 5',
      async (expected) => {
        const store = await openNew(5);
        await expect(store.append(appendAt(expected, 9))).rejects.toMatchObject({
          code: 'store-conflict',
        });
        expect(store.state).toMatchObject({ size: 5, root: rootAt(5) });
        expect(store.lookup('leaf', digestOf(`leaf ${expected + 8}`))).toBeUndefined();
        await store.append(appendAt(5, 1));
        expect(await store.readEntries(leafIndex(0), 6)).toEqual(entriesAt(0, 6));
      },
    );

    test('of two appends at once with the same expected size one wins', async () => {
      const store = await openNew(5);
      const outcomes = await Promise.allSettled([
        store.append(appendAt(5, 2)),
        store.append(appendAt(5, 3)),
      ]);
      expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await store.readEntries(leafIndex(0), store.state.size)).toEqual(
        entriesAt(0, store.state.size),
      );
    });

    test('an append that cannot be stored changes nothing and harms nothing', async () => {
      const store = await openNew(5);
      const good = appendAt(5, 2);
      const index = leafIndex(5);
      const bad: Append[] = [
        { ...good, entries: [new Uint8Array(3), new Uint8Array(65_536)] },
        { ...good, root: new Uint8Array(31) },
        { ...good, tiles: [{ level: 0, index: 0, hashes: new Uint8Array(32) }] },
        { ...good, keys: [{ kind: 'leaf', digest: new Uint8Array(31), index }] },
        { ...good, keys: [{ kind: 'artifact', digest: new Uint8Array(33), index }] },
      ];
      for (const append of bad) await expect(store.append(append)).rejects.toThrow(/want|at most/);
      expect(store.state.size).toBe(5);
      await store.append(good);
      expect(await store.readEntries(leafIndex(0), 7)).toEqual(entriesAt(0, 7));
    });
  });

  describe(`${name} conforms: entries`, () => {
    // Runs that end before, at and behind the edge of a bundle, and appends of several bundles.
    const sizes = [1, 254, 1, 1, 255, 257, 3, 1000, 20, 0, 4];
    const total = sizes.reduce((sum, count) => sum + count);

    test('any range reads back', async () => {
      const store = await openNew(...sizes);
      const edges = [0, 1, 2, 254, 255, 256, 257, 511, 512, 513, 768, 769, 772, 1500, total];
      for (const from of edges) {
        for (const to of edges.filter((edge) => edge >= from)) {
          const entries = await store.readEntries(leafIndex(from), to - from);
          expect(entries, `${from} to ${to}`).toEqual(entriesAt(from, to - from));
        }
      }
    });

    test('bundles of every kind of width', async () => {
      const store = await openNew(...sizes);
      for (const [index, width] of [
        [0, 1],
        [0, 255],
        [0, 256],
        [1, 17],
        [5, 256],
        [7, 4],
      ] as const) {
        const bundle = await store.readBundle(index, width);
        expect(bundle).toEqual(encodeBundle(entriesAt(index * 256, width)));
      }
    });

    test('entries of 0, 1 and 65,535 bytes', async () => {
      const store = await openNew();
      const entries = [0, 1, 65_535, 0, 65_535].map((length) => new Uint8Array(length).fill(7));
      await store.append({ ...appendAt(0, 5), entries });
      expect(await store.readEntries(leafIndex(0), 5)).toEqual(entries);
      expect(decodeBundle(await store.readBundle(0, 5), 5)).toEqual(entries);
    });

    test('a bundle of 256 of the longest entries', async () => {
      const store = await openNew();
      const entries = Array.from({ length: 256 }, (_, i) => new Uint8Array(65_535).fill(i));
      await store.append({ ...appendAt(0, 100), entries: entries.slice(0, 100) });
      await store.append({ ...appendAt(100, 156), entries: entries.slice(100) });
      expect(Buffer.compare(await store.readBundle(0, 256), encodeBundle(entries))).toBe(0);
    });

    test('what lies beyond the size is not found', async () => {
      const store = await openNew(300);
      const refusal = { code: 'not-found' };
      await expect(store.readEntries(leafIndex(300), 1)).rejects.toMatchObject(refusal);
      await expect(store.readEntries(leafIndex(299), 2)).rejects.toMatchObject(refusal);
      await expect(store.readBundle(1, 45)).rejects.toMatchObject(refusal);
    });

    test('what is read is plain bytes of its own', async () => {
      const store = await openNew(256);
      for (const read of [
        () => store.readBundle(0, 256),
        async () => (await store.readEntries(leafIndex(3), 1))[0]!,
        async () => (await store.readTiles([tileAt(0, 0)]))[0]!,
      ]) {
        const bytes = await read();
        const copy = bytes.slice();
        expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
        bytes.fill(0xff);
        expect(await read()).toEqual(copy);
      }
    });
  });

  describe(`${name} conforms: tiles and keys`, () => {
    test('tiles come in the order asked, and as often', async () => {
      const store = await openNew();
      const tiles = [tileAt(0, 0), tileAt(0, 1), tileAt(1, 0), tileAt(6, 2 ** 33 + 5)];
      await store.append({ ...appendAt(0, 1), tiles });
      const asked = [tiles[3]!, tiles[0]!, tiles[2]!, tiles[0]!, tiles[1]!];
      expect(await store.readTiles(asked)).toEqual(asked.map(({ hashes }) => hashes));
      expect(await store.readTiles([])).toEqual([]);
    });

    test('a missing tile is damage', async () => {
      const store = await openNew(256);
      await expect(store.readTiles([tileAt(0, 0), tileAt(0, 1)])).rejects.toMatchObject({
        code: 'store-corrupt',
      });
    });

    test('a digest gives its index, of its own kind only', async () => {
      const store = await openNew(2, 3);
      expect(store.lookup('dedupe', digestOf('dedupe 0'))).toBe(0);
      expect(store.lookup('dedupe', digestOf('dedupe 4'))).toBe(4);
      expect(store.lookup('leaf', digestOf('leaf 3'))).toBe(3);
      expect(store.lookup('channel', digestOf('channel 2'))).toBe(2);
      expect(store.lookup('channel', digestOf('leaf 2'))).toBeUndefined();
      expect(store.lookup('dedupe', digestOf('channel 2'))).toBeUndefined();
      expect(store.lookup('leaf', digestOf('dedupe 3'))).toBeUndefined();
      expect(store.lookup('dedupe', digestOf('dedupe 5'))).toBeUndefined();
    });

    test('indexes beyond 32 bits', async () => {
      const store = await openNew();
      const index = leafIndex(Number.MAX_SAFE_INTEGER);
      const digest = digestOf('far');
      const keys = [
        { kind: 'leaf', digest, index },
        { kind: 'artifact', digest, index: leafIndex(2 ** 32) },
      ] as const;
      await store.append({ ...appendAt(0, 1), keys });
      expect(store.lookup('leaf', digest)).toBe(index);
      expect(await store.list('artifact', digest, leafIndex(2 ** 32), 9)).toEqual([2 ** 32]);
    });

    test('all index keys can be walked, and the walk can end early', async () => {
      const store = await openNew(2, 300);
      const named = ({ kind, digest, index }: IndexKey): string =>
        `${kind} ${Buffer.from(digest).toString('hex')} ${index}`;
      const found: string[] = [];
      for await (const key of store.indexKeys()) {
        expect(Object.getPrototypeOf(key.digest)).toBe(Uint8Array.prototype);
        found.push(named(key));
      }
      expect(found.sort()).toEqual(appendAt(0, 302).keys.map(named).sort());

      for await (const key of store.indexKeys()) {
        expect(key.digest).toHaveLength(32);
        break;
      }
      await store.append(appendAt(302, 1));
    });

    test('an artifact lists its entries, ascending, in pages', async () => {
      const store = await openNew(4, 1, 300);
      const digest = digestOf('artifact 1');
      const all = Array.from({ length: 102 }, (_, i) => 1 + 3 * i).filter((i) => i < 305);
      expect(await store.list('artifact', digest, leafIndex(0), 1000)).toEqual(all);
      expect(await store.list('artifact', digest, leafIndex(4), 3)).toEqual([4, 7, 10]);
      expect(await store.list('artifact', digest, leafIndex(5), 2)).toEqual([7, 10]);
      expect(await store.list('artifact', digest, leafIndex(305), 2)).toEqual([]);
      expect(await store.list('artifact', digestOf('none'), leafIndex(0), 10)).toEqual([]);
    });

    test('the newest entries of an artifact, below a size', async () => {
      const store = await openNew(4, 1, 300);
      const newest = (end: number, limit: number, name = 'artifact 1'): Promise<number[]> =>
        store.listNewest('artifact', digestOf(name), treeSize(end), limit);
      expect(await newest(305, 3)).toEqual([298, 301, 304]);
      expect(await newest(304, 3)).toEqual([295, 298, 301]);
      expect(await newest(5, 9)).toEqual([1, 4]);
      expect(await newest(1, 9)).toEqual([]);
      expect(await newest(305, 9, 'none')).toEqual([]);
    });
  });
}
