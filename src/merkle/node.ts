/**
 * Nodes: the complete subtrees, whose hashes never change once the log has grown past them, so that
 * they can be stored. The hash of any other subtree is folded from a few of them.
 */
import { DaybookError } from '../errors.ts';
import type { Hash, TreeHasher } from './hash.ts';
import type { Subtree } from './subtree.ts';

/** The root of the complete subtree of the 2^level leaves from index * 2^level on. */
export interface NodeId {
  readonly level: number;
  readonly index: number;
}

/** Reads the hashes of `nodes`, in the order asked: the one port through which trees are read. */
export type ReadHashes = (nodes: readonly NodeId[]) => Promise<readonly Hash[]>;

/**
 * The nodes that make up a subtree which RFC 6962's recursion visits, from left to right: one for
 * each 1 in its number of leaves, the largest first.
 */
function nodesOf({ from, to }: Subtree): NodeId[] {
  let level = 0;
  let leaves = 1;
  while (leaves <= (to - from) / 2) {
    level += 1;
    leaves *= 2;
  }
  const nodes: NodeId[] = [];
  for (let start = from; start < to; level -= 1, leaves /= 2) {
    if (leaves > to - start) continue;
    nodes.push({ level, index: start / leaves });
    start += leaves;
  }
  return nodes;
}

/**
 * The hashes of `subtrees`, none of them empty: plans the nodes they need, reads each once and all
 * in one call, and folds them.
 */
export async function readSubtrees(
  subtrees: readonly Subtree[],
  read: ReadHashes,
  hasher: TreeHasher,
): Promise<Hash[]> {
  const wanted: NodeId[] = [];
  const plan = subtrees.map((subtree) => nodesOf(subtree).map((node) => placeIn(wanted, node)));
  const hashes = await read(wanted);
  if (hashes.length !== wanted.length) {
    throw new DaybookError('internal', `read ${hashes.length} hashes, want ${wanted.length}`);
  }
  return plan.map((places) =>
    places
      .map((place) => hashes[place] as Hash)
      .reduceRight((right, left) => hasher.node(left, right)),
  );
}

/**
 * The place of a node or tile in a list of distinct ones, to which it is added when it is new. A
 * search from the end: lists are short, and what is asked for was mostly added just before.
 */
export function placeIn(list: NodeId[], { level, index }: NodeId): number {
  const known = list.findLastIndex((other) => other.level === level && other.index === index);
  return known >= 0 ? known : list.push({ level, index }) - 1;
}
