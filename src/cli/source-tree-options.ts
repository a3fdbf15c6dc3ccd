/** What commands about a source tree share: the directory, its master secret, and what it commits to. */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { readMasterFile } from '../keys/master-file.ts';
import { commitSource, type SourceFile, type SourceRoot } from '../statement/source-tree.ts';
import { readSourceTree } from './source-directory.ts';

export interface MasterOptions {
  readonly master: string;
}

export interface CommittedTree extends SourceRoot {
  readonly directory: string;
  readonly tree: readonly SourceFile[];
  readonly secret: Uint8Array;
}

/** Throws as `readMasterFile` and `readSourceTree`. */
export async function readCommittedTree(
  directory: string,
  { master }: MasterOptions,
): Promise<CommittedTree> {
  const secret = await readMasterFile(master);
  const tree = await readSourceTree(directory);
  return { directory, tree, secret, ...commitSource(tree, secret) };
}

/** Throws `source-refused` unless the tree is the source of the commitment `root`. */
export function requireCommitment(
  { root, files, directory }: CommittedTree,
  want: Uint8Array,
): void {
  if (equalBytes(root, want)) return;
  throw new DaybookError(
    'source-refused',
    `${directory} is not the source of the commitment ${encodeHex(want)}: under this master secret its ${files} files commit to ${encodeHex(root)}`,
  );
}

export function describeRoot({ root, files }: SourceRoot): string[] {
  return [`commitment: ${encodeHex(root)}`, `files: ${files}`];
}
