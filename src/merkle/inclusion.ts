/** RFC 6962 section 2.1.1 (RFC 9162 section 2.1.3): proofs that a leaf is in a tree. */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { leafIndex, treeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { type Hash, type TreeHasher, asHash, rfc6962 } from './hash.ts';
import { type ReadHashes, readSubtrees } from './node.ts';
import { type Subtree, walkDown, wholeTree } from './subtree.ts';

/** All that an inclusion proof leads to its root from. Whoever sent it controls each member. */
export interface InclusionProof {
  readonly index: number;
  readonly size: number;
  readonly leafHash: Hash;
  /** The leaf's sibling first. */
  readonly proof: readonly Hash[];
}

/** An inclusion proof and the root that it should lead to. */
export interface Inclusion extends InclusionProof {
  readonly root: Hash;
}

/**
 * The proof that leaf `index` is in the tree of the first `size` leaves, from one call of `read`. It
 * was verified against the root that the same call gave, which whoever trusts another root compares:
 * hashes that contradict each other, as from a damaged store, throw `inclusion-invalid`, and so does
 * an index that is not below `size`.
 */
export async function proveInclusion(
  index: number,
  size: number,
  read: ReadHashes,
  hasher: TreeHasher = rfc6962,
): Promise<Inclusion> {
  const siblings = siblingsOfLeaf(index, size);
  const plan = [wholeTree(size), { from: index, to: index + 1 }, ...siblings];
  const [root, leafHash, ...proof] = await readSubtrees(plan, read, hasher);
  const inclusion = { index, size, leafHash: leafHash as Hash, proof, root: root as Hash };
  verifyInclusion(inclusion, hasher);
  return inclusion;
}

/** Throws `inclusion-invalid` unless the proof has the exact length and leads to `root`. */
export function verifyInclusion(claim: Inclusion, hasher: TreeHasher = rfc6962): void {
  const computed = rootFromInclusion(claim, hasher);
  if (!equalBytes(computed, claim.root)) {
    throw new DaybookError(
      'inclusion-invalid',
      `proof leads to root ${encodeHex(computed)}, want ${encodeHex(claim.root)} (index ${claim.index}, size ${claim.size})`,
    );
  }
}

/**
 * The root that the proof leads to: worth nothing until it is compared with a root that is trusted.
 * Throws `inclusion-invalid` unless index < size and the proof has the exact length.
 */
export function rootFromInclusion(
  { index, size, leafHash, proof }: InclusionProof,
  hasher: TreeHasher = rfc6962,
): Hash {
  const siblings = siblingsOfLeaf(index, size);
  if (proof.length !== siblings.length) {
    throw new DaybookError(
      'inclusion-invalid',
      `proof has ${proof.length} hashes, want ${siblings.length} (index ${index}, size ${size})`,
    );
  }
  return proof.reduce(
    (hash, sibling, i) =>
      (siblings[i] as Subtree).to <= index
        ? hasher.node(sibling, hash)
        : hasher.node(hash, sibling),
    asHash(leafHash),
  );
}

/** The subtrees beside the leaf's path, the lowest first. Throws `inclusion-invalid` for an index not below size. */
export function siblingsOfLeaf(index: number, size: number): readonly Subtree[] {
  if (leafIndex(index) >= treeSize(size)) {
    throw new DaybookError('inclusion-invalid', `index ${index} is not below size ${size}`);
  }
  return walkDown(index, size, ({ from, to }) => to - from === 1).siblings;
}
