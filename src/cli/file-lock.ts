/**
 * A lock that one process at a time holds: a file beside what it protects, linked into place with the
 * holder's process id in it. One that a killed process left behind is taken over.
 */
import { link, mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { DaybookError } from '../errors.ts';
import { unreadable } from './files.ts';

const RETRY_MS = 25;
const DEFAULT_WAIT_MS = 30_000;

/** Runs `use` while holding the lock `<path>.lock`. Throws `state-unreadable` when others hold it too long. */
export async function withLock<T>(
  path: string,
  use: () => Promise<T>,
  waitMs: number = DEFAULT_WAIT_MS,
): Promise<T> {
  const lock = `${path}.lock`;
  await acquire(lock, waitMs);
  try {
    return await use();
  } finally {
    await rm(lock, { force: true });
  }
}

async function acquire(lock: string, waitMs: number): Promise<void> {
  const own = `${lock}.${process.pid}.${performance.now()}`;
  try {
    await writeFile(own, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
    // Linked when it is whole: nobody ever reads half a process id.
    for (const end = performance.now() + waitMs; ;) {
      if (await linked(own, lock)) return;
      await breakStale(lock);
      if (performance.now() > end) throw await heldTooLong(lock, waitMs);
      await delay(RETRY_MS);
    }
  } catch (error) {
    throw error instanceof DaybookError ? error : unreadable(lock, error);
  } finally {
    await rm(own, { force: true });
  }
}

async function linked(own: string, lock: string): Promise<boolean> {
  try {
    await link(own, lock);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}

/** Removes the lock of a process that is gone. One breaker at a time, who looks again: the lock may be a new one. */
async function breakStale(lock: string): Promise<void> {
  if (!(await isStale(lock))) return;
  const breaking = `${lock}.breaking`;
  try {
    await mkdir(breaking);
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    throw error;
  }
  try {
    if (await isStale(lock)) await rm(lock, { force: true });
  } finally {
    await rmdir(breaking);
  }
}

async function isStale(lock: string): Promise<boolean> {
  const holder = await holderOf(lock);
  if (holder === undefined) return false;
  try {
    process.kill(holder, 0);
    return false;
  } catch (error) {
    return hasCode(error, 'ESRCH');
  }
}

async function holderOf(lock: string): Promise<number | undefined> {
  const text = await readFile(lock, 'utf8').catch(() => '');
  const holder = Number(text.trim());
  return Number.isInteger(holder) && holder > 0 ? holder : undefined;
}

async function heldTooLong(lock: string, waitMs: number): Promise<DaybookError> {
  const holder = await holderOf(lock);
  return new DaybookError(
    'state-unreadable',
    `${lock} is held by process ${holder ?? 'of unknown number'} for more than ${waitMs / 1000} seconds: if it is no daybook command, remove ${lock} and ${lock}.breaking`,
  );
}

function hasCode(error: unknown, code: string): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === code;
}
