/** The files that a statement is to be about: hashed, named, and listed in a manifest if need be. */
import { stat } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { nodeSha256 } from '../keys/node-hasher.ts';
import type { Subject } from '../statement/in-toto.ts';
import { formatManifest, type Manifest } from '../verify/manifest.ts';
import { hashFiles, isDirectory, listFiles } from './directory.ts';
import { hashFile } from './file-hash.ts';
import { unreadable } from './files.ts';
import { hashingProgress, type Progress } from './progress.ts';

export interface Artifacts {
  /** The directory, or the first file: the manifest and its proof lie beside it. */
  readonly target: string;
  /** The files, as they were given; empty for a directory. */
  readonly paths: readonly string[];
  /** One for each path; none for a directory, which is always logged as a manifest. */
  readonly subjects: readonly Subject[];
  /** What the manifest says, with names for whoever stands in the directory, or beside the first file. */
  readonly manifest: () => Manifest;
}

/** A manifest that stands for the files: to be written where they lie. */
export interface ManifestFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly subject: Subject;
}

/** `<target>.SHA256SUMS`, not written yet; throws `bad-usage` for files that it cannot name. */
export function manifestOf({ target, manifest }: Artifacts): ManifestFile {
  const path = `${target}.SHA256SUMS`;
  const bytes = formatManifest(manifest());
  return { path, bytes, subject: { name: basename(path), sha256: nodeSha256(bytes) } };
}

/** Throws `bad-usage` for a directory among files, `file-unreadable` for what is no regular file. */
export async function hashArtifacts(paths: readonly string[]): Promise<Artifacts> {
  const directories = await Promise.all(paths.map((path) => isDirectory(path)));
  const [first = ''] = paths;
  if (!directories.includes(true)) return hashPaths(first, paths);
  if (paths.length > 1) {
    throw new DaybookError('bad-usage', `a directory is logged alone: give ${first} by itself`);
  }
  // "." and "dir/" have no name to put an ending to.
  const root = resolve(first);
  const names = await listFiles(root);
  if (names.length === 0) throw new DaybookError('bad-usage', `${first} has no file in it`);
  const progress = await progressOver(names.map((name) => join(root, name)));
  try {
    const digests = await hashFiles(root, names, progress.add);
    return { target: root, paths: [], subjects: [], manifest: () => digests };
  } finally {
    progress.stop();
  }
}

async function hashPaths(target: string, paths: readonly string[]): Promise<Artifacts> {
  const progress = await progressOver(paths);
  const subjects: Subject[] = [];
  try {
    for (const path of paths) {
      subjects.push({ name: basename(path), sha256: await hashFile(path, progress.add) });
    }
  } finally {
    progress.stop();
  }
  const manifest = (): Manifest => {
    const names = paths.map((path) => relative(dirname(target), path).split(sep).join('/'));
    return new Map(names.map((name, i) => [name, encodeHex((subjects[i] as Subject).sha256)]));
  };
  return { target, paths, subjects, manifest };
}

async function progressOver(paths: readonly string[]): Promise<Progress> {
  let total = 0;
  for (const path of paths) {
    try {
      total += (await stat(path)).size;
    } catch (error) {
      throw unreadable(path, error);
    }
  }
  return hashingProgress(total);
}
