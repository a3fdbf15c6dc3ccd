/**
 * `daybook apt-hook`: as APT's `DPkg::Pre-Install-Pkgs`, refuses the whole run when any .deb fails the
 * release policy. APT stops with exit code 100 before dpkg unpacks anything.
 */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Command } from 'commander';
import { LogClient } from '../client/log-client.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { parseNote } from '../note/note.ts';
import { parseProofFile } from '../proof/as-release-file.ts';
import { MAX_RELEASE_FILE_BYTES } from '../proof/release-file.ts';
import { MAX_POLICY_DOCUMENT_BYTES } from '../verify/signed-policy.ts';
import type { TrustState } from '../verify/trust-state.ts';
import { MAX_APT_INPUT_BYTES, parseAptInput, type AptInstall } from './apt-protocol.ts';
import { aptConfiguration, type AptHookOptions } from './apt-setup.ts';
import { hashFile } from './file-hash.ts';
import { isThere, readBytes, writeAtomically } from './files.ts';
import { collect } from './options.ts';
import { asDaybookError, note, print } from './output.ts';
import { requireOwned } from './owned-path.ts';
import { readJudgeOfMany, type JudgeOfMany } from './release-verdict.ts';
import { trustFile, withoutRelease, withTrustState } from './trust-file.ts';

interface Options extends AptHookOptions {
  readonly install?: string | true;
}

/** A package that may be installed, as far as its file goes. */
interface Shown {
  readonly install: AptInstall;
  readonly sha256: Uint8Array;
  readonly proof: Uint8Array;
}

const CONFIGURATION = '/etc/apt/apt.conf.d/05daybook';

export function register(program: Command): void {
  program
    .command('apt-hook')
    .description(
      'Run by APT before it unpacks packages: refuse all of them when one fails the release policy. --install sets APT up.',
    )
    .requiredOption('--policy <F>', 'release policy')
    .option(
      '--releases <DIR>',
      'where release files are: DIR/NAME.deb.release or DIR/SHA256.release',
    )
    .option('--channel <F>', 'channel file; may be repeated', collect)
    .option('--log <URL>', 'log to fetch channels from, and release files that are not in DIR')
    .option('--state <DIR>', 'where it is remembered what was seen', '/var/lib/daybook')
    .option('--install [F]', `write APT's configuration (default: ${CONFIGURATION})`)
    .addHelpText('after', '\nRemovals and what is only configured pass. See docs/apt.md.')
    .action((options: Options) => (options.install === undefined ? hook(options) : setUp(options)));
}

async function setUp(options: Options): Promise<void> {
  const path = typeof options.install === 'string' ? options.install : CONFIGURATION;
  // A policy that cannot be read should be told now, not at the next upgrade.
  await readJudgeOfMany(await readBytes(options.policy, MAX_POLICY_DOCUMENT_BYTES), {});
  await writeAtomically(path, aptConfiguration(options));
  print(`${path}: APT installs only what passes ${options.policy}`);
}

async function hook(options: Options): Promise<void> {
  const installs = parseAptInput(await readInput());
  if (installs.length === 0) return;
  const policy = await readBytes(options.policy, MAX_POLICY_DOCUMENT_BYTES);
  const judge = await readJudgeOfMany(policy, options);
  const refusals: DaybookError[] = [];
  const shown: Shown[] = [];
  for (const install of installs) {
    try {
      await requireOwned(install.path);
      const sha256 = await hashFile(install.path);
      shown.push({ install, sha256, proof: await proofOf(install, sha256, judge, options) });
    } catch (error) {
      refusals.push(refusal(install, asDaybookError(error)));
    }
  }
  await withTrustState(trustFile(options.state), async (before) => {
    const state = await judgeAll(shown, judge, before, refusals);
    // Nothing of a run that is refused gets installed.
    return {
      result: undefined,
      state: refusals.length === 0 ? state : withoutRelease(state, before),
    };
  });
  for (const { message } of refusals) note(`daybook: ${message}`);
  const [first] = refusals;
  if (first !== undefined) {
    throw new DaybookError(
      first.code,
      `${refusals.length} of ${installs.length} packages are refused, so APT installs none`,
    );
  }
  note(`daybook: ${installs.length} packages pass ${options.policy}`);
}

async function readInput(): Promise<Uint8Array> {
  const bytes = await readFile('/dev/stdin');
  if (bytes.length <= MAX_APT_INPUT_BYTES) return bytes;
  throw new DaybookError(
    'bad-usage',
    `APT's input has ${bytes.length} bytes, want at most ${MAX_APT_INPUT_BYTES}`,
  );
}

/** From the folder, else from the log. What is in either needs no trust. */
async function proofOf(
  { path }: AptInstall,
  sha256: Uint8Array,
  { policy }: JudgeOfMany,
  { releases, log }: Options,
): Promise<Uint8Array> {
  // The digest comes first: two builds of one version share the names after it.
  const name = basename(path);
  const names = [`${encodeHex(sha256)}.release`, `${name}.release`, `${name}.tlog-proof`];
  if (releases !== undefined) {
    for (const file of names.map((each) => join(releases, each))) {
      if (await isThere(file)) return readBytes(file, MAX_RELEASE_FILE_BYTES);
    }
  }
  if (log === undefined) {
    const problem =
      releases === undefined
        ? 'there is no release file: give --releases or --log'
        : `none of ${names.join(', ')} is in ${releases}, nor is there a --log`;
    throw new DaybookError('file-unreadable', problem);
  }
  const client = new LogClient({ url: log, policy: policy.trust, verifier: nodeVerifier });
  const issuers = [...policy.keys.values()].map(({ key }) => key);
  return client.releaseFile(sha256, { issuers });
}

/**
 * The state after all of them; what is refused is added to `refusals`. Release files of one run may be
 * of different days: each is judged with the channels of all, and the older before the newer, so that
 * none looks like a step back from another.
 */
async function judgeAll(
  shown: readonly Shown[],
  { judge }: JudgeOfMany,
  before: TrustState,
  refusals: DaybookError[],
): Promise<TrustState> {
  let state = before;
  const channels = shown.flatMap(({ proof }) => channelsIn(proof));
  for (const { install, sha256, proof } of shown.toSorted(byTreeSize)) {
    const verdict = await judge(sha256, proof, state, channels);
    for (const warning of verdict.warnings) note(`daybook: ${install.name}: ${warning}`);
    state = verdict.state;
    if (verdict.ok) continue;
    const failed = verdict.rules.filter(({ ok }) => !ok);
    const why = failed.map(({ rule, detail }) => `${rule}: ${detail}`).join('; ');
    refusals.push(refusal(install, new DaybookError(verdict.code ?? 'internal', why)));
  }
  return state;
}

/** What cannot be read has nothing to show, and its verdict says why. */
function ifReadable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof DaybookError) return otherwise;
    throw error;
  }
}

function channelsIn(proof: Uint8Array): readonly Uint8Array[] {
  return ifReadable(() => {
    const parsed = parseProofFile(proof);
    return 'channels' in parsed ? parsed.channels : [];
  }, []);
}

function byTreeSize(a: Shown, b: Shown): number {
  const size = ({ proof }: Shown): number =>
    ifReadable<number>(
      () => parseCheckpoint(parseNote(parseProofFile(proof).checkpoint).text).size,
      0,
    );
  return size(a) - size(b);
}

function refusal({ name, version, path }: AptInstall, error: DaybookError): DaybookError {
  const message = `REFUSED  ${name} ${version} (${path}): ${error.message}`;
  return new DaybookError(error.code, message, { cause: error });
}
