/** `daybook withdraw`: a withdrawal in the log. Clients learn of it from the channel that lists it. */
import type { Command } from 'commander';
import { DaybookError } from '../errors.ts';
import type { Subject } from '../statement/in-toto.ts';
import { withdrawalStatement } from '../statement/withdrawal.ts';
import {
  logAbout,
  logAndReport,
  readSigner,
  signPayload,
  withSigningOptions,
  type SigningOptions,
} from './log-statement.ts';
import { checkOptions, collect, digestOption } from './options.ts';
import { note } from './output.ts';

interface Options extends SigningOptions {
  readonly purl: string;
  readonly reason: string;
  readonly sha256?: readonly string[];
}

export function register(program: Command): void {
  withSigningOptions(
    program
      .command('withdraw')
      .description(
        'Log that released files must not be used any more. List them as withdrawn in your channel as well: that is where clients look.',
      )
      .argument('[FILE...]', 'files of the release, or one directory')
      .option('--sha256 <HEX>', 'a file by its digest; may be repeated', collect)
      .requiredOption('--purl <P>', 'the release, such as pkg:generic/acme/scanner@1.2.3')
      .requiredOption('--reason <R>', 'why, for whoever is kept from using it'),
  ).action(withdraw);
}

async function withdraw(paths: readonly string[], options: Options): Promise<void> {
  const { purl, reason, sha256: digests = [] } = options;
  const signer = await readSigner(options);
  const statement = (subjects: readonly Subject[]): Uint8Array =>
    withdrawalStatement({ purl, reason, subjects });
  const nothing = [{ sha256: new Uint8Array(32) }];
  checkOptions({
    '--purl': () => withdrawalStatement({ purl, reason: '-', subjects: nothing }),
    '--reason': () => statement(nothing),
  });
  if ((paths.length === 0) === (digests.length === 0)) {
    throw new DaybookError('bad-usage', 'say what is withdrawn: give either files or --sha256');
  }
  const what = `withdrawal of ${purl}`;
  if (paths.length > 0) await logAbout(paths, statement, options, signer, what);
  else {
    const subjects = digests.map((hex) => ({ sha256: digestOption('--sha256', hex) }));
    await logAndReport(await signPayload(statement(subjects), signer), options, signer, what);
  }
  note(
    'Clients learn of it once your channel lists it: daybook channel publish --withdraw; see docs/pipeline.md',
  );
}
