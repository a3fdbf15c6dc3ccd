/**
 * A monitor's data directory: `state/`, and the keys of cosigner-keys.ts where it cosigns. Both are
 * made once and together: a key never meets an empty state, or it would vouch for what it forgot.
 */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { createCosignerKeys, readCosignerKeys } from '../keys/cosigner-keys.ts';
import type { NoteSigner } from '../note/sign.ts';
import { openRecordStore, type RecordStore } from '../store/record-store.ts';

export interface NewMonitor {
  /** In cosignatures; a monitor without one cosigns nothing. */
  readonly name?: string | undefined;
  /** Cosign with ML-DSA-44 beside Ed25519. */
  readonly mlDsa: boolean;
}

const nameKey = 'name';

/**
 * Makes the state, and the keys where there is a name. Throws `wrong-directory` for a directory with
 * anything in it, and `bad-key` for a name that no note can carry.
 */
export async function initMonitor(
  directory: string,
  { name, mlDsa }: NewMonitor,
): Promise<readonly NoteSigner[]> {
  await mkdir(directory, { recursive: true });
  const [first] = await readdir(directory);
  if (first !== undefined) {
    throw new DaybookError(
      'wrong-directory',
      `${directory} is not empty (${first}): a new monitor wants a directory of its own`,
    );
  }
  const keys = name === undefined ? [] : await createCosignerKeys(directory, name, { mlDsa });
  const store = await openRecordStore(join(directory, 'state'), { create: true });
  await store.commit({ put: [[nameKey, utf8(name ?? '')]] });
  await store.close();
  return keys;
}

/** Throws `state-missing`, `store-corrupt` and `store-locked`. */
export function openMonitorState(directory: string): Promise<RecordStore> {
  return openRecordStore(join(directory, 'state'), { create: false });
}

/** The keys of a monitor that was made with a name. Throws `bad-usage` for another one, and `bad-key`. */
export async function readMonitorKeys(
  directory: string,
  state: Pick<RecordStore, 'get'>,
): Promise<readonly NoteSigner[]> {
  const name = decodeUtf8(state.get(nameKey) ?? new Uint8Array(0));
  if (name === '') {
    throw new DaybookError(
      'bad-usage',
      `${directory} was made without --name, so that it has no key to cosign with: leave "cosign" out of the config, or make a new monitor`,
    );
  }
  return readCosignerKeys(directory, name);
}
