/**
 * The copy of a log as plain files in the layout of C2SP tlog-tiles, for any web server:
 *
 *     public/<origin hash>/checkpoint
 *     public/<origin hash>/tile/0/x001/234        and partial ones: tile/0/x001/235.p/17
 *     public/<origin hash>/tile/entries/x001/234
 *
 * A file appears under its name when it is whole and synced, and no name changes its content but
 * `checkpoint`, which is replaced when all that it covers is durable.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DaybookError } from '../errors.ts';
import { createDirectory, syncDirectory } from '../store/directory.ts';

/** Files and bytes that are being written at once. */
const MAX_WRITES = 16;
const MAX_WRITING_BYTES = 32 << 20;

export class MirrorFiles {
  /** What a web server is to serve below the origin hash. */
  readonly directory: string;
  readonly #staging: string;
  readonly #writes = new Set<Promise<void>>();
  #writingBytes = 0;
  /** Directories that hold a new name and are not synced yet. */
  #touched = new Set<string>();
  #failure: unknown;
  #count = 0;

  private constructor(directory: string, staging: string) {
    this.directory = directory;
    this.#staging = staging;
  }

  /** Makes both directories where they are missing; `staging` is on the same file system, and emptied. */
  static async open(directory: string, staging: string): Promise<MirrorFiles> {
    try {
      await rm(staging, { recursive: true, force: true });
      await createDirectory(staging);
      await createDirectory(directory);
    } catch (cause) {
      throw unwritable(directory, cause);
    }
    return new MirrorFiles(directory, staging);
  }

  /** The bytes of a file, or undefined when there is none. */
  async read(path: string): Promise<Uint8Array | undefined> {
    try {
      const { buffer, byteOffset, length } = await readFile(join(this.directory, path));
      // Not the Buffer, whose `slice` shares memory where everybody else's copies.
      return new Uint8Array(buffer, byteOffset, length);
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      throw new DaybookError('store-failed', `${this.directory}: ${message}`, { cause });
    }
  }

  /** Begins to write a file, and resolves when there is room for another; durable when `settle` resolves. */
  async put(path: string, bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) return;
    const writing = this.#write(path, bytes)
      .catch((error: unknown) => void (this.#failure ??= error))
      .finally(() => {
        this.#writes.delete(writing);
        this.#writingBytes -= bytes.length;
      });
    this.#writes.add(writing);
    this.#writingBytes += bytes.length;
    while (this.#writes.size >= MAX_WRITES || this.#writingBytes > MAX_WRITING_BYTES) {
      await Promise.race(this.#writes);
    }
  }

  /** Resolves when all files so far are durable, and their names too. Throws `store-failed`. */
  async settle(): Promise<void> {
    await Promise.all(this.#writes);
    const touched = this.#touched;
    this.#touched = new Set();
    try {
      for (const path of touched) await syncDirectory(path);
    } catch (cause) {
      this.#failure ??= cause;
    }
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw unwritable(this.directory, failure);
  }

  /** Writes one file alone, and replaces the one before. Throws `store-failed`. */
  async replace(path: string, bytes: Uint8Array): Promise<void> {
    await this.put(path, bytes);
    await this.settle();
  }

  /** Removes a folder of partial tiles or bundles that a full one has made needless. */
  async drop(path: string): Promise<void> {
    // What is left for any reason takes room and does no harm.
    await rm(join(this.directory, path), { recursive: true, force: true }).catch(() => undefined);
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const target = join(this.directory, path);
    const folder = dirname(target);
    if (!this.#touched.has(folder)) {
      await createDirectory(folder);
      this.#touched.add(folder);
    }
    const staged = join(this.#staging, String(this.#count++));
    const file = await open(staged, 'w', 0o644);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(staged, target);
  }
}

function unwritable(path: string, cause: unknown): DaybookError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DaybookError('store-failed', `${path} cannot be written: ${reason}`, { cause });
}
