/** RFC 6962 section 2.1.2 (RFC 9162 section 2.1.4): proofs that one tree is the beginning of another. */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { treeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { type Hash, type TreeHasher, rfc6962 } from './hash.ts';
import { type ReadHashes, readSubtrees } from './node.ts';
import { type Path, type Subtree, walkDown, wholeTree } from './subtree.ts';

/** What a consistency proof is about. Whoever sent it controls each member but a root already trusted. */
export interface ConsistencyClaim {
  readonly from: number;
  readonly to: number;
  readonly fromRoot: Hash;
  readonly toRoot: Hash;
  /** The lowest subtree first. */
  readonly proof: readonly Hash[];
}

/**
 * The proof that the tree of the first `to` leaves continues that of the first `from`, from one call
 * of `read`; empty for equal sizes. It was verified against both roots, which the same call gave.
 * Throws `consistency-invalid` for hashes that contradict each other and unless 1 <= from <= to:
 * an empty tree is the beginning of every tree, so there is nothing to prove.
 */
export async function proveConsistency(
  from: number,
  to: number,
  read: ReadHashes,
  hasher: TreeHasher = rfc6962,
): Promise<Hash[]> {
  const { end, siblings } = pathToOldEnd(from, to);
  const proven = startsAtRoot(end) ? siblings : [end, ...siblings];
  const plan = [wholeTree(from), wholeTree(to), ...proven];
  const [fromRoot, toRoot, ...proof] = await readSubtrees(plan, read, hasher);
  verifyConsistency(
    { from, to, fromRoot: fromRoot as Hash, toRoot: toRoot as Hash, proof },
    hasher,
  );
  return proof;
}

/** Throws `consistency-invalid` unless the proof has the exact length and leads to both roots. */
export function verifyConsistency(
  { from, to, fromRoot, toRoot, proof }: ConsistencyClaim,
  hasher: TreeHasher = rfc6962,
): void {
  const { end, siblings } = pathToOldEnd(from, to);
  const hashes = startsAtRoot(end) ? [fromRoot, ...proof] : proof;
  const surplus = hashes.length - (1 + siblings.length);
  if (surplus !== 0) {
    throw new DaybookError(
      'consistency-invalid',
      `proof has ${proof.length} hashes, want ${proof.length - surplus} (from ${from}, to ${to})`,
    );
  }
  let oldHash = hashes[0] as Hash;
  let newHash = oldHash;
  siblings.forEach((subtree, i) => {
    const sibling = hashes[i + 1] as Hash;
    if (subtree.to <= from) {
      oldHash = hasher.node(sibling, oldHash);
      newHash = hasher.node(sibling, newHash);
    } else {
      newHash = hasher.node(newHash, sibling);
    }
  });
  expectRoot(oldHash, fromRoot, `old root (size ${from})`);
  expectRoot(newHash, toRoot, `new root (size ${to})`);
}

/** To the subtree that ends where the old tree ended: it and the siblings on its left make up the old tree. */
function pathToOldEnd(from: number, to: number): Path {
  if (treeSize(from) === 0) {
    throw new DaybookError(
      'consistency-invalid',
      `old size is 0: that proves nothing about ${to} leaves`,
    );
  }
  if (from > treeSize(to)) {
    throw new DaybookError('consistency-invalid', `old size ${from} is above new size ${to}`);
  }
  return walkDown(from - 1, to, (at) => at.to === from);
}

/** Then it is the whole old tree: the verifier has its root already, so the proof leaves it out. */
function startsAtRoot(end: Subtree): boolean {
  return end.from === 0;
}

function expectRoot(computed: Hash, root: Hash, what: string): void {
  if (!equalBytes(computed, root)) {
    throw new DaybookError(
      'consistency-invalid',
      `proof leads to ${what} ${encodeHex(computed)}, want ${encodeHex(root)}`,
    );
  }
}
