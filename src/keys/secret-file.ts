/** Small files that hold secrets or keys: made new, durable, and refused when others may read a secret. */
import { open } from 'node:fs/promises';
import { DaybookError } from '../errors.ts';

/** More than the PEM of any key that is accepted. */
const MAX_FILE_BYTES = 64 * 1024;

/** Throws `file-unreadable`, and `bad-key` for a file that others than its owner may use. */
export async function readSecretFile(path: string): Promise<string> {
  const { text, mode } = await readSmallFile(path);
  // Windows has no such modes.
  if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
    throw new DaybookError(
      'bad-key',
      `others may use ${path} (mode ${(mode & 0o777).toString(8)}): run \`chmod 600 ${path}\`, and replace the key if they had access`,
    );
  }
  return text;
}

/** Mode and text of one and the same file, even if the path is given to another meanwhile. */
export async function readSmallFile(path: string): Promise<{ text: string; mode: number }> {
  try {
    await using file = await open(path, 'r');
    const { mode, size } = await file.stat();
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, too many for a key`);
    return { text: await file.readFile('utf8'), mode };
  } catch (cause) {
    throw unusable('read', path, cause);
  }
}

/** Throws `file-unreadable` when there is such a file already. */
export async function createFile(path: string, text: string, mode: number): Promise<void> {
  try {
    await using file = await open(path, 'wx', mode);
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    throw unusable('create', path, cause);
  }
}

/** Makes the names of new files durable. */
export async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory.
  if (process.platform === 'win32') return;
  await using directory = await open(path, 'r');
  await directory.sync();
}

function unusable(verb: string, path: string, cause: unknown): DaybookError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
  return new DaybookError(
    'file-unreadable',
    exists ? `${path} exists already: choose another name` : `cannot ${verb} ${path}: ${reason}`,
    { cause },
  );
}
