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
  const topmostNew = await mkdir(path, { recursive: true });
  if (topmostNew === undefined) return;
  const above = dirname(topmostNew);
  for (let at = dirname(resolve(path)); at.startsWith(above); at = dirname(at)) {
    await syncDirectory(at);
    if (at === above) break;
  }
}
