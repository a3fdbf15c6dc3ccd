import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rfc6962, type Hash } from '../../src/merkle/hash.ts';
import { proveInclusion } from '../../src/merkle/inclusion.ts';
import {
  pathFromLeft,
  proveMultiInclusion,
  rootFromMultiInclusion,
  verifyMultiInclusion,
} from '../../src/merkle/multi-inclusion.ts';
import type { ReadHashes } from '../../src/merkle/node.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';

const leaves = Array.from({ length: 600 }, (_, i) => rfc6962.leaf(Uint8Array.of(i >> 8, i & 255)));
const read: ReadHashes = (nodes) =>
  Promise.resolve(
    nodes.map(({ level, index }) =>
      rootOfLeaves(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
    ),
  );
const chosen = fc
  .integer({ min: 1, max: 600 })
  .chain((size) =>
    fc.tuple(
      fc.constant(size),
      fc.uniqueArray(fc.nat(size - 1), { minLength: 1, maxLength: Math.min(size, 20) }),
    ),
  )
  .map(([size, indexes]) => ({ size, indexes: indexes.sort((a, b) => a - b) }));

test('leads to the root of the tree, with no more hashes than single proofs and none twice', async () => {
  await fc.assert(
    fc.asyncProperty(chosen, async ({ size, indexes }) => {
      const { proof, root, leaves: proven } = await proveMultiInclusion(indexes, size, read);
      expect(root).toEqual(rootOfLeaves(leaves.slice(0, size)));
      expect(rootFromMultiInclusion({ leaves: proven, size, proof })).toEqual(root);
      const single = await Promise.all(indexes.map((index) => proveInclusion(index, size, read)));
      const all = new Set(single.flatMap((each) => each.proof.map((hash) => hash.join())));
      expect(proof.every((hash) => all.has(hash.join()))).toBe(true);
      expect(new Set(proof.map((hash) => hash.join())).size).toBe(proof.length);
    }),
    { numRuns: 150 },
  );
});

test('is the inclusion proof from left to right for one leaf', async () => {
  await fc.assert(
    fc.asyncProperty(chosen, async ({ size, indexes: [index = 0] }) => {
      const single = await proveInclusion(index, size, read);
      const multi = await proveMultiInclusion([index], size, read);
      expect(pathFromLeft(index, size, single.proof)).toEqual(multi.proof);
    }),
    { numRuns: 100 },
  );
});

test('refuses every change of a leaf, an index, the size, a hash, and the number of hashes', async () => {
  await fc.assert(
    fc.asyncProperty(chosen, fc.nat(), async ({ size, indexes }, pick) => {
      const whole = await proveMultiInclusion(indexes, size, read);
      const flip = (hash: Uint8Array): Uint8Array =>
        hash.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
      const at = pick % whole.leaves.length;
      const changed = whole.leaves.map((leaf, i) =>
        i === at ? { ...leaf, hash: flip(leaf.hash) } : leaf,
      );
      const refuse = (claim: Partial<typeof whole>): void =>
        expect(() => verifyMultiInclusion({ ...whole, ...claim })).toThrow(
          expect.objectContaining({ code: 'inclusion-invalid' }),
        );
      refuse({ leaves: changed });
      refuse({ leaves: [] });
      refuse({ leaves: [...whole.leaves, whole.leaves[at]!] });
      refuse({ proof: [...whole.proof, whole.root] });
      refuse({ root: flip(whole.root) as typeof whole.root });
      if (whole.proof.length > 0) {
        const h = pick % whole.proof.length;
        refuse({ proof: whole.proof.filter((_, i) => i !== h) });
        refuse({
          proof: whole.proof.map((hash, i) => (i === h ? (flip(hash) as typeof hash) : hash)),
        });
      }
      refuse({ size: Math.min(...indexes) });
    }),
    { numRuns: 100 },
  );
});

test('each leaf of every tree up to 600 leaves is proven by the hashes of its inclusion proof', async () => {
  const nodes = new Map<string, Hash>();
  const node = (level: number, index: number): Hash => {
    const key = `${level}/${index}`;
    const hash =
      nodes.get(key) ??
      (level === 0
        ? leaves[index]!
        : rfc6962.node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1)));
    nodes.set(key, hash);
    return hash;
  };
  const quick: ReadHashes = async (wanted) => wanted.map(({ level, index }) => node(level, index));
  for (let size = 1; size <= 600; size++) {
    const root = rootOfLeaves(leaves.slice(0, size));
    // All places in small trees, and in each larger one those where its shape shows.
    const last = size - 1;
    const places = size <= 40 ? [...leaves.keys()].slice(0, size) : [0, last >> 1, last - 1, last];
    for (const index of places) {
      const { proof } = await proveMultiInclusion([index], size, quick);
      const leaf = { index, hash: leaves[index] as Hash };
      expect(rootFromMultiInclusion({ leaves: [leaf], size, proof })).toEqual(root);
    }
    const all = await proveMultiInclusion([...leaves.keys()].slice(0, size), size, quick);
    expect(all.proof).toEqual([]);
    expect(all.root).toEqual(root);
  }
});

test('agrees with single proofs in trees of any size', async () => {
  // All leaves are alike, so that every node of a level is.
  const alike = [rfc6962.leaf(new Uint8Array())];
  const alikeAt = (level: number): Hash =>
    (alike[level] ??= rfc6962.node(alikeAt(level - 1), alikeAt(level - 1)));
  const uniform: ReadHashes = async (nodes) => nodes.map(({ level }) => alikeAt(level));
  const large = fc
    .oneof(fc.integer({ min: 1, max: 2 ** 40 }), fc.constant(Number.MAX_SAFE_INTEGER))
    .chain((size) =>
      fc.tuple(
        fc.constant(size),
        fc.uniqueArray(
          fc.maxSafeNat().map((n) => n % size),
          { minLength: 1, maxLength: 30 },
        ),
      ),
    );
  await fc.assert(
    fc.asyncProperty(large, async ([size, unsorted]) => {
      const indexes = unsorted.sort((a, b) => a - b);
      const { root, proof } = await proveMultiInclusion(indexes, size, uniform);
      const index = indexes[0] as number;
      const single = await proveInclusion(index, size, uniform);
      expect(root).toEqual(single.root);
      expect(proof.length).toBeLessThanOrEqual(53 * indexes.length);
      const multi = await proveMultiInclusion([index], size, uniform);
      expect(multi.proof).toEqual(pathFromLeft(index, size, single.proof));
    }),
    { numRuns: 200 },
  );
});

test.each<[string, readonly number[], number]>([
  ['no index', [], 5],
  ['an index twice', [1, 1], 5],
  ['falling indexes', [2, 1], 5],
  ['an index beyond the tree', [1, 5], 5],
  ['an empty tree', [0], 0],
])('refuses %s', async (_, indexes, size) => {
  await expect(proveMultiInclusion(indexes, size, read)).rejects.toMatchObject({
    code: 'inclusion-invalid',
  });
});

test.each([
  [[-1], 5],
  [[0.5], 5],
  [[Number.NaN], 5],
  [[2 ** 53], 5],
  [[0], 2 ** 53],
])('refuses the integers %j and %s', async (indexes, size) => {
  const made = proveMultiInclusion(indexes, size, read);
  await expect(made).rejects.toMatchObject({ code: 'bad-integer' });
});
