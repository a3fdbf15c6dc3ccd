/**
 * The directory of a cosigner (a witness, a mirror, a monitor): its keys, and `state/`, which knows what
 * it has signed and whose state it is. Both are made once and together: a key never meets an empty
 * state, or the state of another key.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { createCosignerKeys, readCosignerKeys } from '../keys/cosigner-keys.ts';
import type { NoteSigner } from '../note/sign.ts';
import { checkKeyName, formatVkey, parseVkey, type VerifierKey } from '../note/vkey.ts';
import { createDirectory } from '../store/directory.ts';
import { openRecordStore, type RecordStore } from '../store/record-store.ts';

export interface NewCosigner {
  /** Its name in its cosignatures: a URL without scheme. Without one there are no keys. */
  readonly name?: string | undefined;
  /** Whether it cosigns with ML-DSA-44 beside Ed25519. */
  readonly mlDsa?: boolean | undefined;
  /** File of an Ed25519 private key to take instead of a new one. It must never have cosigned elsewhere. */
  readonly keyFile?: string | undefined;
}

/** Record of the vkeys, one a line, whose state this is. */
const VKEYS = 'vkeys';

/**
 * Makes the keys and the empty state of a new cosigner in `directory`, which may exist but must be
 * empty. Throws `wrong-directory`, `file-unreadable` and `bad-key`.
 */
export async function initCosigner(
  directory: string,
  { name, mlDsa = false, keyFile }: NewCosigner,
): Promise<VerifierKey[]> {
  if (name !== undefined) checkKeyName(name);
  await createDirectory(directory);
  const present = await readdir(directory);
  if (present.length > 0) {
    throw new DaybookError(
      'wrong-directory',
      `${directory} holds ${present.slice(0, 3).join(', ')}: a new cosigner wants an empty directory`,
    );
  }
  const signers =
    name === undefined ? [] : await createCosignerKeys(directory, name, { mlDsa, keyFile });
  const state = await openState(directory, true);
  try {
    await state.commit({ put: [[VKEYS, utf8(vkeyLines(signers))]] });
  } finally {
    await state.close();
  }
  return signers.map(({ key }) => key);
}

/**
 * The state and the keys that belong to it, none for a cosigner without a name. Throws `state-missing`,
 * `store-corrupt`, `store-locked`, `wrong-directory` when the keys were exchanged, and what reading keys
 * throws.
 */
export async function openCosigner(
  directory: string,
): Promise<{ readonly store: RecordStore; readonly signers: readonly NoteSigner[] }> {
  const store = await openState(directory, false);
  try {
    return { store, signers: await readSigners(directory, store) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function readSigners(directory: string, store: RecordStore): Promise<NoteSigner[]> {
  const vkeys = store.get(VKEYS);
  if (vkeys === undefined) {
    throw new DaybookError(
      'state-missing',
      `${directory} was not made to its end: delete it, and make it again`,
    );
  }
  const lines = decodeUtf8(vkeys);
  if (lines === '') return [];
  const [first = ''] = lines.split('\n');
  const signers = await readCosignerKeys(directory, parseVkey(first).name);
  if (vkeyLines(signers) !== lines) {
    throw new DaybookError(
      'wrong-directory',
      `the keys in ${directory} are not those that its state belongs to (${lines.trim().replaceAll('\n', ', ')}): ` +
        'no key may sign from the state of another one',
    );
  }
  return signers;
}

/** Throws what openRecordStore throws. */
export function openState(directory: string, create: boolean): Promise<RecordStore> {
  return openRecordStore(join(directory, 'state'), { create });
}

function vkeyLines(signers: readonly NoteSigner[]): string {
  return signers.map(({ key }) => `${formatVkey(key)}\n`).join('');
}
