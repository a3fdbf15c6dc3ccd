/** What every command that logs a statement shares: its options, the log it talks to, signing and sending. */
import type { Command } from 'commander';
import { Http } from '../http/outbound.ts';
import { LogClient } from '../client/log-client.ts';
import type { Submitted } from '../client/submit.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { nodeTreeHasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import type { PublicKey, Signer } from '../signature/port.ts';
import {
  formatEnvelope,
  isEnvelopeSignedBy,
  parseEnvelope,
  signEnvelope,
} from '../statement/dsse.ts';
import { inTotoPayloadType, maxSubjects, type Subject } from '../statement/in-toto.ts';
import type { TrustPolicy } from '../verify/policy.ts';
import { logState } from './log-state.ts';
import { print } from './output.ts';
import {
  hashArtifacts,
  manifestOf,
  type Artifacts,
  type ManifestFile,
} from './submit-artifacts.ts';
import { blamingState, trustedLog, type TrustOptions } from './trust.ts';

export interface LogOptions extends TrustOptions {
  readonly log: string;
  readonly mirror?: readonly string[] | undefined;
  readonly state?: string | undefined;
}

export interface SigningOptions extends LogOptions {
  readonly key: string;
}

/** A log as the command line trusts it. */
export interface TrustedLog {
  readonly client: LogClient;
  readonly policy: TrustPolicy;
}

export function withLogOptions(command: Command): Command {
  return command
    .requiredOption('--log <URL>', 'base URL of the log')
    .option('--vkey <V>', "the log's public key")
    .option('--policy <F>', 'trust policy for the answer, instead of --vkey')
    .option(
      '--state <DIR>',
      'where keys and checkpoints of logs are remembered (default: XDG state)',
    );
}

export function withSigningOptions(command: Command): Command {
  return withLogOptions(command).requiredOption('--key <F>', 'private key of an admitted issuer');
}

/** The key to sign with. Refuses a wrong `--log` as well, so that it is told before long work. */
export async function readSigner({ key, log }: SigningOptions): Promise<Signer> {
  const signer = await readKeyFile(key);
  new Http(log);
  return signer;
}

/** Runs `use` with a client of the log that the options name and the keys that they trust. */
export async function withTrustedLog<T>(
  options: LogOptions,
  use: (log: TrustedLog) => Promise<T>,
): Promise<T> {
  const state = logState(new Http(options.log).base, options.state);
  return blamingState(state, async () => {
    const policy = await trustedLog(options.log, options, state);
    const client = new LogClient({
      url: options.log,
      mirrors: options.mirror,
      policy,
      state,
      verifier: nodeVerifier,
      hasher: nodeTreeHasher,
    });
    return use({ client, policy });
  });
}

/** The entry: an envelope around an in-toto statement's payload. */
export async function signPayload(payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [signer]));
}

export interface SignedEntry {
  readonly entry: Uint8Array;
  readonly subjects: readonly Subject[];
  /** Where the proof of these subjects belongs. */
  readonly proofPaths: readonly string[];
  /** What the entry names in the place of the files, where they do not fit it; not written yet. */
  readonly manifest: ManifestFile | undefined;
}

/** One statement about all files or, where that does not fit an entry, about a manifest of them. */
export async function signAbout(
  artifacts: Artifacts,
  statement: (subjects: readonly Subject[]) => Uint8Array,
  signer: Signer,
): Promise<SignedEntry> {
  const { subjects, paths, target } = artifacts;
  if (subjects.length > 0 && subjects.length <= maxSubjects) {
    const entry = await signPayload(statement(subjects), signer);
    const proofPaths = paths.map((path) => `${path}.tlog-proof`);
    if (entry.length <= MAX_ENTRY_BYTES)
      return { entry, subjects, proofPaths, manifest: undefined };
  }
  const manifest = manifestOf(artifacts);
  const entry = await signPayload(statement([manifest.subject]), signer);
  return { entry, subjects: [manifest.subject], proofPaths: [`${target}.tlog-proof`], manifest };
}

/**
 * Logs an entry and checks that what the log shows for it is signed by `key`: the answer may be an
 * earlier envelope of the same statement, and is what others will read. Throws as
 * `LogClient.submit`, and `signature-invalid`.
 */
export async function logEntry(
  { client }: TrustedLog,
  entry: Uint8Array,
  key: PublicKey,
): Promise<Submitted> {
  const submitted = await client.submit(entry);
  if (!equalBytes(submitted.entry, entry) && !(await isSignedBy(submitted.entry, [key]))) {
    throw new DaybookError(
      'signature-invalid',
      `the log's answer does not verify: its entry ${submitted.index} is not signed by ${key.fingerprint}`,
    );
  }
  return submitted;
}

/** Whether a signature of the entry's envelope verifies under one of `keys`. Throws `bad-entry`. */
export async function isSignedBy(entry: Uint8Array, keys: readonly PublicKey[]): Promise<boolean> {
  return isEnvelopeSignedBy(parseEnvelope(entry), keys, nodeVerifier);
}

/** Logs a statement about files, or about the manifest of a directory, and says where. */
export async function logAbout(
  paths: readonly string[],
  statement: (subjects: readonly Subject[]) => Uint8Array,
  options: SigningOptions,
  signer: Signer,
  what: string,
): Promise<void> {
  const { entry, manifest } = await signAbout(await hashArtifacts(paths), statement, signer);
  const named = manifest?.subject.name;
  const about = named === undefined ? what : `${what} (of the manifest ${named})`;
  await logAndReport(entry, options, signer, about);
}

export async function logAndReport(
  entry: Uint8Array,
  options: SigningOptions,
  signer: Signer,
  what: string,
): Promise<void> {
  await withTrustedLog(options, async (log) => {
    reportLogged(await logEntry(log, entry, signer.publicKey), what);
  });
}

export function reportLogged({ index, duplicate, head }: Submitted, what: string): void {
  print(
    `${duplicate ? 'logged already' : 'logged'}: ${what} is entry ${index} of ${head.origin} (size ${head.size})`,
  );
}
