/** Files of the command line: read with a cap, written whole or not at all. */
import { constants, type Stats } from 'node:fs';
import { access, mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { DaybookError } from '../errors.ts';

/** What keeps a path from being read or written, as the user should see it. */
export function unreadable(path: string, problem: unknown): DaybookError {
  const reason = problem instanceof Error ? systemReason(problem) : String(problem);
  return new DaybookError('file-unreadable', `${path}: ${reason}`, { cause: problem });
}

/**
 * Opens a regular file and passes it to `use`. Throws `file-unreadable`, for FIFOs and devices too:
 * what is read from them once cannot be read again by whoever uses the file. Opening does not wait
 * for a FIFO's writer.
 */
export async function withFile<T>(
  path: string,
  use: (file: FileHandle, stats: Stats) => Promise<T>,
  { followLink = true } = {},
): Promise<T> {
  let file: FileHandle | undefined;
  try {
    const noFollow = followLink ? 0 : constants.O_NOFOLLOW;
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | noFollow);
    const stats = await file.stat();
    if (!stats.isFile()) throw unreadable(path, `is ${kindOf(stats)}, want a regular file`);
    return await use(file, stats);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ELOOP') {
      throw unreadable(path, 'is a symbolic link, want the file itself');
    }
    throw error instanceof DaybookError ? error : unreadable(path, error);
  } finally {
    await file?.close();
  }
}

/** A folder, and those above it, that only its owner may enter; one that is there is left as it is. Throws `file-unreadable`. */
export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unreadable(path, error);
  }
}

/** Whether there is anything at `path`. */
export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The bytes of a file that has at most `maxBytes`; throws `file-unreadable`. */
export function readBytes(path: string, maxBytes: number): Promise<Uint8Array> {
  return withFile(path, async (file, { size }) => {
    if (size > maxBytes) throw unreadable(path, `has ${size} bytes, want at most ${maxBytes}`);
    // One byte more than it should have: a file that grows meanwhile is noticed.
    const bytes = new Uint8Array(size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      length += bytesRead;
      if (length > size) throw unreadable(path, 'it changed while it was read');
      if (bytesRead === 0) return bytes.slice(0, length);
    }
  });
}

/**
 * Writes beside `path`, syncs, renames, and syncs the directory: after a crash the old file or the
 * new one is there, whole. Throws `file-unreadable`.
 */
export async function writeAtomically(path: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw unreadable(path, error);
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a FIFO';
  if (stats.isSocket()) return 'a socket';
  return 'a device';
}

/** "no such file or directory" of "ENOENT: no such file or directory, open 'x'". */
function systemReason({ message }: Error): string {
  return /^[A-Z0-9]+: ([^,]+)/.exec(message)?.[1] ?? message;
}
