/**
 * The client's memory: what it has seen, in one small file, locked while it is used. One that cannot
 * be read fails closed: without it an old release or a forked log would pass.
 */
import { dirname, join } from 'node:path';
import { DaybookError } from '../errors.ts';
import {
  emptyTrustState,
  formatTrustState,
  MAX_TRUST_STATE_BYTES,
  parseTrustState,
  type TrustState,
} from '../verify/trust-state.ts';
import { withLock } from './file-lock.ts';
import { makeFolder, readBytes, writeAtomically } from './files.ts';
import { stateDirectory } from './log-state.ts';

/** The file under `directory`, which is the `--state` of a command or else where XDG puts such files. */
export function trustFile(directory?: string): string {
  return join(directory ?? stateDirectory(), 'trust.json');
}

/**
 * Runs `use` with what was seen before, and keeps what it gives back, durably, before it returns.
 * Throws `state-unreadable` for a file that is damaged or held by another process.
 */
export async function withTrustState<T>(
  path: string,
  use: (state: TrustState) => Promise<{ readonly result: T; readonly state: TrustState }>,
): Promise<T> {
  await makeFolder(dirname(path));
  return withLock(path, async () => {
    const before = await read(path);
    const { result, state } = await use(before);
    if (state !== before) await writeAtomically(path, formatTrustState(state));
    return result;
  });
}

/** What was seen, without the release: it was looked at or refused, and an older one may still be used. */
export function withoutRelease(state: TrustState, before: TrustState): TrustState {
  return state === before ? before : { ...state, releases: before.releases };
}

/** Only a file that is not there means that nothing was seen yet. */
async function read(path: string): Promise<TrustState> {
  let bytes: Uint8Array;
  try {
    bytes = await readBytes(path, MAX_TRUST_STATE_BYTES);
  } catch (error) {
    const { cause, message } = error as DaybookError;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return emptyTrustState;
    throw new DaybookError('state-unreadable', message, { cause: error });
  }
  try {
    return parseTrustState(bytes);
  } catch (error) {
    throw new DaybookError(
      'state-unreadable',
      `${path}: ${(error as Error).message}. Nothing is accepted until it is restored from a backup, or removed by somebody who knows that this forgets which releases and trees were seen`,
      { cause: error },
    );
  }
}
