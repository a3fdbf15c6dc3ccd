/** What lies in a log's data directory, and the keys that are made there on first start. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { equalBytes } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { createKeyFile, readKeyFile } from '../keys/key-file.ts';
import type { Signer } from '../signature/port.ts';

export interface DataFiles {
  /** LevelDB. Only the running log opens it. */
  readonly database: string;
  /** The newest signed head, outside the database. */
  readonly head: string;
  /** Private key (PKCS#8 PEM, mode 0600) that signs checkpoints. */
  readonly logKey: string;
  /** The same, ML-DSA-44: where the operator has put one, it signs beside the first. */
  readonly mlDsaKey: string;
  /** The log's public keys as vkeys, one on each line. */
  readonly vkey: string;
  /** A C2SP tlog-policy that trusts this log alone, with the quorum of its witnesses. */
  readonly policy: string;
  /** Private key (mode 0600) of the registrar, who admits issuers; the running log does not need it. */
  readonly registrarKey: string;
  /** Where the running log listens, for commands on the same machine. */
  readonly server: string;
}

export function dataFiles(directory: string): DataFiles {
  return {
    database: join(directory, 'db'),
    head: join(directory, 'head'),
    logKey: join(directory, 'log.key'),
    mlDsaKey: join(directory, 'log-mldsa.key'),
    vkey: join(directory, 'log.vkey'),
    policy: join(directory, 'log.policy'),
    registrarKey: join(directory, 'registrar.key'),
    server: join(directory, 'server.json'),
  };
}

/** A key that may be made when it is missing: only before the log has its first entry. */
export async function readOrCreateKey(path: string): Promise<Signer> {
  if (!(await exists(path))) await createKeyFile(path, 'ed25519');
  return readKeyFile(path);
}

/** The log's key of a log that has entries: a new one would be another log's. */
export async function readLogKey(path: string): Promise<Signer> {
  if (!(await exists(path))) {
    throw new DaybookError(
      'bad-key',
      `${path} is missing, and this log cannot sign with another key: bring it back from your backup`,
    );
  }
  return readKeyFile(path);
}

/** Writes a small public file that can be made again, unless it says the same already. */
export async function writePublicFile(path: string, bytes: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (present && equalBytes(present, bytes)) return;
  try {
    await writeFile(path, bytes);
  } catch (cause) {
    throw new DaybookError('store-failed', `${path} cannot be written: ${String(cause)}`, {
      cause,
    });
  }
}

export async function exists(path: string): Promise<boolean> {
  try {
    await readFile(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT';
  }
}
