/** Which log keys a command trusts: a policy, a vkey, or the key that was pinned on first use. */
import { join } from 'node:path';
import { discoverVkeys } from '../client/discover.ts';
import type { ForkEvidence } from '../client/trusted-head.ts';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { policyOfLogs } from '../verify/log-policy.ts';
import { MAX_POLICY_BYTES, parsePolicy, type TrustPolicy } from '../verify/policy.ts';
import { readBytes, writeAtomically } from './files.ts';
import type { LogState } from './log-state.ts';
import { note } from './output.ts';

export interface TrustOptions {
  readonly vkey?: string | undefined;
  readonly policy?: string | undefined;
}

export async function readPolicy(path: string): Promise<TrustPolicy> {
  const bytes = await readBytes(path, MAX_POLICY_BYTES);
  try {
    return parsePolicy(bytes);
  } catch (error) {
    if (!(error instanceof DaybookError)) throw error;
    throw new DaybookError(error.code, `${path}: ${error.message}`, { cause: error });
  }
}

export async function trustedLog(
  url: string,
  { vkey, policy }: TrustOptions,
  state: LogState,
): Promise<TrustPolicy> {
  if (vkey !== undefined && policy !== undefined) {
    throw new DaybookError('bad-usage', 'give either --vkey or --policy, not both');
  }
  if (policy !== undefined) return readPolicy(policy);
  if (vkey !== undefined) return policyOfVkey(vkey);
  const pinned = await state.loadPin();
  if (pinned !== undefined) return policyOfLogs(decodeUtf8(pinned).trim().split('\n'));
  const vkeys = await discoverVkeys({ url, verifier: nodeVerifier });
  await state.savePin(utf8(`${vkeys.join('\n')}\n`));
  note(`Trusting this log's key on first use: ${vkeys.join(', ')}`);
  note(`It is kept in ${state.folder}; give --vkey or --policy to decide yourself.`);
  return policyOfLogs(vkeys);
}

function policyOfVkey(vkey: string): TrustPolicy {
  try {
    return policyOfLogs([vkey]);
  } catch (error) {
    if (!(error instanceof DaybookError)) throw error;
    throw new DaybookError('bad-usage', `wrong --vkey: ${error.message}`, { cause: error });
  }
}

/** Says where the trust came from, when a log does not deserve it, and keeps what convicts the log. */
export async function blamingState<T>(state: LogState, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    const doubtful =
      error instanceof DaybookError && ['untrusted-checkpoint', 'log-forked'].includes(error.code);
    if (!doubtful) throw error;
    const evidence = (error.cause as Partial<ForkEvidence> | undefined)?.evidence;
    if (evidence) await keepEvidence(join(state.folder, 'evidence.json'), evidence);
    throw new DaybookError(
      error.code,
      `${error.message}. What is remembered of this log lies in ${state.folder}; delete that folder only if you know that the log was made anew`,
      { cause: error },
    );
  }
}

async function keepEvidence(path: string, evidence: Uint8Array): Promise<void> {
  await writeAtomically(path, evidence);
  note(
    `Evidence that convicts the log: ${path}. Check it with \`daybook evidence verify\`, and give it to everybody`,
  );
}
