/** The master secret behind a source commitment, in a file: 64 lowercase hex digits and a line feed. */
import { randomBytes } from 'node:crypto';
import { dirname } from 'node:path';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { MASTER_BYTES } from '../statement/source-tree.ts';
import { createFile, readSecretFile, syncDirectory } from './secret-file.ts';

/** A new secret of 32 bytes, durable in the new file `path` (mode 0600). Throws `file-unreadable`. */
export async function createMasterFile(path: string): Promise<Uint8Array> {
  const master = new Uint8Array(randomBytes(MASTER_BYTES));
  await createFile(path, `${encodeHex(master)}\n`, 0o600);
  await syncDirectory(dirname(path));
  return master;
}

/** Throws `file-unreadable`, and `bad-key` for a file that others may read or that holds no master secret. */
export async function readMasterFile(path: string): Promise<Uint8Array> {
  const text = await readSecretFile(path);
  if (/^[0-9a-f]{64}\n?$/.test(text)) return decodeHex(text.trimEnd());
  throw new DaybookError(
    'bad-key',
    `${path} holds no master secret, which is 64 lowercase hex digits: make one with \`daybook source commit --new-master\``,
  );
}
