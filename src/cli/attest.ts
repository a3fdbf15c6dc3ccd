/** `daybook attest provenance`: how, from what and where files were built, as SLSA provenance in the log. */
import type { Command } from 'commander';
import { DaybookError } from '../errors.ts';
import type { Subject } from '../statement/in-toto.ts';
import { provenanceStatement, type Place } from '../statement/provenance.ts';
import { parsePurl } from '../statement/purl.ts';
import { logAbout, readSigner, withSigningOptions, type SigningOptions } from './log-statement.ts';
import { checkOptions, digestOption, uriOption } from './options.ts';

export interface BuildOptions {
  readonly purl: string;
  readonly builder: string;
  readonly buildType?: string | undefined;
  readonly source?: string | undefined;
  readonly commitment?: string | undefined;
  readonly assembly?: string | undefined;
  readonly signing?: string | undefined;
  readonly invocation?: string | undefined;
}

const defaultBuildType = 'urn:daybook:build:source-to-file:v1';

export function register(program: Command): void {
  const attest = program.command('attest').description('Log what a pipeline knows of its builds.');
  withSigningOptions(
    withBuildOptions(
      attest
        .command('provenance')
        .description(
          'Log SLSA provenance of files: their source, their builder, and where they were assembled and signed. A directory is named by the manifest that `daybook release` makes of it.',
        )
        .argument('<FILE...>', 'files that were built, or one directory'),
    )
      .requiredOption('--purl <P>', 'what they are, such as pkg:generic/acme/scanner@1.2.3')
      .option('--source <URI>', 'source: git+https://host/repository@<full commit hash>')
      .option('--commitment <HEX>', 'root of the source commitment that the source opens'),
  ).action(attestProvenance);
}

export function withBuildOptions(command: Command): Command {
  return command
    .requiredOption('--builder <URI>', 'build platform')
    .option('--build-type <URI>', `how it builds (default: ${defaultBuildType})`)
    .option('--assembly <SITE,CC>', 'where it was built: site and country, such as Zurich,CH')
    .option('--signing <SITE,CC>', 'where it was signed')
    .option('--invocation <ID>', 'run of the build platform');
}

async function attestProvenance(
  paths: readonly string[],
  options: BuildOptions & SigningOptions,
): Promise<void> {
  const signer = await readSigner(options);
  checkBuild(options);
  await logAbout(
    paths,
    (subjects) => buildStatement(subjects, options),
    options,
    signer,
    `provenance of ${options.purl}`,
  );
}

/** Payload of the provenance; each subject carries the purl. Throws `bad-statement` or `bad-usage`. */
export function buildStatement(
  subjects: readonly Subject[],
  options: BuildOptions,
  rebuild: { readonly sourceChecked?: Uint8Array | undefined; readonly claims?: Uint8Array } = {},
): Uint8Array {
  const { purl, builder, buildType = defaultBuildType, source, commitment, invocation } = options;
  parsePurl(purl);
  return provenanceStatement({
    subjects: subjects.map((subject) => ({ ...subject, uri: purl })),
    buildType,
    builderId: builder,
    // What the one who starts the build chooses: nothing but the source.
    externalParameters: {
      ...(source !== undefined && { source }),
      ...(commitment !== undefined && { commitment }),
    },
    source,
    commitment: commitment === undefined ? undefined : digestOption('--commitment', commitment),
    assembly: placeOption('--assembly', options.assembly),
    signing: placeOption('--signing', options.signing),
    invocationId: invocation,
    ...rebuild,
  });
}

export function checkBuild(options: BuildOptions): void {
  const { purl, builder, buildType, source, commitment, assembly, signing } = options;
  const least = { purl, builder };
  const subjects: Subject[] = [{ sha256: new Uint8Array(32) }];
  uriOption('--builder', builder);
  if (buildType !== undefined) uriOption('--build-type', buildType);
  checkOptions({
    '--purl': () => buildStatement(subjects, least),
    '--source': () => buildStatement(subjects, { ...least, source }),
    '--commitment': () => buildStatement(subjects, { ...least, commitment }),
    '--assembly': () => buildStatement(subjects, { ...least, assembly }),
    '--signing': () => buildStatement(subjects, { ...least, signing }),
  });
}

/** `Zurich,CH`: the country is what follows the last comma. Throws `bad-usage`. */
function placeOption(option: string, text: string | undefined): Place | undefined {
  if (text === undefined) return undefined;
  const [, site, jurisdiction] = /^(?:(.*),)?([A-Z]{2})$/.exec(text) ?? [];
  if (jurisdiction === undefined || site === '') {
    throw new DaybookError(
      'bad-usage',
      `${option} is "${text}", want a site and the two letters of its country, such as Zurich,CH`,
    );
  }
  return { ...(site !== undefined && { site }), jurisdiction };
}
