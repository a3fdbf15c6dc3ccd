/** Whether one checkpoint may follow another (C2SP tlog-witness, add-checkpoint): the check of every cosigner. */
import { equalBytes } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { verifyConsistency } from '../merkle/consistency.ts';
import { rfc6962, type Hash, type TreeHasher } from '../merkle/hash.ts';
import type { Checkpoint } from './checkpoint.ts';

/** Size and root of a tree. */
export type TreeHead = Pick<Checkpoint, 'size' | 'root'>;

/**
 * Throws `checkpoint-inconsistent` unless `proof` shows that the tree of `next` continues that of
 * `last`; undefined stands for the empty tree, which every tree continues without a proof.
 */
export function verifyContinuation(
  last: TreeHead | undefined,
  next: TreeHead,
  proof: readonly Hash[],
  hasher: TreeHasher = rfc6962,
): void {
  const { size, root } = next;
  if (size === 0 && !equalBytes(root, hasher.emptyRoot)) {
    throw inconsistent(next, 'its root is not that of the empty tree');
  }
  if (last === undefined || last.size === 0) {
    if (proof.length === 0) return;
    throw inconsistent(next, `the proof has ${proof.length} hashes, want none from size 0`);
  }
  try {
    const claim = { from: last.size, to: size, fromRoot: last.root, toRoot: root, proof };
    verifyConsistency(claim, hasher);
  } catch (cause) {
    throw inconsistent(next, (cause as Error).message, cause);
  }
}

function inconsistent({ size }: TreeHead, reason: string, cause?: unknown): DaybookError {
  const message = `the checkpoint of size ${size} does not continue the last one: ${reason}`;
  return new DaybookError('checkpoint-inconsistent', message, { cause });
}
