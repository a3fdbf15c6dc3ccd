/** `daybook source`: commitments to source that stays secret, checked and opened by those who are given it. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { createMasterFile } from '../keys/master-file.ts';
import { sourceCommitmentStatement } from '../statement/source-commitment.ts';
import { formatOpening, MAX_OPENING_BYTES, parseOpening } from '../statement/source-opening.ts';
import { checkOpening, openFile } from '../statement/source-tree.ts';
import { readBytes, writeAtomically } from './files.ts';
import {
  logEntry,
  readSigner,
  reportLogged,
  signPayload,
  withSigningOptions,
  withTrustedLog,
  type SigningOptions,
} from './log-statement.ts';
import { checkOptions, collect, digestOption } from './options.ts';
import { print } from './output.ts';
import { commitmentsIn } from './source-commitments.ts';
import { readSourceFile } from './source-directory.ts';
import { review, reviewResults } from './source-review.ts';
import {
  describeRoot,
  readCommittedTree,
  requireCommitment,
  type MasterOptions,
} from './source-tree-options.ts';

interface CommitOptions extends SigningOptions, MasterOptions {
  readonly newMaster?: true;
  readonly purl: string;
  readonly source?: string;
}

interface CheckOptions extends MasterOptions {
  readonly commitment?: string;
  readonly release?: string;
  readonly policy?: string;
}

export function register(program: Command): void {
  const source = program
    .command('source')
    .description(
      'Commit in public to source that stays secret, and check that a tree is that source.',
    );
  withSigningOptions(withMaster(source.command('commit')))
    .description(
      'Log a commitment to all files under DIR (without .git). The log sees how many files there are, and nothing of their names and contents.',
    )
    .option('--new-master', 'make the master secret first, in a new file')
    .requiredOption('--purl <P>', 'what is built from it, such as pkg:generic/acme/scanner@1.2.3')
    .option('--source <URI>', 'where it is: git+https://host/repository@<full commit hash>')
    .action(commit);
  withMaster(source.command('check'))
    .description('Check that DIR is the source of a commitment, all of it and nothing else.')
    .option('--commitment <HEX>', 'the commitment')
    .option('--release <F>', 'take the commitment from this .release or .tlog-proof file')
    .option('--policy <F>', 'trust policy of the log, for --release')
    .action(check);
  withMaster(source.command('open'), '<DIR>', '<PATH>')
    .description('Write what opens the one file PATH (relative to DIR) to somebody else.')
    .requiredOption('--out <O>', 'file to write')
    .action(open);
  source
    .command('check-opening')
    .description('Check that an opening leads to a commitment, and FILE to the opening.')
    .argument('<O>', 'file that `daybook source open` wrote')
    .argument('[FILE]', 'the file that was opened')
    .requiredOption('--commitment <HEX>', 'the commitment')
    .action(checkOpeningFile);
  withSigningOptions(withMaster(source.command('review')))
    .description(
      'Log that you reviewed the source of a commitment. DIR is checked against it first.',
    )
    .requiredOption('--commitment <HEX>', 'the commitment')
    .requiredOption('--verifier <URI>', 'who you are')
    .option('--all', 'you reviewed all files')
    .option(
      '--path <P>',
      'you reviewed this file, or folder with a / at its end, and its name becomes public; may be repeated',
      collect,
    )
    .addOption(
      new Option('--result <R>', 'what came of it').choices(reviewResults).default('PASSED'),
    )
    .option('--purl <P>', 'what is built from it')
    .option('--rules <URI>', 'what you reviewed by (default: the URI of --verifier)')
    .option('--checked <TEXT>', 'something that you looked for; may be repeated', collect)
    .option('--reason <R>', 'why, for whoever reads it')
    .action(review);
}

function withMaster(command: Command, ...args: readonly string[]): Command {
  for (const arg of args.length > 0 ? args : ['<DIR>']) command.argument(arg);
  return command.requiredOption('--master <F>', 'file of the master secret');
}

async function commit(directory: string, options: CommitOptions): Promise<void> {
  const { purl, source, newMaster } = options;
  const signer = await readSigner(options);
  const one = { root: new Uint8Array(32), files: 1 };
  checkOptions({
    '--purl': () => sourceCommitmentStatement({ ...one, purl }),
    '--source': () => sourceCommitmentStatement({ ...one, source }),
  });
  if (newMaster) await createMasterFile(options.master);
  const { root, files } = await readCommittedTree(directory, options);
  const payload = sourceCommitmentStatement({ root, files, purl, source });
  const entry = await signPayload(payload, signer);
  await withTrustedLog(options, async (log) => {
    const submitted = await logEntry(log, entry, signer.publicKey);
    const proof = `${resolve(directory)}.source.tlog-proof`;
    await writeAtomically(proof, submitted.proof);
    reportLogged(submitted, `source of ${purl}`);
    print(...describeRoot({ root, files }), `proof: ${proof}`);
  });
}

async function check(directory: string, options: CheckOptions): Promise<void> {
  const { commitment, release, policy } = options;
  if ((commitment === undefined) === (release === undefined)) {
    throw new DaybookError('bad-usage', 'give either --commitment or --release');
  }
  if ((release === undefined) !== (policy === undefined)) {
    throw new DaybookError('bad-usage', '--release and --policy are given together');
  }
  const named =
    release === undefined || policy === undefined ? [] : await commitmentsIn(release, policy);
  const wanted =
    commitment === undefined
      ? named.map(({ root }) => root)
      : [digestOption('--commitment', commitment)];
  const committed = await readCommittedTree(directory, options);
  const own = wanted.find((root) => equalBytes(root, committed.root));
  requireCommitment(committed, own ?? (wanted[0] as Uint8Array));
  print(`${directory} is the source of the commitment`, ...describeRoot(committed));
  for (const { index, kind, root } of named) {
    const which = equalBytes(root, committed.root) ? 'it' : `another one: ${encodeHex(root)}`;
    print(`entry ${index} (${kind}) names ${which}`);
  }
}

async function open(
  directory: string,
  path: string,
  options: MasterOptions & { readonly out: string },
): Promise<void> {
  const committed = await readCommittedTree(directory, options);
  const opening = openFile(committed.tree, committed.secret, path);
  await writeAtomically(options.out, formatOpening(opening));
  print(...describeRoot(committed), `opening: ${options.out}`);
}

async function checkOpeningFile(
  path: string,
  file: string | undefined,
  { commitment }: { readonly commitment: string },
): Promise<void> {
  const root = digestOption('--commitment', commitment);
  const opening = parseOpening(await readBytes(path, MAX_OPENING_BYTES));
  checkOpening(opening, root);
  const digest = encodeHex(opening.sha256);
  if (file !== undefined) {
    const { sha256 } = await readSourceFile(file);
    if (!equalBytes(sha256, opening.sha256)) {
      throw new DaybookError(
        'artifact-mismatch',
        `${file} has SHA-256 ${encodeHex(sha256)}, the opening of ${opening.path} names ${digest}`,
      );
    }
  }
  print(
    `the committed source holds ${opening.path} (mode ${opening.mode})`,
    `sha256: ${digest}`,
    `place: ${opening.index + 1} of ${opening.size} files`,
    ...(file === undefined ? [] : [`${file} is that file`]),
  );
}
