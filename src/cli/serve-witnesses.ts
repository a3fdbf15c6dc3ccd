/** The files that tell `daybook serve` about its witnesses and auditors: C2SP tlog-policy, with URLs. */
import { DaybookError } from '../errors.ts';
import { dataFiles } from '../log/data-directory.ts';
import type { LogOptions } from '../log/log.ts';
import { MAX_POLICY_BYTES, parsePolicy, type TrustPolicy } from '../verify/policy.ts';
import { isThere, readBytes } from './files.ts';
import type { ServeConfig } from './serve-config.ts';

/** A note has at most 64 signatures, two of them the log's own. */
const MAX_COSIGNERS = 60;

/** Throws `file-unreadable`, `bad-policy` for a file that cannot be used, `bad-usage` for options that want one. */
export async function readWitnesses(config: ServeConfig): Promise<LogOptions['witnesses']> {
  const { witnesses: path, auditors: auditorsPath, overrideWitness, heartbeatMs } = config;
  if (path === undefined) {
    if (auditorsPath !== undefined || overrideWitness.length > 0) {
      throw new DaybookError(
        'bad-usage',
        '--auditors and --override-witness are for a log with witnesses: give it their file with --witnesses',
      );
    }
    await checkNeverWitnessed(config.data);
    return undefined;
  }
  const policy = await readPolicy(path);
  const auditors = auditorsPath === undefined ? [] : (await readPolicy(auditorsPath)).witnesses;
  const count = policy.witnesses.length + auditors.length;
  if (count > MAX_COSIGNERS) {
    throw new DaybookError(
      'bad-policy',
      `${count} witnesses and auditors are too many for a checkpoint, want at most ${MAX_COSIGNERS}`,
    );
  }
  const unknown = overrideWitness.find(
    (name) => !policy.witnesses.some((witness) => witness.name === name),
  );
  if (unknown !== undefined) {
    throw new DaybookError('bad-usage', `--override-witness ${unknown}: no witness in ${path}`);
  }
  return { policy, heartbeatMs, auditors, overridden: overrideWitness };
}

/** Whoever forgets the witnesses of a log would let an old backup of it sign a fork. */
async function checkNeverWitnessed(directory: string): Promise<void> {
  const { policy: path } = dataFiles(directory);
  if (!(await isThere(path))) return;
  const { witnesses } = parsePolicy(await readBytes(path, MAX_POLICY_BYTES));
  if (witnesses.length === 0) return;
  throw new DaybookError(
    'bad-usage',
    `the log in ${directory} has the witnesses ${witnesses.map(({ name }) => name).join(', ')}: give it ` +
      'their file with --witnesses, or to go on without them a file that says `quorum none`',
  );
}

async function readPolicy(path: string): Promise<TrustPolicy> {
  let policy: TrustPolicy;
  try {
    policy = parsePolicy(await readBytes(path, MAX_POLICY_BYTES));
  } catch (cause) {
    if (!(cause instanceof DaybookError) || cause.code !== 'bad-policy') throw cause;
    throw new DaybookError('bad-policy', `${path}: ${cause.message}`, { cause });
  }
  for (const { name, url } of policy.witnesses) {
    if (url !== undefined && /^https?:\/\/[^/]/.test(url)) continue;
    throw new DaybookError(
      'bad-policy',
      `${path}: witness ${name} has ${url === undefined ? 'no URL' : `the URL ${url}`}, want one with http:// or https:// to ask it`,
    );
  }
  return policy;
}
