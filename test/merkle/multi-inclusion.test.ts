import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rfc6962 } from '../../src/merkle/hash.ts';
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
