import fc from 'fast-check';
import { expect, test } from 'vitest';
import { equalBytes } from '../../src/encoding/bytes.ts';
import { treeSize } from '../../src/encoding/integer.ts';
import type { Hash } from '../../src/merkle/hash.ts';
import { verifyContinuation, type TreeHead } from '../../src/note/continuation.ts';
import { distinctLeaves, flipBit, ReferenceTree } from '../merkle/reference-tree.ts';

const MOST = 40;
const tree = distinctLeaves(MOST);
const head = (size: number, of: ReferenceTree = tree): TreeHead => ({
  size: treeSize(size),
  root: of.mth(0, size),
});
const proof = (from: number, to: number, of: ReferenceTree = tree): Hash[] =>
  from === 0 || from === to ? [] : of.proof(from, to);
const continues = (...of: Parameters<typeof verifyContinuation>): boolean => {
  try {
    verifyContinuation(...of);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: 'checkpoint-inconsistent' });
    return false;
  }
};

const sizes = fc
  .tuple(fc.nat(MOST), fc.nat(MOST))
  .map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const);

test('a tree continues each of its beginnings, and nothing where there was nothing', () => {
  fc.assert(
    fc.property(sizes, ([from, to]) => {
      expect(continues(head(from), head(to), proof(from, to))).toBe(true);
      expect(continues(undefined, head(to), [])).toBe(true);
    }),
  );
});

test('a tree does not continue a larger one', () => {
  fc.assert(
    fc.property(sizes, ([small, large]) => {
      fc.pre(small < large);
      expect(continues(head(large), head(small), proof(small, large))).toBe(false);
      expect(continues(head(large), head(small), [])).toBe(false);
    }),
  );
});

test('a fork continues a tree only from before the fork on', () => {
  fc.assert(
    fc.property(sizes, fc.nat(MOST - 1), ([from, to], at) => {
      const fork = new ReferenceTree(Array.from({ length: at }, (_, i) => i));
      const same = equalBytes(fork.mth(0, from), tree.mth(0, from));
      expect(same).toBe(from <= at);
      expect(continues(head(from), head(to, fork), proof(from, to, fork))).toBe(same);
    }),
  );
});

test('no bit of a proof or root may flip, no hash may be missing or too many', () => {
  fc.assert(
    fc.property(sizes, fc.nat(), fc.nat(255), ([from, to], pick, bit) => {
      const good = proof(from, to);
      const last = head(from);
      const next = head(to);
      const flipped = { ...next, root: flipBit(next.root, bit) };
      // Any root may follow nothing, but that of the empty tree is known.
      expect(continues(last, flipped, good)).toBe(from === 0 && to > 0);
      expect(continues(last, next, [...good, next.root])).toBe(false);
      if (good.length === 0) return;
      const at = pick % good.length;
      expect(continues(last, next, good.with(at, flipBit(good[at]!, bit)))).toBe(false);
      expect(continues(last, next, good.toSpliced(at, 1))).toBe(false);
    }),
  );
});
