/** Whether a file can be exchanged by somebody else between a check and the use of the same path. */
import { lstat, realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { unreadable } from './files.ts';

const STICKY = 0o1000;
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Throws `file-unreadable` when another user than root and this one may write the file at `path`, or
 * change a directory or link on the way to it. In a sticky directory nobody changes what is another's.
 */
export async function requireOwned(path: string): Promise<void> {
  const asked = resolve(path);
  const real = await realpath(asked).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  for (const place of new Set([...wayTo(asked), ...wayTo(real)])) {
    const stats = await lstat(place).catch((error: unknown) => {
      throw unreadable(place, error);
    });
    if (stats.uid !== 0 && stats.uid !== process.geteuid?.()) {
      throw unreadable(
        path,
        `user ${stats.uid}, whose ${place} is, may exchange it after the check`,
      );
    }
    const sticky = stats.isDirectory() && (stats.mode & STICKY) !== 0;
    // The mode of a link says nothing: who may change it is said by its directory.
    const writable = !stats.isSymbolicLink() && (stats.mode & WRITABLE_BY_OTHERS) !== 0;
    if (writable && !sticky) {
      throw unreadable(path, `others may write ${place}, and exchange it after the check`);
    }
  }
}

function wayTo(path: string): string[] {
  return path === '/' ? [path] : [...wayTo(dirname(path)), path];
}
