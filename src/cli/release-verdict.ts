/** What the commands that judge by a release policy share: their options, what they read, the verdict. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { LogClient } from '../client/log-client.ts';
import { DaybookError } from '../errors.ts';
import { nodeTreeHasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { MAX_RELEASE_FILE_BYTES } from '../proof/release-file.ts';
import type { ReleasePolicy } from '../verify/release-policy.ts';
import { readPolicyDocument } from '../verify/signed-policy.ts';
import type { TrustState } from '../verify/trust-state.ts';
import { verifyRelease, type ReleaseVerdict } from '../verify/verify-release.ts';
import { isThere, makeFolder, readBytes, writeAtomically } from './files.ts';
import { stateDirectory } from './log-state.ts';
import { collect, withMirrorOption } from './options.ts';
import { note, print } from './output.ts';

export interface ReleaseOptions {
  readonly policy: string;
  readonly proof?: string;
  readonly purl?: string;
  readonly channel?: readonly string[];
  readonly log?: string;
  readonly mirror?: readonly string[];
  readonly state?: string;
}

/** Options that a release policy needs beside `--policy`. */
export function withReleaseOptions(command: Command): Command {
  return withMirrorOption(command)
    .option('--proof <F>', 'release or proof file (default: FILE.release, else FILE.tlog-proof)')
    .option('--purl <P>', 'product that it must be, such as pkg:generic/acme/scanner@1.2.3')
    .option('--channel <F>', 'channel file; may be repeated', collect)
    .option('--log <URL>', 'log to fetch the channels of the policy from')
    .option('--state <DIR>', 'where it is remembered what was seen (default: XDG state)');
}

/** All that a verdict needs but for the artifact and what was seen before. */
export interface Judge {
  readonly policy: ReleasePolicy;
  readonly judge: (sha256: Uint8Array, state: TrustState) => Promise<ReleaseVerdict>;
}

/** As `Judge`, for several artifacts that each have a proof of their own, and channels besides those of all. */
export interface JudgeOfMany {
  readonly policy: ReleasePolicy;
  readonly judge: (
    sha256: Uint8Array,
    proof: Uint8Array,
    state: TrustState,
    channels?: readonly Uint8Array[],
  ) => Promise<ReleaseVerdict>;
}

/**
 * Reads all that does not depend on the artifact, so that a missing file is told before a long hash.
 * `base` is the artifact's path, which its proof's name begins with.
 */
export async function readJudge(
  base: string,
  policyBytes: Uint8Array,
  options: ReleaseOptions,
): Promise<Judge> {
  const proof = await readBytes(options.proof ?? (await proofOf(base)), MAX_RELEASE_FILE_BYTES);
  const { policy, judge } = await readJudgeOfMany(policyBytes, options);
  return { policy, judge: (sha256, state) => judge(sha256, proof, state) };
}

/** Reads the policy and the channels. */
export async function readJudgeOfMany(
  policyBytes: Uint8Array,
  options: Omit<ReleaseOptions, 'policy' | 'proof'>,
): Promise<JudgeOfMany> {
  const policy = await readPolicyDocument(policyBytes, nodeVerifier);
  const given = (options.channel ?? []).map((path) => readBytes(path, MAX_RELEASE_FILE_BYTES));
  const channels = [...(await Promise.all(given)), ...(await newestChannels(policy, options))];
  const { purl } = options;
  return {
    policy,
    judge: (sha256, proof, state, more = []) =>
      verifyRelease({
        artifact: { sha256 },
        proof,
        channels: [...channels, ...more],
        policy,
        now: Math.floor(Date.now() / 1000),
        state,
        purl,
        verifier: nodeVerifier,
        hasher: nodeTreeHasher,
      }),
  };
}

async function proofOf(base: string): Promise<string> {
  return (await isThere(`${base}.release`)) ? `${base}.release` : `${base}.tlog-proof`;
}

/**
 * The channel files that the policy demands, as the log shows them now. One that could not be fetched
 * is told, and the one that was fetched last takes its place: how old it may be is for the policy to say.
 */
async function newestChannels(
  policy: ReleasePolicy,
  { log, mirror, state }: Pick<ReleaseOptions, 'log' | 'mirror' | 'state'>,
): Promise<Uint8Array[]> {
  if (log === undefined) return [];
  const names = new Set(
    policy.products.flatMap(({ channels }) => channels.map(({ channel }) => channel)),
  );
  const folder = join(state ?? stateDirectory(), 'channels');
  await makeFolder(folder);
  const client = new LogClient({
    url: log,
    mirrors: mirror,
    policy: policy.trust,
    verifier: nodeVerifier,
    hasher: nodeTreeHasher,
  });
  const files = await Promise.all(
    [...names].map(async (name) => {
      const kept = join(folder, encodeURIComponent(name));
      try {
        const bytes = await client.channelFile(name);
        await writeAtomically(kept, bytes);
        return bytes;
      } catch (error) {
        if (!(error instanceof DaybookError)) throw error;
        note(`the channel ${name} could not be fetched: ${error.message}`);
        return (await isThere(kept)) ? readBytes(kept, MAX_RELEASE_FILE_BYTES) : undefined;
      }
    }),
  );
  return files.filter((file) => file !== undefined);
}

/** Every rule with its outcome and the entries that show it, then what is worth knowing. */
export function printRules({ rules, warnings }: ReleaseVerdict): void {
  for (const { rule, ok, detail, indexes } of rules) {
    const entries = indexes.length === 0 ? '' : ` [${indexes.join(', ')}]`;
    print(`${ok ? 'ok    ' : 'FAILED'}  ${rule.padEnd(14)}  ${detail}${entries}`);
  }
  for (const warning of warnings) print(`note    ${warning}`);
}
