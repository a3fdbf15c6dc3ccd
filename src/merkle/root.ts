/** RFC 6962 section 2.1: the Merkle Tree Hash of all leaves. */
import { treeSize } from '../encoding/integer.ts';
import { type Hash, type TreeHasher, rfc6962 } from './hash.ts';
import { type ReadHashes, readSubtrees } from './node.ts';
import { wholeTree } from './subtree.ts';

/** The root of the first `size` leaves, from one call of `read`. */
export async function treeRoot(
  size: number,
  read: ReadHashes,
  hasher: TreeHasher = rfc6962,
): Promise<Hash> {
  if (treeSize(size) === 0) return hasher.emptyRoot;
  const [root] = await readSubtrees([wholeTree(size)], read, hasher);
  return root as Hash;
}

/** The root of a tree of these leaf hashes. */
export function rootOfLeaves(hashes: readonly Hash[], hasher: TreeHasher = rfc6962): Hash {
  let row = hashes;
  while (row.length > 1) {
    const parents: Hash[] = [];
    for (let i = 0; i + 1 < row.length; i += 2) {
      parents.push(hasher.node(row[i] as Hash, row[i + 1] as Hash));
    }
    // A node without a sibling goes up as it is, until it meets one: the split of RFC 6962.
    if (row.length % 2 === 1) parents.push(row[row.length - 1] as Hash);
    row = parents;
  }
  return row[0] ?? hasher.emptyRoot;
}
