/** `daybook submit`: `daybook release` under its older name, and envelopes that other tools signed. */
import type { Command } from 'commander';
import { DaybookError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { parseEnvelope } from '../statement/dsse.ts';
import { readBytes, writeAtomically } from './files.ts';
import { reportLogged, withTrustedLog } from './log-statement.ts';
import { print } from './output.ts';
import { release, releaseDescription, withReleaseOptions, type ReleaseOptions } from './release.ts';

interface Options extends Partial<ReleaseOptions> {
  readonly log: string;
  readonly envelope?: string;
}

export function register(program: Command): void {
  withReleaseOptions(program.command('submit').description(releaseDescription), false)
    .argument('[FILE...]', 'files of the release, or one directory')
    .option('--envelope <F>', 'log this DSSE envelope as it is, instead of files')
    .action(submit);
}

async function submit(paths: readonly string[], options: Options): Promise<void> {
  const { envelope, key, purl } = options;
  if (envelope !== undefined) return submitEnvelope(envelope, paths, options);
  if (key === undefined) throw missing('required option --key <F>');
  if (purl === undefined) throw missing('required option --purl <P>');
  if (paths.length === 0) throw missing('argument FILE, or option --envelope <F>,');
  return release(paths, { ...options, key, purl });
}

/** Logs the bytes verbatim: whoever signed them is whom the log asks for, not this command. */
async function submitEnvelope(
  path: string,
  paths: readonly string[],
  options: Options,
): Promise<void> {
  const { key, purl, kind, source, builder, releaseId } = options;
  if (paths.length > 0 || [key, purl, kind, source, builder, releaseId].some(Boolean)) {
    throw new DaybookError(
      'bad-usage',
      '--envelope logs what is signed already: give neither files nor --key, nor what to say about them',
    );
  }
  const entry = await readBytes(path, MAX_ENTRY_BYTES);
  // Tells what is wrong with it, such as a certificate, before the log is asked.
  parseEnvelope(entry);
  await withTrustedLog(options, async ({ client }) => {
    const submitted = await client.submit(entry);
    await writeAtomically(`${path}.tlog-proof`, submitted.proof);
    reportLogged(submitted, path);
    print(`proof: ${path}.tlog-proof`);
  });
}

function missing(what: string): DaybookError {
  return new DaybookError('bad-usage', `${what} is missing; --help lists what is accepted`);
}
