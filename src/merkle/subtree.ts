/**
 * The shape of the tree of RFC 6962 section 2.1: which subtrees the recursion of MTH, PATH and
 * PROOF visits. Numbers only, no hashes: makers and verifiers of proofs share it.
 */

/** The leaves from `from` up to, not including, `to`, hashed as one subtree. */
export interface Subtree {
  readonly from: number;
  readonly to: number;
}

/** A walk from the root down to `end`, with the subtrees that it passed by, the lowest first. */
export interface Path {
  readonly end: Subtree;
  readonly siblings: readonly Subtree[];
}

/** The whole tree of `size` leaves. */
export function wholeTree(size: number): Subtree {
  return { from: 0, to: size };
}

/**
 * Walks from the root of a tree of `size` leaves towards leaf `index`, and stops where `isEnd` says
 * so. At most 53 steps, whatever sizes a proof claims.
 */
export function walkDown(index: number, size: number, isEnd: (at: Subtree) => boolean): Path {
  const siblings: Subtree[] = [];
  let at = wholeTree(size);
  while (!isEnd(at)) {
    const [left, right] = splitSubtree(at);
    siblings.push(index < right.from ? right : left);
    at = index < right.from ? left : right;
  }
  return { end: at, siblings: siblings.reverse() };
}

/** The two subtrees of one that has at least 2 leaves: the left one is complete. */
export function splitSubtree({ from, to }: Subtree): readonly [left: Subtree, right: Subtree] {
  const split = from + largestPowerBelow(to - from);
  return [
    { from, to: split },
    { from: split, to },
  ];
}

/** The largest power of two below `count`, which is at least 2; halving and doubling are exact. */
function largestPowerBelow(count: number): number {
  let power = 1;
  while (power < count / 2) power *= 2;
  return power;
}
