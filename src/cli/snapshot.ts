/**
 * A private snapshot of what a manifest names. Files that were verified once are kept by their digest,
 * so that of an update only what changed is read again.
 */
import { linkSync, lstatSync } from 'node:fs';
import { readdir, rename, rm, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import type { Manifest } from '../verify/manifest.ts';
import { makeFolder, unreadable } from './files.ts';
import { copyHashed } from './private-copy.ts';

/** The time of change that kept files bear. */
const KEPT_AT = new Date('2001-01-01T00:00:00Z');

export interface Snapshot {
  /** Files that had to be read, as they were not kept from an earlier snapshot. */
  readonly read: number;
}

/**
 * Fills the new directory `to` with the files of `manifest` as it names them, read from under `from`
 * where `kept` does not have them by their digest yet. Throws `artifact-mismatch` for a file that is
 * another one than the manifest says, `file-unreadable` for what is no regular file.
 */
export async function snapshot(
  manifest: Manifest,
  from: string,
  to: string,
  kept: string,
): Promise<Snapshot> {
  await makeFolder(kept);
  const folders = new Set<string>();
  let read = 0;
  for (const [name, sha256] of manifest) {
    const target = join(to, name);
    const original = join(kept, sha256);
    if (!folders.has(dirname(target))) {
      await makeFolder(dirname(target));
      folders.add(dirname(target));
    }
    if (!isUntouched(original)) {
      await keep(join(from, name), original, name, sha256);
      read += 1;
    }
    try {
      // Thousands of links: a promise for each would take longer than they do.
      linkSync(original, target);
    } catch (error) {
      throw unreadable(target, error);
    }
  }
  return { read };
}

/**
 * A command may write into its snapshot, and so into what is kept, as both are one file: then the time
 * of change is no longer the one that `keep` set, and the file is read anew.
 */
function isUntouched(path: string): boolean {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  return stats?.isFile() === true && stats.mtimeMs === KEPT_AT.getTime();
}

/** Under its digest only when it is whole and has it. */
async function keep(from: string, to: string, name: string, sha256: string): Promise<void> {
  const temporary = `${to}.${process.pid}.tmp`;
  await rm(temporary, { force: true });
  try {
    const found = encodeHex(await copyHashed(from, temporary));
    if (found !== sha256) {
      throw new DaybookError(
        'artifact-mismatch',
        `${JSON.stringify(name)} has SHA-256 ${found}, but the manifest says ${sha256}: it was changed`,
      );
    }
    await utimes(temporary, KEPT_AT, KEPT_AT);
    await rename(temporary, to);
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Drops what is kept and not named by `manifest`, the one that was accepted last. */
export async function dropOthers(manifest: Manifest, kept: string): Promise<void> {
  const named = new Set(manifest.values());
  const names = await readdir(kept);
  await Promise.all(
    names.filter((name) => !named.has(name)).map((name) => rm(join(kept, name), { force: true })),
  );
}
