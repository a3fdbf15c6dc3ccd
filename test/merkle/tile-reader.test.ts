import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { proveConsistency } from '../../src/merkle/consistency.ts';
import { proveInclusion } from '../../src/merkle/inclusion.ts';
import { treeRoot } from '../../src/merkle/root.ts';
import { type ReadTiles, tileHashReader } from '../../src/merkle/tile-reader.ts';
import { TileTree } from '../../src/merkle/tile-tree.ts';
import { tilePath } from '../../src/merkle/tile.ts';
import { ReferenceTree, distinctLeaves, fastHasher } from './reference-tree.ts';

/** Records the paths of each call. */
function recorded(tree: ReferenceTree): { calls: string[][]; readTiles: ReadTiles } {
  const calls: string[][] = [];
  const readTiles: ReadTiles = (tiles) => {
    calls.push(tiles.map(tilePath));
    return tree.readTiles(tiles);
  };
  return { calls, readTiles };
}

describe('a reader of tiles', () => {
  test('asks for each tile once, in one call, as wide as it is at that size', async () => {
    const tree = new ReferenceTree([]);
    const { calls, readTiles } = recorded(tree);
    const read = tileHashReader(70_000, readTiles);
    expect(await treeRoot(70_000, read)).toEqual(tree.mth(0, 70_000));
    await proveInclusion(300, 70_000, read);
    await proveConsistency(257, 70_000, read);
    expect(calls).toEqual([
      ['tile/2/000.p/1', 'tile/1/001.p/17', 'tile/0/273.p/112'],
      ['tile/2/000.p/1', 'tile/1/001.p/17', 'tile/0/273.p/112', 'tile/0/001', 'tile/1/000'],
      ['tile/1/000', 'tile/0/001', 'tile/2/000.p/1', 'tile/1/001.p/17', 'tile/0/273.p/112'],
    ]);
  });

  test('gives every node of every size up to 600', async () => {
    const tree = distinctLeaves(600);
    for (let size = 1; size <= 600; size++) {
      const read = tileHashReader(size, tree.readTiles, fastHasher);
      const nodes = [];
      for (let level = 0; 2 ** level <= size; level++) {
        const last = Math.floor(size / 2 ** level) - 1;
        nodes.push({ level, index: 0 }, { level, index: last });
      }
      expect(await read(nodes)).toEqual(nodes.map((node) => tree.node(node)));
    }
  });

  test('takes the trees that a cache kept', async () => {
    const tree = distinctLeaves(600);
    const kept = new TileTree(tree.tile(0, 0, 256));
    const read = tileHashReader(600, async ([tile]) => {
      expect(tile).toEqual({ level: 0, index: 0, width: 256 });
      return [kept];
    });
    const node = { level: 7, index: 1 };
    const [first] = await read([node]);
    const [second] = await read([node]);
    expect(first).toEqual(tree.node(node));
    expect(second!.buffer).toBe(first!.buffer);
    expect(kept.hashes).toEqual(tree.tile(0, 0, 256));
  });

  test.each([
    ['is missing', [], 'tile/0/000.p/5 has 0 bytes, want 160'],
    ['is too short', [new Uint8Array(159)], 'tile/0/000.p/5 has 159 bytes, want 160'],
    ['is too long', [new Uint8Array(192)], 'tile/0/000.p/5 has 192 bytes, want 160'],
    ['is full', [new Uint8Array(8192)], 'tile/0/000.p/5 has 8192 bytes, want 160'],
  ])('refuses a tile that %s', async (_, answer, message) => {
    const read = tileHashReader(5, async () => answer);
    await expect(read([{ level: 0, index: 4 }])).rejects.toThrow(message);
  });

  test('refuses a node that is not complete at its size', async () => {
    const tree = distinctLeaves(600);
    const read = tileHashReader(300, tree.readTiles);
    for (const node of [
      { level: 0, index: 300 },
      { level: 3, index: 37 },
      { level: 8, index: 1 },
      { level: 9, index: 0 },
      { level: 0, index: 512 },
    ]) {
      await expect(read([node])).rejects.toThrow(/want/);
    }
  });
});

describe('trees of up to 2^53 - 1 leaves, on computed tiles', () => {
  const anySize = fc.oneof(
    fc.integer({ min: 1, max: 2 ** 40 }),
    fc.nat({ max: 40 }).map((power) => 2 ** power),
    fc.maxSafeNat().filter((size) => size > 0),
    fc.constant(Number.MAX_SAFE_INTEGER),
  );
  /** Where something can go wrong: marked leaves make all nodes over them differ from the others. */
  const anyTree = anySize.chain((size) =>
    fc.record({
      size: fc.constant(size),
      index: fc.oneof(fc.maxSafeNat(), fc.nat({ max: 600 })).map((n) => n % size),
      others: fc.array(
        fc.maxSafeNat().map((n) => n % size),
        { maxLength: 12 },
      ),
    }),
  );

  test('prove and verify like the recursion of RFC 6962', async () => {
    await fc.assert(
      fc.asyncProperty(anyTree, async ({ size, index, others }) => {
        const neighbours = [index - 1, index, index + 1, size - 1, 0];
        const tree = new ReferenceTree([...neighbours, ...others]);
        const read = tileHashReader(size, tree.readTiles, fastHasher);
        expect(await treeRoot(size, read)).toEqual(tree.mth(0, size));
        expect((await proveInclusion(index, size, read)).proof).toEqual(tree.path(index, 0, size));
        expect(await proveConsistency(index + 1, size, read)).toEqual(tree.proof(index + 1, size));
      }),
      { numRuns: 200 },
    );
  });
});
