/** The files of a directory, as a manifest names them. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeHex } from '../encoding/hex.ts';
import type { Manifest } from '../verify/manifest.ts';
import { hashFile } from './file-hash.ts';
import { unreadable } from './files.ts';

export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    throw unreadable(path, error);
  }
}

/**
 * Relative names, with `/`, of all files under `root`. Throws `file-unreadable` for anything that is
 * neither a file nor a directory: no digest can vouch for a link's target or a device.
 */
export async function listFiles(root: string, folder = ''): Promise<string[]> {
  const names: string[] = [];
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(
    (error: unknown) => {
      throw unreadable(join(root, folder), error);
    },
  );
  for (const entry of entries) {
    const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) names.push(...(await listFiles(root, name)));
    else if (entry.isFile()) names.push(name);
    else
      throw unreadable(
        join(root, name),
        'is neither a file nor a directory; a manifest cannot vouch for it',
      );
  }
  return names;
}

/** Digests of `names` under `root`. */
export async function hashFiles(
  root: string,
  names: readonly string[],
  onBytes?: (count: number) => void,
): Promise<Manifest> {
  const digests = new Map<string, string>();
  for (const name of names) digests.set(name, encodeHex(await hashFile(join(root, name), onBytes)));
  return digests;
}
