import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { proveConsistency, verifyConsistency } from '../../src/merkle/consistency.ts';
import type { NodeId } from '../../src/merkle/node.ts';
import { distinctLeaves, flipBit } from './reference-tree.ts';

const tree = distinctLeaves(600);
const sizeUpTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
const twoSizes = sizeUpTo(600).chain((to) =>
  fc.record({ from: sizeUpTo(to), to: fc.constant(to) }),
);

function claimOf(from: number, to: number): Parameters<typeof verifyConsistency>[0] {
  return {
    from,
    to,
    fromRoot: tree.mth(0, from),
    toRoot: tree.mth(0, to),
    proof: tree.proof(from, to),
  };
}

describe('a consistency proof', () => {
  test('is PROOF of RFC 6962 and verifies, for every size up to 600', async () => {
    for (let to = 1; to <= 600; to++) {
      const sampled = fc.sample(sizeUpTo(to), 6);
      const all = Array.from({ length: to }, (_, i) => i + 1);
      for (const from of to <= 66 ? all : [1, to, ...sampled]) {
        expect(await proveConsistency(from, to, tree.readHashes)).toEqual(tree.proof(from, to));
        verifyConsistency(claimOf(from, to));
      }
    }
  });

  test('is read in one call, each node once: the nodes of both roots, then the rest of the proof', async () => {
    const calls: (readonly NodeId[])[] = [];
    await proveConsistency(70, 90, (nodes) => {
      calls.push(nodes);
      return tree.readHashes(nodes);
    });
    expect(calls.map((nodes) => nodes.map(({ level, index }) => `${level}/${index}`))).toEqual([
      // 70 = 64 + 4 + 2 and 90 = 64 + 16 + 8 + 2; the proof is 1/34, 1/35, 2/16, 3/9, [80, 90) and 6/0.
      ['6/0', '2/16', '1/34', '4/4', '3/10', '1/44', '1/35', '3/9'],
    ]);
  });

  test.each([
    ['the last subtree of the old tree', { level: 1, index: 34 }],
    ['a sibling', { level: 3, index: 9 }],
    ['the subtree over both', { level: 4, index: 4 }],
  ])('is not given out when %s was read wrong', async (_, damaged) => {
    const read = proveConsistency(70, 90, async (nodes) =>
      nodes.map((node) => {
        const isDamaged = node.level === damaged.level && node.index === damaged.index;
        return isDamaged ? flipBit(tree.node(node), 0) : tree.node(node);
      }),
    );
    await expect(read).rejects.toMatchObject({ code: 'consistency-invalid' });
  });

  test.each([
    [0, 5, 'old size is 0: that proves nothing about 5 leaves'],
    [0, 0, 'old size is 0: that proves nothing about 0 leaves'],
    [6, 5, 'old size 6 is above new size 5'],
  ])('from %i to %i is not made', async (from, to, message) => {
    await expect(proveConsistency(from, to, tree.readHashes)).rejects.toThrow(message);
  });
});

describe('verifyConsistency', () => {
  test('refuses any flipped bit, any other length and swapped roots', () => {
    fc.assert(
      fc.property(twoSizes, fc.nat({ max: 255 }), fc.nat(), ({ from, to }, bit, pick) => {
        const claim = claimOf(from, to);
        const { fromRoot, toRoot, proof } = claim;
        const refuse = (change: Partial<typeof claim>): void =>
          expect(() => verifyConsistency({ ...claim, ...change })).toThrow(
            expect.objectContaining({ code: 'consistency-invalid' }),
          );
        refuse({ fromRoot: flipBit(fromRoot, bit) });
        refuse({ toRoot: flipBit(toRoot, bit) });
        refuse({ proof: [...proof, toRoot] });
        refuse({ from: 0 });
        refuse({ from: to + 1 });
        if (from === to) return;
        const changed = pick % proof.length;
        refuse({ fromRoot: toRoot, toRoot: fromRoot });
        refuse({ proof: proof.map((hash, i) => (i === changed ? flipBit(hash, bit) : hash)) });
        refuse({ proof: proof.slice(1) });
        refuse({ proof: proof.slice(0, -1) });
        refuse({ proof: [] });
      }),
    );
  });

  test('refuses a tree that was rewritten, in either root alone', () => {
    const claim = claimOf(70, 90);
    const other = claimOf(71, 91);
    expect(() => verifyConsistency({ ...claim, fromRoot: other.fromRoot })).toThrow(
      /^proof leads to old root \(size 70\) [0-9a-f]{64}, want [0-9a-f]{64}$/,
    );
    expect(() => verifyConsistency({ ...claim, toRoot: other.toRoot })).toThrow(
      /^proof leads to new root \(size 90\) [0-9a-f]{64}, want [0-9a-f]{64}$/,
    );
  });

  test('says how many hashes it wants', () => {
    expect(() => verifyConsistency({ ...claimOf(70, 90), proof: [] })).toThrow(
      'proof has 0 hashes, want 6 (from 70, to 90)',
    );
    expect(() => verifyConsistency({ ...claimOf(64, 90), proof: [] })).toThrow(
      'proof has 0 hashes, want 1 (from 64, to 90)',
    );
  });

  test.each([-1, 0.5, NaN, Infinity, 2 ** 53])('refuses the integer %s', (wrong) => {
    for (const change of [{ from: wrong }, { to: wrong }]) {
      expect(() => verifyConsistency({ ...claimOf(70, 90), ...change })).toThrow(
        expect.objectContaining({ code: 'bad-integer' }),
      );
    }
  });
});
