/** Directories whose entries survive a power cut: a new name is durable only once its directory is synced. */
import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Creates `path` and the directories above it where they are missing, durably. */
export async function createDirectory(path: string): Promise<void> {
  const target = resolve(path);
  const above = dirname(target);
  try {
    await makeUnlessThere(target);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || above === target) throw error;
    await createDirectory(above);
    await makeUnlessThere(target);
  }
}

// Not mkdir's own recursion: on a read-only disk that one says ENOENT.
async function makeUnlessThere(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return;
    throw error;
  }
  await syncDirectory(dirname(path));
}

function codeOf(error: unknown): unknown {
  return (error as NodeJS.ErrnoException).code;
}
