/**
 * A copy that nobody else can change between check and use: in a directory of its own that only its
 * owner may enter, hashed while it is written, from a file that is read once.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { unreadable, withFile } from './files.ts';

const CHUNK_BYTES = 1024 * 1024;

export interface PrivateDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

/** Under `parent`, or else where temporary files belong. */
export async function privateDirectory(parent: string = tmpdir()): Promise<PrivateDirectory> {
  try {
    // mkdtemp makes it with mode 0700.
    const path = await mkdtemp(join(parent, 'daybook-'));
    return { path, remove: () => rm(path, { recursive: true, force: true }) };
  } catch (error) {
    throw unreadable(parent, error);
  }
}

/**
 * Copies the regular file `from` to the new file `to`, and gives the SHA-256 of what was written; it
 * can be run where `from` could. Throws `file-unreadable`, for symbolic links too. Memory is bounded.
 */
export function copyHashed(from: string, to: string): Promise<Uint8Array> {
  return withFile(
    from,
    async (source, { mode }) => {
      await mkdir(dirname(to), { recursive: true, mode: 0o700 });
      const copy = await open(to, 'wx', 0o600).catch((error: unknown) => {
        throw unreadable(to, error);
      });
      try {
        const hash = createHash('sha256');
        const chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
        for (;;) {
          const { bytesRead } = await source.read(chunk, 0, chunk.length);
          if (bytesRead === 0) break;
          const part = chunk.subarray(0, bytesRead);
          hash.update(part);
          await copy.writeFile(part);
        }
        await copy.chmod((mode & 0o111) === 0 ? 0o400 : 0o500);
        return hash.digest();
      } finally {
        await copy.close();
      }
    },
    { followLink: false },
  );
}

/** `path` inside of `directory`, by the name that it has. */
export function copyPath({ path: directory }: PrivateDirectory, path: string): string {
  return join(directory, basename(path));
}
