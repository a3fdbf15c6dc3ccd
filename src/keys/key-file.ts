/** Key files: a private key in PEM that only its owner may read, and its public key beside it in `.pub`. */
import { unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DaybookError } from '../errors.ts';
import type { PublicKey, SignatureAlgorithm, Signer } from '../signature/port.ts';
import { publicKeyFromPem, publicKeyToPem } from '../signature/public-key.ts';
import { generateKey, signerFromPem } from './node-signer.ts';
import { createFile, readSecretFile, readSmallFile, syncDirectory } from './secret-file.ts';

/**
 * Makes a private key in the new file `path` (mode 0600) and its public key in the new file
 * `<path>.pub`; both are durable when it resolves. Throws `file-unreadable` when one exists already.
 */
export async function createKeyFile(path: string, algorithm: SignatureAlgorithm): Promise<Signer> {
  return storeKey(path, await generateKey(algorithm));
}

/** As createKeyFile, with the private key of the file `from`; throws what readKeyFile throws, too. */
export async function copyKeyFile(from: string, path: string): Promise<Signer> {
  return storeKey(path, await readSecretFile(from));
}

async function storeKey(path: string, pem: string): Promise<Signer> {
  const signer = signerFromPem(pem);
  await createFile(path, pem, 0o600);
  try {
    await createFile(`${path}.pub`, publicKeyToPem(signer.publicKey), 0o644);
  } catch (error) {
    await unlink(path);
    throw error;
  }
  await syncDirectory(dirname(path));
  return signer;
}

/**
 * Throws `file-unreadable`, and `bad-key` for a file that others may read or that holds no
 * unencrypted private key.
 */
export async function readKeyFile(path: string): Promise<Signer> {
  return parseKey(path, await readSecretFile(path), signerFromPem);
}

/** Throws `file-unreadable`, and `bad-key` for a file that holds no public key. */
export async function readPublicKeyFile(path: string): Promise<PublicKey> {
  const { text } = await readSmallFile(path);
  return parseKey(path, text, publicKeyFromPem);
}

function parseKey<T>(path: string, text: string, parse: (pem: string) => T): T {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof DaybookError)) throw cause;
    throw new DaybookError(cause.code, `${path}: ${cause.message}`, { cause });
  }
}
