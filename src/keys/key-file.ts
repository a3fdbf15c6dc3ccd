/** Key files: a private key in PEM that only its owner may read, and its public key beside it in `.pub`. */
import { open, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { DaybookError } from '../errors.ts';
import type { PublicKey, SignatureAlgorithm, Signer } from '../signature/port.ts';
import { publicKeyFromPem, publicKeyToPem } from '../signature/public-key.ts';
import { generateKey, signerFromPem } from './node-signer.ts';

/** More than the PEM of any key that is accepted. */
const MAX_FILE_BYTES = 64 * 1024;

/**
 * Makes a private key in the new file `path` (mode 0600) and its public key in the new file
 * `<path>.pub`; both are durable when it resolves. Throws `file-unreadable` when one exists already.
 */
export async function createKeyFile(path: string, algorithm: SignatureAlgorithm): Promise<Signer> {
  const pem = await generateKey(algorithm);
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
  const { text, mode } = await readSmallFile(path);
  // Windows has no such modes.
  if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
    throw new DaybookError(
      'bad-key',
      `others may use ${path} (mode ${(mode & 0o777).toString(8)}): run \`chmod 600 ${path}\`, and replace the key if they had access`,
    );
  }
  return parseKey(path, text, signerFromPem);
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

/** Mode and text of one and the same file, even if the path is given to another meanwhile. */
async function readSmallFile(path: string): Promise<{ text: string; mode: number }> {
  try {
    await using file = await open(path, 'r');
    const { mode, size } = await file.stat();
    if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes, too many for a key`);
    return { text: await file.readFile('utf8'), mode };
  } catch (cause) {
    throw unusable('read', path, cause);
  }
}

async function createFile(path: string, text: string, mode: number): Promise<void> {
  try {
    await using file = await open(path, 'wx', mode);
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    throw unusable('create', path, cause);
  }
}

/** Makes the names of new files durable. */
async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open a directory.
  if (process.platform === 'win32') return;
  await using directory = await open(path, 'r');
  await directory.sync();
}

function unusable(verb: string, path: string, cause: unknown): DaybookError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
  return new DaybookError(
    'file-unreadable',
    exists ? `${path} exists already: choose another name` : `cannot ${verb} ${path}: ${reason}`,
    { cause },
  );
}
