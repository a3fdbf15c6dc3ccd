/**
 * The keys that sign checkpoints: Ed25519 always, and ML-DSA-44 beside it where the operator has put
 * such a key into the data directory. Each signs every checkpoint.
 */
import { existsSync } from 'node:fs';
import { utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import type { NoteSigner } from '../note/sign.ts';
import { formatVkey, parseVkey, verifierKey, type VerifierKey } from '../note/vkey.ts';
import type { AdmissionState } from '../statement/admission.ts';
import { formatPolicy, type TrustPolicy } from '../verify/policy.ts';
import { readLogKey, readOrCreateKey, writePublicFile, type DataFiles } from './data-directory.ts';

/** Of a log without witnesses. */
export const withoutWitnesses: TrustPolicy = {
  logs: [],
  witnesses: [],
  groups: [],
  quorum: 'none',
};

/**
 * The keys of a new log, which its genesis entry names; the Ed25519 key is made when it is missing.
 * Without an origin a name is made from it. Throws `bad-key` for a name that no note can carry.
 */
export async function createLogKeys(
  files: DataFiles,
  origin: string | undefined,
): Promise<VerifierKey[]> {
  const { publicKey } = await readOrCreateKey(files.logKey);
  const name = origin ?? `daybook.localhost/${publicKey.fingerprint.slice(0, 8)}`;
  const keys = [verifierKey(name, 0x01, publicKey)];
  if (existsSync(files.mlDsaKey)) keys.push((await readMlDsa(files, name)).key);
  return keys;
}

/**
 * The keys of a log that has entries, as genesis names them. An ML-DSA-44 key that genesis does not
 * name signs too: it was added later. Throws `bad-key`.
 */
export async function openLogKeys(
  files: DataFiles,
  { origin, logKeys }: AdmissionState,
): Promise<NoteSigner[]> {
  const named = logKeys.map(parseVkey);
  const signer = await readLogKey(files.logKey);
  const first = { key: verifierKey(origin, 0x01, signer.publicKey), signer };
  checkNamed(files.logKey, first, named);
  const needsMlDsa = named.some(({ type }) => type === 0x06);
  if (!needsMlDsa && !existsSync(files.mlDsaKey)) return [first];
  const second = await readMlDsa(files, origin);
  if (needsMlDsa) checkNamed(files.mlDsaKey, second, named);
  return [first, second];
}

async function readMlDsa({ mlDsaKey }: DataFiles, origin: string): Promise<NoteSigner> {
  const signer = await readLogKey(mlDsaKey);
  return { key: verifierKey(origin, 0x06, signer.publicKey), signer };
}

function checkNamed(path: string, { key }: NoteSigner, named: readonly VerifierKey[]): void {
  const vkey = formatVkey(key);
  const vkeys = named.map(formatVkey);
  if (vkeys.includes(vkey)) return;
  throw new DaybookError(
    'bad-key',
    `${path} is not a key of the log ${key.name}, whose genesis entry names ${vkeys.join(', ')}`,
  );
}

/** `log.vkey`, a line for each key, and `log.policy`, which asks for the quorum of the log's own witnesses. */
export async function writePublicFiles(
  files: DataFiles,
  keys: readonly VerifierKey[],
  policy: TrustPolicy = withoutWitnesses,
): Promise<void> {
  await writePublicFile(files.vkey, utf8(keys.map((key) => `${formatVkey(key)}\n`).join('')));
  const logs = keys.map((key) => ({ key }));
  await writePublicFile(files.policy, formatPolicy({ ...policy, logs }));
}
