/** The keys of a cosigner (C2SP tlog-cosignature), in a directory of its own: Ed25519, and ML-DSA-44 beside it. */
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { NoteSigner } from '../note/sign.ts';
import { checkKeyName, verifierKey } from '../note/vkey.ts';
import type { Signer } from '../signature/port.ts';
import { copyKeyFile, createKeyFile, readKeyFile } from './key-file.ts';

const keyTypes = [
  { file: 'cosigner.key', algorithm: 'ed25519', type: 0x04 },
  { file: 'cosigner-mldsa.key', algorithm: 'ml-dsa-44', type: 0x06 },
] as const;

export interface NewCosignerKeys {
  readonly mlDsa: boolean;
  /** File of an Ed25519 private key that is copied; without it a new one is made. */
  readonly keyFile?: string | undefined;
}

/**
 * Makes `cosigner.key`, and `cosigner-mldsa.key` where asked for, each with its public key beside it.
 * Throws `file-unreadable` when one exists already, `bad-key` for a name that no note can carry and
 * a `keyFile` that readKeyFile refuses or that is not Ed25519.
 */
export async function createCosignerKeys(
  directory: string,
  name: string,
  { mlDsa, keyFile }: NewCosignerKeys,
): Promise<NoteSigner[]> {
  checkKeyName(name);
  // Before anything is made.
  if (keyFile !== undefined) noteSigner(name, 0x04, await readKeyFile(keyFile));
  const signers: NoteSigner[] = [];
  for (const { file, algorithm, type } of keyTypes) {
    if (algorithm === 'ml-dsa-44' && !mlDsa) continue;
    const path = join(directory, file);
    const copied = algorithm === 'ed25519' ? keyFile : undefined;
    const signer = await (copied === undefined
      ? createKeyFile(path, algorithm)
      : copyKeyFile(copied, path));
    signers.push(noteSigner(name, type, signer));
  }
  return signers;
}

/** The keys in `directory`, Ed25519 first. Throws `file-unreadable` when that one is missing, and `bad-key`. */
export async function readCosignerKeys(directory: string, name: string): Promise<NoteSigner[]> {
  const signers: NoteSigner[] = [];
  for (const { file, algorithm, type } of keyTypes) {
    const path = join(directory, file);
    if (algorithm === 'ml-dsa-44' && !(await exists(path))) continue;
    signers.push(noteSigner(name, type, await readKeyFile(path)));
  }
  return signers;
}

function noteSigner(name: string, type: 0x04 | 0x06, signer: Signer): NoteSigner {
  return { key: verifierKey(name, type, signer.publicKey), signer };
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
