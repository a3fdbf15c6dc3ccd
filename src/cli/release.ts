/** `daybook release`: signs a statement about files, logs it, checks the answer and keeps the proof. */
import { Option, type Command } from 'commander';
import { releaseKinds, releaseStatement, type ReleaseKind } from '../statement/release.ts';
import type { Subject } from '../statement/in-toto.ts';
import { writeAtomically } from './files.ts';
import {
  logEntry,
  readSigner,
  reportLogged,
  signAbout,
  withLogOptions,
  withTrustedLog,
  type SigningOptions,
} from './log-statement.ts';
import { checkOptions } from './options.ts';
import { print } from './output.ts';
import { hashArtifacts } from './submit-artifacts.ts';

export interface ReleaseOptions extends SigningOptions {
  readonly purl: string;
  readonly kind?: ReleaseKind;
  readonly source?: string;
  readonly builder?: string;
  readonly releaseId?: string;
}

export const releaseDescription =
  'Log a release. Several files are subjects of one statement; a directory, or more files than fit an entry, are logged as a manifest (FILE.SHA256SUMS, for sha256sum -c).';

export function register(program: Command): void {
  withReleaseOptions(program.command('release').description(releaseDescription))
    .argument('<FILE...>', 'files of the release, or one directory')
    .action(release);
}

/** `--key` and `--purl` are mandatory for whoever calls `release`. */
export function withReleaseOptions(command: Command, mandatory = true): Command {
  const key = new Option('--key <F>', 'private key of an admitted issuer');
  const purl = new Option('--purl <P>', 'the release, such as pkg:generic/acme/scanner@1.2.3');
  for (const option of [key, purl]) command.addOption(option.makeOptionMandatory(mandatory));
  return withLogOptions(command)
    .addOption(new Option('--kind <kind>', 'what it is').choices(releaseKinds))
    .option('--source <URI>', 'source: git+https://host/repository@<full commit hash>')
    .option('--builder <URI>', 'build platform')
    .option('--release-id <ID>', 'stable identifier of the product across its releases');
}

export async function release(paths: readonly string[], options: ReleaseOptions): Promise<void> {
  const signer = await readSigner(options);
  checkRelease(options);
  const artifacts = await hashArtifacts(paths);
  // Nothing in it depends on the time: the same release again is the same statement, and logged once.
  const statement = (subjects: readonly Subject[]): Uint8Array =>
    releaseStatement({ ...options, subjects });
  const { entry, proofPaths, manifest } = await signAbout(artifacts, statement, signer);
  if (manifest !== undefined) await writeAtomically(manifest.path, manifest.bytes);

  await withTrustedLog(options, async (log) => {
    const submitted = await logEntry(log, entry, signer.publicKey);
    for (const path of proofPaths) await writeAtomically(path, submitted.proof);
    reportLogged(submitted, options.purl);
    if (manifest !== undefined) print(`manifest: ${manifest.path}`);
    print(...proofPaths.map((path) => `proof: ${path}`));
  });
}

function checkRelease({ purl, kind, source, builder, releaseId }: ReleaseOptions): void {
  const subjects: Subject[] = [{ sha256: new Uint8Array(32) }];
  checkOptions({
    '--purl': () => releaseStatement({ purl, subjects }),
    '--kind': () => releaseStatement({ purl, subjects, kind }),
    '--source': () => releaseStatement({ purl, subjects, source }),
    '--builder': () => releaseStatement({ purl, subjects, builder }),
    '--release-id': () => releaseStatement({ purl, subjects, releaseId }),
  });
}
