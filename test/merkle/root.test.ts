import { describe, expect, test } from 'vitest';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { rootOfLeaves, treeRoot } from '../../src/merkle/root.ts';
import { distinctLeaves } from './reference-tree.ts';

const tree = distinctLeaves(600);

describe('the root', () => {
  test('is MTH of RFC 6962, for every size up to 600', async () => {
    for (let size = 0; size <= 600; size++) {
      expect(await treeRoot(size, tree.readHashes)).toEqual(tree.mth(0, size));
      expect(rootOfLeaves(tree.leaves(0, size))).toEqual(tree.mth(0, size));
    }
  });

  test('of no leaves is read from nowhere', async () => {
    const root = treeRoot(0, () => Promise.reject(new Error('was read')));
    expect(await root).toEqual(rfc6962.emptyRoot);
  });

  test('refuses a size that is not an integer', async () => {
    await expect(treeRoot(2 ** 53, tree.readHashes)).rejects.toMatchObject({ code: 'bad-integer' });
  });
});
