import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GrowingTree } from '../../src/merkle/growing-tree.ts';
import { type FullTile, type TileId, tileWidth, tilesOf } from '../../src/merkle/tile.ts';
import { TileTree } from '../../src/merkle/tile-tree.ts';
import { ReferenceTree, distinctLeaves, fastHasher } from './reference-tree.ts';

const tree = distinctLeaves(600);

/** Loads the tree of `size` leaves and records what was read. */
async function load(
  reference: ReferenceTree,
  size: number,
): Promise<{ loaded: GrowingTree; calls: (readonly TileId[])[] }> {
  const calls: (readonly TileId[])[] = [];
  const stored = {
    fullTiles: async (tiles: readonly TileId[]) => {
      calls.push(tiles);
      return tiles.map(({ level, index }) => reference.tile(level, index, 256));
    },
    tailLeaves: reference.leaves(size - (size % 256), size),
  };
  const loaded = await GrowingTree.load(size, stored, fastHasher);
  return { loaded, calls };
}

function expectEdge(grown: GrowingTree, reference: ReferenceTree, size: number): void {
  expect(grown.size).toBe(size);
  expect(grown.root()).toEqual(reference.mth(0, size));
  for (let level = 0; level < 7; level++) {
    const index = Math.floor(size / 256 ** (level + 1));
    const width = tileWidth(level, index, size);
    expect(grown.partialTile(level)).toEqual(reference.tile(level, index, width));
  }
}

describe('a growing tree', () => {
  test('has the root and the partial tiles of RFC 6962, leaf by leaf up to 600', () => {
    const grown = GrowingTree.empty();
    for (let size = 0; size < 600; size++) {
      expectEdge(grown, tree, size);
      grown.append([tree.leaf(size)]);
    }
    expectEdge(grown, tree, 600);
  });

  test('grows by whole tiles as by their leaves', () => {
    const size = 256 * 257 + 3;
    const reference = new ReferenceTree([0, size]);
    const [byTiles, byLeaves] = [GrowingTree.empty(fastHasher), GrowingTree.empty(fastHasher)];
    for (let from = 0; from + 256 <= size; from += 256) {
      const tile = new TileTree(reference.tile(0, from / 256, 256), fastHasher);
      const filled = byTiles.appendTile(tile);
      expect(filled).toEqual(byLeaves.append(reference.leaves(from, from + 256)));
    }
    byTiles.append(reference.leaves(size - 3, size));
    expectEdge(byTiles, reference, size);
  });

  test('takes a whole tile only behind whole tiles', () => {
    const grown = GrowingTree.empty();
    const [full, partial] = [tree.tile(0, 0, 256), tree.tile(0, 1, 255)];
    expect(() => grown.appendTile(new TileTree(partial))).toThrow('a tile of 255 hashes');
    grown.append([tree.leaf(0)]);
    expect(() => grown.appendTile(new TileTree(full))).toThrow('cannot follow 1 leaves');
  });

  test('gives out each full tile once, however the leaves are split into batches', () => {
    const size = 66_000;
    const reference = new ReferenceTree([0, 300, 65_535, 65_536]);
    const batches = fc.array(fc.nat({ max: 30_000 }), { maxLength: 8 });
    const leaves = reference.leaves(0, size);
    const full = [...tilesOf(size)].filter(({ width }) => width === 256);
    fc.assert(
      fc.property(batches, (lengths) => {
        const grown = GrowingTree.empty(fastHasher);
        const filled: FullTile[] = [];
        for (const length of [...lengths, size]) {
          const start = grown.size;
          const added = grown.append(leaves.slice(start, start + length));
          for (const { level, index } of added) {
            expect(tileWidth(level, index, start)).toBeLessThan(256);
            expect(tileWidth(level, index, grown.size)).toBe(256);
          }
          filled.push(...added);
        }
        expectEdge(grown, reference, size);
        expect(filled).toHaveLength(full.length);
        for (const { level, index, hashes } of filled) {
          expect(Buffer.from(hashes).equals(reference.tile(level, index, 256))).toBe(true);
        }
      }),
      { numRuns: 5 },
    );
  });

  test('loads at every size up to 600 as it was grown', async () => {
    for (let size = 0; size <= 600; size++) {
      expectEdge((await load(tree, size)).loaded, tree, size);
    }
  });

  test('loads at sizes up to 2^40, in one call and at most 255 tiles a level, and grows on', async () => {
    const sizes = fc.oneof(
      fc.nat({ max: 2 ** 40 }),
      fc.integer({ min: 1, max: 5 }).map((power) => 256 ** power),
      fc.integer({ min: 1, max: 5 }).map((power) => 256 ** power - 1),
    );
    await fc.assert(
      fc.asyncProperty(sizes, fc.maxSafeNat(), async (size, mark) => {
        const reference = new ReferenceTree([mark % (size + 1), size, size - 1]);
        const { loaded, calls } = await load(reference, size);
        expectEdge(loaded, reference, size);
        expect(calls).toHaveLength(1);
        for (let level = 0; level < 6; level++) {
          const asked = calls[0]!.filter((tile) => tile.level === level);
          expect(asked).toHaveLength(Math.floor(size / 256 ** (level + 1)) % 256);
        }
        for (const { level, index, hashes } of loaded.append(reference.leaves(size, size + 300))) {
          expect(hashes).toEqual(reference.tile(level, index, 256));
        }
        expectEdge(loaded, reference, size + 300);
      }),
      { numRuns: 20 },
    );
  });

  test('does not load from tiles or leaves that cannot be', async () => {
    const tailLeaves = tree.leaves(256, 300);
    const load = (tile: Uint8Array | undefined, leaves = tailLeaves): Promise<GrowingTree> =>
      GrowingTree.load(300, { fullTiles: async () => (tile ? [tile] : []), tailLeaves: leaves });
    const full = tree.tile(0, 0, 256);
    await expect(load(full)).resolves.toHaveProperty('size', 300);
    await expect(load(undefined)).rejects.toThrow('tile/0/000 has 0 bytes, want 8192');
    await expect(load(full.subarray(32))).rejects.toThrow('tile/0/000 has 8160 bytes, want 8192');
    await expect(load(full, tailLeaves.slice(1))).rejects.toThrow(
      'tree has 43 leaves behind its last full tile, want 44 (size 300)',
    );
    await expect(load(full, tree.leaves(0, 300))).rejects.toMatchObject({ code: 'bad-encoding' });
  });

  test('keeps its tiles, its partial tiles and its clones apart from what comes later', () => {
    const grown = GrowingTree.empty();
    grown.append(tree.leaves(0, 255));
    const clone = grown.clone();
    const partial = grown.partialTile(0);
    const [tile] = grown.append(tree.leaves(255, 600));
    expect(partial).toEqual(tree.tile(0, 0, 255));
    expect(tile!.hashes).toEqual(tree.tile(0, 0, 256));
    expectEdge(clone, tree, 255);
    clone.append(tree.leaves(0, 1));
    expectEdge(grown, tree, 600);
    expect(clone.root()).not.toEqual(tree.mth(0, 256));
  });

  test('refuses to grow beyond 2^53 - 1 leaves', async () => {
    const size = Number.MAX_SAFE_INTEGER;
    const reference = new ReferenceTree([0, size - 1]);
    const { loaded } = await load(reference, size);
    expectEdge(loaded, reference, size);
    expect(() => loaded.append([reference.leaf(0)])).toThrow('tree size is 9007199254740992');
    expectEdge(loaded, reference, size);
  });
});
