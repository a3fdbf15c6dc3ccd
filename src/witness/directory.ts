/** A witness's directory: its keys, and `state/`, which knows what each log has shown and whose state it is. */
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { createCosignerKeys, readCosignerKeys } from '../keys/cosigner-keys.ts';
import type { NoteSigner } from '../note/sign.ts';
import { checkKeyName, formatVkey, parseVkey, type VerifierKey } from '../note/vkey.ts';
import { openRecordStore, type RecordStore } from '../store/record-store.ts';

export interface NewWitness {
  /** The witness's name in its cosignatures: a URL without scheme. */
  readonly name: string;
  /** Whether it cosigns with ML-DSA-44 beside Ed25519. */
  readonly mlDsa?: boolean;
  /** File of an Ed25519 private key to take instead of a new one. It must never have cosigned elsewhere. */
  readonly keyFile?: string;
}

/** Record of the vkeys, one a line, whose state this is. */
const VKEYS = 'vkeys';

/**
 * Makes the keys and the empty state of a new witness in `directory`, which may exist but must be
 * empty. Throws `wrong-directory`, `file-unreadable` and `bad-key`.
 */
export async function initWitness(directory: string, made: NewWitness): Promise<VerifierKey[]> {
  checkKeyName(made.name);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const present = await readdir(directory);
  if (present.length > 0) {
    throw new DaybookError(
      'wrong-directory',
      `${directory} holds ${present.slice(0, 3).join(', ')}: a new witness wants an empty directory`,
    );
  }
  const { mlDsa = false, keyFile } = made;
  const signers = await createCosignerKeys(directory, made.name, { mlDsa, keyFile });
  const state = await openState(directory, true);
  try {
    await state.commit({ put: [[VKEYS, utf8(vkeyLines(signers))]] });
  } finally {
    await state.close();
  }
  return signers.map(({ key }) => key);
}

/**
 * The state and the keys that belong to it. Throws `state-missing`, `store-corrupt`,
 * `wrong-directory` when the keys were exchanged, and what reading keys throws.
 */
export async function openWitnessState(
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
      `${directory} was not made to its end: delete it, and make the witness again`,
    );
  }
  const lines = decodeUtf8(vkeys);
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
