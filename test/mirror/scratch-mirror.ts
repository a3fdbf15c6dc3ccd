/** Mirrors in directories of their own, of logs in memory that can be made to lie. */
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { onTestFinished } from 'vitest';
import { initCosigner } from '../../src/cosigner/directory.ts';
import { RunningMirror } from '../../src/mirror/running-mirror.ts';
import type { RunningMirrorOptions } from '../../src/mirror/running-mirror.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { policyOfLogs } from '../../src/verify/log-policy.ts';
import type { MemoryLog } from '../client/memory-log.ts';
import { scratchDirectory } from '../log/scratch.ts';

export async function newMirror(name = 'mirror.example/m1', mlDsa = false): Promise<string> {
  const directory = join(await scratchDirectory(), 'mirror');
  await initCosigner(directory, { name, mlDsa });
  return directory;
}

/** Closed when the test ends; retries nothing. */
export async function openMirror(
  log: MemoryLog,
  options: Partial<RunningMirrorOptions> = {},
): Promise<RunningMirror> {
  const directory = options.directory ?? (await newMirror());
  const running = await RunningMirror.open({
    url: 'http://log.example/',
    policy: policyOfLogs([log.vkey]),
    http: { fetch: log.fetch, attempts: 1, backoffMs: 1 },
    ...options,
    directory,
  });
  onTestFinished(() => running.close());
  return running;
}

/** A file that the mirror serves. */
export function served(directory: string, log: MemoryLog, path: string): Promise<Buffer> {
  return readFile(join(directory, 'public', originHash(log.origin), path));
}
