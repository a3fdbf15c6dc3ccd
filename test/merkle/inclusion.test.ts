import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Hash } from '../../src/merkle/hash.ts';
import { proveInclusion, rootFromInclusion, verifyInclusion } from '../../src/merkle/inclusion.ts';
import type { NodeId } from '../../src/merkle/node.ts';
import { distinctLeaves, flipBit } from './reference-tree.ts';

const tree = distinctLeaves(600);
const indexBelow = (size: number): fc.Arbitrary<number> => fc.nat({ max: size - 1 });
const leafOfTree = fc
  .integer({ min: 1, max: 600 })
  .chain((size) => fc.record({ size: fc.constant(size), index: indexBelow(size) }));

describe('an inclusion proof', () => {
  test('is PATH of RFC 6962 and verifies, for every size up to 600', async () => {
    for (let size = 1; size <= 600; size++) {
      const sampled = fc.sample(indexBelow(size), 6);
      for (const index of size <= 66 ? Array(size).keys() : [0, size - 1, ...sampled]) {
        const { proof } = await proveInclusion(index, size, tree.readHashes);
        expect(proof).toEqual(tree.path(index, 0, size));
        const claim = { index, size, leafHash: tree.leaf(index), proof };
        expect(rootFromInclusion(claim)).toEqual(tree.mth(0, size));
        verifyInclusion({ ...claim, root: tree.mth(0, size) });
      }
    }
  });

  test('is read in one call, each node once: the nodes of the root, the leaf, then the siblings', async () => {
    const calls: (readonly NodeId[])[] = [];
    await proveInclusion(69, 90, (nodes) => {
      calls.push(nodes);
      return tree.readHashes(nodes);
    });
    expect(calls.map((nodes) => nodes.map(({ level, index }) => `${level}/${index}`))).toEqual([
      // 90 = 64 + 16 + 8 + 2; leaf 69 lies in the 16, whose siblings on both sides are in the root already.
      ['6/0', '4/4', '3/10', '1/44', '0/69', '0/68', '1/35', '2/16', '3/9'],
    ]);
  });

  test.each([
    ['the leaf', { level: 0, index: 69 }],
    ['a sibling', { level: 2, index: 16 }],
    ['the subtree over both', { level: 4, index: 4 }],
  ])('is not given out when %s was read wrong', async (_, damaged) => {
    const read = proveInclusion(69, 90, async (nodes) =>
      nodes.map((node) => {
        const isDamaged = node.level === damaged.level && node.index === damaged.index;
        return isDamaged ? flipBit(tree.node(node), 0) : tree.node(node);
      }),
    );
    await expect(read).rejects.toMatchObject({ code: 'inclusion-invalid' });
  });

  test('is not given out when a hash is missing', async () => {
    const read = proveInclusion(3, 5, async (nodes) => (await tree.readHashes(nodes)).slice(1));
    await expect(read).rejects.toThrow('read 4 hashes, want 5');
  });
});

describe('verifyInclusion', () => {
  test('refuses any flipped bit, any other length and any other index', () => {
    fc.assert(
      fc.property(
        leafOfTree,
        fc.nat({ max: 255 }),
        fc.nat(),
        fc.nat(),
        ({ index, size }, bit, pick, other) => {
          const leafHash = tree.leaf(index);
          const proof = tree.path(index, 0, size);
          const claim = { index, size, leafHash, proof, root: tree.mth(0, size) };
          const refuse = (change: Partial<typeof claim>): void =>
            expect(() => verifyInclusion({ ...claim, ...change })).toThrow(
              expect.objectContaining({ code: 'inclusion-invalid' }),
            );
          refuse({ root: flipBit(claim.root, bit) });
          refuse({ leafHash: flipBit(leafHash, bit) });
          refuse({ proof: [...proof, leafHash] });
          if (proof.length > 0) {
            const changed = pick % proof.length;
            refuse({ proof: proof.map((hash, i) => (i === changed ? flipBit(hash, bit) : hash)) });
            refuse({ proof: proof.slice(1) });
            refuse({ proof: proof.slice(0, -1) });
          }
          if (other % size !== index) refuse({ index: other % size });
          refuse({ index: size });
        },
      ),
    );
  });

  test('says what is wrong', () => {
    const claim = { leafHash: tree.leaf(0), proof: [], root: tree.leaf(0) };
    expect(() => verifyInclusion({ index: 12, size: 90, ...claim })).toThrow(
      'proof has 0 hashes, want 7 (index 12, size 90)',
    );
    expect(() => verifyInclusion({ index: 5, size: 5, ...claim })).toThrow(
      'index 5 is not below size 5',
    );
    expect(() => verifyInclusion({ index: 0, size: 1, ...claim, root: tree.leaf(1) })).toThrow(
      /^proof leads to root [0-9a-f]{64}, want [0-9a-f]{64} \(index 0, size 1\)$/,
    );
  });

  test.each([-1, 0.5, NaN, Infinity, 2 ** 53])('refuses the integer %s', async (wrong) => {
    const rest = { leafHash: tree.leaf(0), proof: [], root: tree.leaf(0) };
    const refusal = { code: 'bad-integer' };
    expect(() => verifyInclusion({ index: wrong, size: 9, ...rest })).toThrow(
      expect.objectContaining(refusal),
    );
    expect(() => verifyInclusion({ index: 0, size: wrong, ...rest })).toThrow(
      expect.objectContaining(refusal),
    );
    await expect(proveInclusion(wrong, 9, tree.readHashes)).rejects.toMatchObject(refusal);
    await expect(proveInclusion(0, wrong, tree.readHashes)).rejects.toMatchObject(refusal);
  });

  test('refuses a leaf hash of another length, even where no hash is computed from it', () => {
    const empty = new Uint8Array(0) as Hash;
    expect(() =>
      verifyInclusion({ index: 0, size: 1, leafHash: empty, proof: [], root: empty }),
    ).toThrow('hash has 0 bytes, want 32');
  });
});
