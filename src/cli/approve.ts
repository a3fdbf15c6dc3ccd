/** `daybook approve` and `daybook reject`: what a supervisor found, as a SLSA verification summary in the log. */
import type { Command } from 'commander';
import { DaybookError } from '../errors.ts';
import { parsePurl } from '../statement/purl.ts';
import {
  verificationSummaryStatement,
  type VerificationResult,
} from '../statement/verification-summary.ts';
import { logAbout, readSigner, withSigningOptions, type SigningOptions } from './log-statement.ts';
import { checkOptions, collect, uriOption } from './options.ts';

interface Options extends SigningOptions {
  readonly purl: string;
  readonly verifier: string;
  readonly rules?: string;
  readonly checked?: readonly string[];
  readonly reason?: string;
}

const verbs = {
  approve: { result: 'PASSED', noun: 'approval', summary: 'that files passed your checks' },
  reject: { result: 'FAILED', noun: 'rejection', summary: 'that files failed your checks' },
} as const;

export const approve = { register: (program: Command): void => registerAs('approve', program) };
export const reject = { register: (program: Command): void => registerAs('reject', program) };

function registerAs(verb: keyof typeof verbs, program: Command): void {
  const { result, noun, summary } = verbs[verb];
  const command = program
    .command(verb)
    .description(
      `Log ${summary}. A directory is named by the manifest that \`daybook release\` makes of it.`,
    )
    .argument('<FILE...>', 'files that were checked, or one directory')
    .requiredOption('--purl <P>', 'the release, such as pkg:generic/acme/scanner@1.2.3')
    .requiredOption('--verifier <URI>', 'who you are')
    .option('--rules <URI>', 'what you checked by (default: the URI of --verifier)')
    .option('--checked <TEXT>', 'something that you checked; may be repeated', collect);
  const reason = ['--reason <R>', 'why, for whoever reads it'] as const;
  if (result === 'FAILED') command.requiredOption(...reason);
  else command.option(...reason);
  withSigningOptions(command).action((paths: readonly string[], options: Options) =>
    judge(paths, options, result, noun),
  );
}

async function judge(
  paths: readonly string[],
  options: Options,
  result: VerificationResult,
  noun: string,
): Promise<void> {
  const { purl, verifier, rules = verifier, checked, reason } = options;
  const signer = await readSigner(options);
  uriOption('--verifier', verifier);
  uriOption('--rules', rules);
  checkOptions({ '--purl': () => checkVersion(purl) });
  const summary = {
    verifierId: verifier,
    timeVerified: Math.floor(Date.now() / 1000),
    resourceUri: purl,
    policyUri: rules,
    result,
    checked,
    reason,
  };
  await logAbout(
    paths,
    (subjects) => verificationSummaryStatement({ ...summary, subjects }),
    options,
    signer,
    `${noun} of ${purl}`,
  );
}

function checkVersion(purl: string): void {
  if (parsePurl(purl).version !== undefined) return;
  throw new DaybookError('bad-statement', `"${purl}" has no version, and you checked one`);
}
