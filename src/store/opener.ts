/**
 * Opens a LevelDB database, once for each real path in a process. LevelDB's lock holds between
 * processes, but the operating system drops it as soon as the process that owns it closes any
 * descriptor of the file LOCK, and a second open in that process does just that. So a second open
 * fails here, before LevelDB hears of it, and nothing else touches LOCK.
 */
import { realpath } from 'node:fs/promises';
import { isMainThread } from 'node:worker_threads';
import { Level, type DatabaseOptions } from 'level';
import { DaybookError } from '../errors.ts';
import { createDirectory } from './directory.ts';

/** `getProperty` is classic-level's; the types of `level` leave out what browsers lack. */
export type Database = Level<Uint8Array, Uint8Array> & { getProperty(property: string): string };

export interface OpenDatabase {
  readonly db: Database;
  /** Closes the database; only then can its path be opened again. */
  close(): Promise<void>;
}

// On globalThis, since two copies of this module in one process must know of each other.
const registry = globalThis as { daybookOpenPaths?: Set<string> };
const openPaths = (registry.daybookOpenPaths ??= new Set());

/**
 * Creates `directory` when it is missing. Throws `store-locked` when the database is open already,
 * here or in another process, `store-corrupt` when LevelDB finds damage and `store-failed` when
 * the directory cannot be used.
 */
export async function openDatabase(
  directory: string,
  options: DatabaseOptions<Uint8Array, Uint8Array>,
): Promise<OpenDatabase> {
  if (!isMainThread) {
    throw new DaybookError(
      'store-failed',
      `${directory} cannot be opened in a worker thread: who holds it is known on the main thread only`,
    );
  }
  const path = await prepareDirectory(directory);
  if (openPaths.has(path)) {
    throw new DaybookError('store-locked', `${path} is open in this process already: share it`);
  }
  openPaths.add(path);
  const encodings = { keyEncoding: 'view', valueEncoding: 'view' };
  const db = new Level<Uint8Array, Uint8Array>(path, { ...options, ...encodings }) as Database;
  try {
    await db.open();
  } catch (error) {
    openPaths.delete(path);
    throw openError(path, error);
  }
  let closing: Promise<void> | undefined;
  return {
    db,
    close: () => (closing ??= db.close().then(() => void openPaths.delete(path))),
  };
}

async function prepareDirectory(directory: string): Promise<string> {
  try {
    await createDirectory(directory);
    return await realpath(directory);
  } catch (cause) {
    throw new DaybookError(
      'store-failed',
      `${directory} cannot be created: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function openError(path: string, error: unknown): DaybookError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const code = (cause as { code?: unknown }).code;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (code === 'LEVEL_LOCKED') {
    return new DaybookError(
      'store-locked',
      `${path} is in use by another process: stop that one, or choose another directory`,
      { cause },
    );
  }
  if (code === 'LEVEL_CORRUPTION') {
    return new DaybookError(
      'store-corrupt',
      `${path} is damaged (${reason}): restore it from a copy; a repair by LevelDB can lose entries`,
      { cause },
    );
  }
  return new DaybookError('store-failed', `${path} cannot be opened: ${reason}`, { cause });
}
