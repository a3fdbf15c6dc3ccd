/** SHA-256 and the Merkle hashes by Node's own crypto, which is faster than JavaScript. */
import { hash } from 'node:crypto';
import { treeHasher, type TreeHasher } from '../merkle/hash.ts';

export function nodeSha256(data: Uint8Array): Uint8Array {
  return hash('sha256', data, 'buffer');
}

export const nodeTreeHasher: TreeHasher = treeHasher(nodeSha256);
