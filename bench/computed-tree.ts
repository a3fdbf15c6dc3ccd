/** Trees of any size without a log: all leaves are alike, but for a few that are given. */
import { rfc6962, type Hash } from '../src/merkle/hash.ts';
import type { ReadHashes } from '../src/merkle/node.ts';

/** Reads the nodes of a tree in which these leaves, by index, have these hashes. */
export function computedTree(leaves: ReadonlyMap<number, Hash>): ReadHashes {
  const indexes = [...leaves.keys()];
  const alike: Hash[] = [rfc6962.leaf(Buffer.from('all alike'))];
  const alikeAt = (level: number): Hash =>
    (alike[level] ??= rfc6962.node(alikeAt(level - 1), alikeAt(level - 1)));
  const node = (level: number, index: number): Hash => {
    const leaf = indexes.find((place) => Math.floor(place / 2 ** level) === index);
    if (leaf === undefined) return alikeAt(level);
    if (level === 0) return leaves.get(leaf) as Hash;
    return rfc6962.node(node(level - 1, 2 * index), node(level - 1, 2 * index + 1));
  };
  return (nodes) => Promise.resolve(nodes.map(({ level, index }) => node(level, index)));
}
