/**
 * Inclusion of several leaves at once: the hashes that their paths (RFC 6962 section 2.1.1) share
 * stand in the proof once. For one leaf it has the hashes of the inclusion proof, in another order.
 *
 * The proof of leaves 1 and 2 in a tree of 5, whose hashes are a to e:
 *
 *     [ a, d, e ]        root = node(node(node(a, leaf 1), node(leaf 2, d)), e)
 */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { leafIndex, treeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { asHash, rfc6962, type Hash, type TreeHasher } from './hash.ts';
import { siblingsOfLeaf } from './inclusion.ts';
import { readSubtrees, type ReadHashes } from './node.ts';
import { splitSubtree, wholeTree, type Subtree } from './subtree.ts';

export interface Leaf {
  readonly index: number;
  /** The leaf's hash, 32 bytes. */
  readonly hash: Uint8Array;
}

export interface MultiInclusionProof {
  /** In ascending order of their distinct indexes; at least one. */
  readonly leaves: readonly Leaf[];
  readonly size: number;
  /** The largest subtrees without any of the leaves, from left to right. */
  readonly proof: readonly Hash[];
}

export interface MultiInclusion extends MultiInclusionProof {
  readonly root: Hash;
}

/**
 * The proof that the leaves of these ascending, distinct indexes are in the tree of the first `size`
 * leaves, from one call of `read`; verified as that of `proveInclusion` is. Throws `inclusion-invalid`.
 */
export async function proveMultiInclusion(
  indexes: readonly number[],
  size: number,
  read: ReadHashes,
  hasher: TreeHasher = rfc6962,
): Promise<MultiInclusion> {
  const others = subtreesWithout(indexes, size);
  const leaves = indexes.map((index) => ({ from: index, to: index + 1 }));
  const [root, ...hashes] = await readSubtrees(
    [wholeTree(size), ...leaves, ...others],
    read,
    hasher,
  );
  const proven = {
    leaves: indexes.map((index, i) => ({ index, hash: hashes[i] as Hash })),
    size,
    proof: hashes.slice(indexes.length),
    root: root as Hash,
  };
  verifyMultiInclusion(proven, hasher);
  return proven;
}

/** Throws `inclusion-invalid` unless the proof has the exact length and leads to `root`. */
export function verifyMultiInclusion(claim: MultiInclusion, hasher: TreeHasher = rfc6962): void {
  const computed = rootFromMultiInclusion(claim, hasher);
  if (equalBytes(computed, claim.root)) return;
  const indexes = claim.leaves.map(({ index }) => index).join(', ');
  throw new DaybookError(
    'inclusion-invalid',
    `proof leads to root ${encodeHex(computed)}, want ${encodeHex(claim.root)} (indexes ${indexes}, size ${claim.size})`,
  );
}

/**
 * The root that the proof leads to: worth nothing until it is compared with a root that is trusted.
 * Throws `inclusion-invalid` unless the indexes ascend below size and the proof has the exact length.
 */
export function rootFromMultiInclusion(
  { leaves, size, proof }: MultiInclusionProof,
  hasher: TreeHasher = rfc6962,
): Hash {
  const indexes = leaves.map(({ index }) => index);
  const wanted = subtreesWithout(indexes, size).length;
  if (proof.length !== wanted) {
    throw new DaybookError(
      'inclusion-invalid',
      `proof has ${proof.length} hashes, want ${wanted} (${leaves.length} leaves, size ${size})`,
    );
  }
  let next = 0;
  return fold(indexes, wholeTree(size), {
    leaf: (position) => asHash((leaves[position] as Leaf).hash),
    without: () => proof[next++] as Hash,
    node: (left, right) => hasher.node(left, right),
  });
}

/**
 * The hashes of an inclusion proof, leaf's sibling first, in the order of this proof: from left to
 * right. Throws `inclusion-invalid` for an index or a number of hashes that can not be.
 */
export function pathFromLeft(index: number, size: number, hashes: readonly Hash[]): Hash[] {
  const siblings = siblingsOfLeaf(index, size);
  if (hashes.length !== siblings.length) {
    throw new DaybookError(
      'inclusion-invalid',
      `proof has ${hashes.length} hashes, want ${siblings.length} (index ${index}, size ${size})`,
    );
  }
  const isLeft = (_: Hash, i: number): boolean => (siblings[i] as Subtree).to <= index;
  // The higher a left sibling is, the further left; a right one, the further right.
  const left = hashes.filter(isLeft).reverse();
  return [...left, ...hashes.filter((hash, i) => !isLeft(hash, i))];
}

function subtreesWithout(indexes: readonly number[], size: number): Subtree[] {
  checkIndexes(indexes, size);
  const without: Subtree[] = [];
  fold<undefined>(indexes, wholeTree(size), {
    leaf: () => undefined,
    without: (subtree) => void without.push(subtree),
    node: () => undefined,
  });
  return without;
}

interface Folding<Value> {
  /** Of the leaf at this position among those that are proven. */
  leaf(position: number): Value;
  /** Of a subtree that has none of them. */
  without(subtree: Subtree): Value;
  node(left: Value, right: Value): Value;
}

/** Visits the tree from left to right, no deeper than the leaves; at most 53 levels of recursion. */
function fold<Value>(indexes: readonly number[], tree: Subtree, folding: Folding<Value>): Value {
  let position = 0;
  const visit = (at: Subtree): Value => {
    const next = indexes[position];
    if (next === undefined || next >= at.to) return folding.without(at);
    if (at.to - at.from === 1) return folding.leaf(position++);
    const [left, right] = splitSubtree(at);
    // The left one first: both take from the same lists.
    const leftValue = visit(left);
    return folding.node(leftValue, visit(right));
  };
  return visit(tree);
}

function checkIndexes(indexes: readonly number[], size: number): void {
  treeSize(size);
  if (indexes.length === 0) throw new DaybookError('inclusion-invalid', 'no leaf is to be proven');
  let least = 0;
  for (const index of indexes) {
    if (leafIndex(index) < least || index >= size) {
      throw new DaybookError(
        'inclusion-invalid',
        `index ${index} is not below size ${size} and above the one before it`,
      );
    }
    least = index + 1;
  }
}
