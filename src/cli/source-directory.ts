/** A directory as a source commitment sees it: files, executable files and links, as git would record them. */
import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeUtf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { nodeSha256 } from '../keys/node-hasher.ts';
import type { FileMode, SourceFile } from '../statement/source-tree.ts';
import { hashFile } from './file-hash.ts';
import { unreadable } from './files.ts';

const ownerMayExecute = 0o100;

/**
 * All files under `root`, links as links, whatever is called `.git` left out. Throws
 * `file-unreadable`, also for names that are not UTF-8, and for devices, sockets and FIFOs.
 */
export async function readSourceTree(root: string): Promise<SourceFile[]> {
  const files: SourceFile[] = [];
  for (const path of await listPaths(root, '')) {
    files.push({ path, ...(await readSourceFile(join(root, path))) });
  }
  if (files.length === 0) throw unreadable(root, 'there is no file in it to commit to');
  return files;
}

/** Mode and digest of one file or link. Throws `file-unreadable`. */
export async function readSourceFile(path: string): Promise<Omit<SourceFile, 'path'>> {
  let stats: Stats;
  try {
    stats = await lstat(path);
    if (stats.isSymbolicLink()) {
      return { mode: '120000', sha256: nodeSha256(await readlink(path, 'buffer')) };
    }
  } catch (error) {
    throw unreadable(path, error);
  }
  const mode: FileMode = (stats.mode & ownerMayExecute) === 0 ? '100644' : '100755';
  return { mode, sha256: new Uint8Array(await hashFile(path)) };
}

async function listPaths(root: string, folder: string): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await readFolder(join(root, folder))) {
    const name = nameOf(entry, join(root, folder));
    if (name === '.git') continue;
    const path = folder === '' ? name : `${folder}/${name}`;
    if (entry.isDirectory()) paths.push(...(await listPaths(root, path)));
    else if (entry.isFile() || entry.isSymbolicLink()) paths.push(path);
    else throw unreadable(join(root, path), 'is no file, link or directory, so no source');
  }
  return paths;
}

async function readFolder(path: string): Promise<Dirent<Buffer>[]> {
  try {
    return await readdir(path, { withFileTypes: true, encoding: 'buffer' });
  } catch (error) {
    throw unreadable(path, error);
  }
}

function nameOf({ name }: Dirent<Buffer>, folder: string): string {
  try {
    return decodeUtf8(name);
  } catch (cause) {
    throw new DaybookError(
      'file-unreadable',
      `${folder}: the name ${JSON.stringify(name.toString('latin1'))} is not UTF-8: rename it, so that it reads the same everywhere`,
      { cause },
    );
  }
}
