/**
 * `daybook gate`: runs a command on a file only if the policy holds, and on exactly the bytes that
 * were verified: on a private copy, made before anything is judged. FILE is not read again.
 */
import { userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError, errorKinds } from '../errors.ts';
import { nodeSha256 } from '../keys/node-hasher.ts';
import {
  compareManifest,
  MAX_MANIFEST_BYTES,
  parseManifest,
  type Manifest,
} from '../verify/manifest.ts';
import { isReleasePolicy } from '../verify/release-policy.ts';
import { MAX_POLICY_DOCUMENT_BYTES } from '../verify/signed-policy.ts';
import type { ReleaseVerdict } from '../verify/verify-release.ts';
import { recordOverride } from './audit-file.ts';
import { isDirectory, listFiles } from './directory.ts';
import { makeFolder, readBytes } from './files.ts';
import { commandOn, runCommand } from './gated-command.ts';
import { note } from './output.ts';
import { copyHashed, copyPath, privateDirectory, type PrivateDirectory } from './private-copy.ts';
import {
  readJudge,
  withReleaseOptions,
  type Judge,
  type ReleaseOptions,
} from './release-verdict.ts';
import { dropOthers, snapshot } from './snapshot.ts';
import { trustFile, withoutRelease, withTrustState } from './trust-file.ts';

interface Options extends ReleaseOptions {
  readonly manifest?: string;
  readonly override?: string;
  readonly work?: string;
}

export function register(program: Command): void {
  const command = program
    .command('gate')
    .description(
      'Run a command on FILE only if the release policy holds, on a private copy of exactly the bytes that were verified.',
    )
    .usage('[options] <FILE> -- <command> [args...]')
    .argument('<FILE>', 'file, or directory with its manifest')
    .argument('[command...]', 'command to run; {} stands for the copy, which else comes last')
    .requiredOption('--policy <F>', 'release policy');
  withReleaseOptions(command)
    .option('--manifest <F>', 'manifest of a directory (default: FILE.SHA256SUMS)')
    .option(
      '--override <REASON>',
      'run it although a rule of the policy fails, if the policy allows that; recorded in STATE/overrides.jsonl',
    )
    .option('--work <DIR>', 'where the private copy is made (default: the temporary directory)')
    .addHelpText(
      'after',
      "\nThe exit code is the command's, or one of docs/errors.md when it was not run.",
    )
    .action(gate);
}

async function gate(path: string, words: readonly string[], options: Options): Promise<void> {
  commandOn('', words);
  const policy = await readBytes(options.policy, MAX_POLICY_DOCUMENT_BYTES);
  if (!isReleasePolicy(policy)) {
    throw new DaybookError(
      'bad-usage',
      `${options.policy} is no release policy: see docs/policy.md`,
    );
  }
  const directory = await isDirectory(path);
  const base = directory ? resolve(path) : path;
  const judge = await readJudge(base, policy, options);
  const own = await privateDirectory(
    options.work ?? (directory ? await stateOf(options) : undefined),
  );
  try {
    const copy = directory
      ? await admitDirectory(base, own, judge, options)
      : await admitFile(path, own, judge, options);
    process.exitCode = await runCommand(commandOn(copy, words));
  } finally {
    await own.remove();
  }
}

/** Where a directory's snapshot is made: it is links to files that are kept there, on one filesystem. */
async function stateOf({ state }: Options): Promise<string> {
  const folder = dirname(trustFile(state));
  await makeFolder(folder);
  return folder;
}

async function admitFile(
  path: string,
  own: PrivateDirectory,
  judge: Judge,
  options: Options,
): Promise<string> {
  const copy = copyPath(own, path);
  const sha256 = await copyHashed(path, copy);
  await admit(path, sha256, judge, options);
  return copy;
}

/** The manifest is what was logged. It is judged before any of the files that it names are read. */
async function admitDirectory(
  path: string,
  own: PrivateDirectory,
  judge: Judge,
  options: Options,
): Promise<string> {
  const bytes = await readBytes(options.manifest ?? `${path}.SHA256SUMS`, MAX_MANIFEST_BYTES);
  const manifest = parseManifest(bytes);
  await checkNames(path, manifest);
  const copy = copyPath(own, path);
  const kept = join(await stateOf(options), 'files');
  await admit(path, nodeSha256(bytes), judge, options, async () => {
    const { read } = await snapshot(manifest, path, copy, kept);
    note(`${read} of ${manifest.size} files were read, the others were verified before`);
    await dropOthers(manifest, kept);
  });
  return copy;
}

/** Added and missing files are told before anything is read. */
async function checkNames(path: string, manifest: Manifest): Promise<void> {
  const names = await listFiles(path);
  const there = new Map(names.map((name) => [name, manifest.get(name) ?? '']));
  const differences = compareManifest(manifest, there);
  if (differences.length === 0) return;
  const shown = differences.slice(0, 10).join('; ');
  const more = differences.length > 10 ? `; and ${differences.length - 10} more` : '';
  throw new DaybookError('artifact-mismatch', `${path}: ${shown}${more}`);
}

/** Throws the refusal, or remembers the release as accepted, once `then` is done too. */
async function admit(
  path: string,
  sha256: Uint8Array,
  judge: Judge,
  options: Options,
  then: () => Promise<void> = async () => undefined,
): Promise<void> {
  const failure = await withTrustState(trustFile(options.state), async (before) => {
    const verdict = await judge.judge(sha256, before);
    for (const warning of verdict.warnings) note(`note: ${warning}`);
    try {
      if (!verdict.ok) await override(path, sha256, verdict, options);
      await then();
      return { result: undefined, state: verdict.state };
    } catch (error) {
      // Who was shown a withdrawal must not be given an older statement next time.
      return { result: { error }, state: withoutRelease(verdict.state, before) };
    }
  });
  if (failure !== undefined) throw failure.error;
}

/** Throws the verdict's refusal unless there is an override, and the policy allows it for what failed. */
async function override(
  path: string,
  sha256: Uint8Array,
  { code = 'internal', rules, mayOverride }: ReleaseVerdict,
  { override: reason, state }: Options,
): Promise<void> {
  const failed = rules.filter(({ ok }) => !ok);
  const why = failed.map(({ rule, detail }) => `${rule}: ${detail}`).join('; ');
  if (reason === undefined) throw new DaybookError(code, `REFUSED  ${path}: ${why}`);
  if (!mayOverride || reason.trim() === '') {
    throw new DaybookError(
      code,
      `REFUSED  ${path}: ${why}. --override does not help: ${reason.trim() === '' ? 'it needs a reason' : 'the policy does not allow it for this'}`,
    );
  }
  const audit = join(dirname(trustFile(state)), 'overrides.jsonl');
  await recordOverride(audit, {
    time: new Date().toISOString(),
    file: resolve(path),
    sha256: encodeHex(sha256),
    reason,
    codes: failed.map((each) => each.code ?? 'internal'),
    user: userInfo().username,
  });
  note(`OVERRIDDEN  ${path}: ${why} (${errorKinds[code].title}); recorded in ${audit}`);
}
