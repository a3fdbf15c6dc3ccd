/** `daybook source review`: a review of a committed source, as a SLSA verification summary in the log. */
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import type { SourceFile } from '../statement/source-tree.ts';
import {
  verificationSummaryStatement,
  type VerificationResult,
} from '../statement/verification-summary.ts';
import { logAndReport, readSigner, signPayload, type SigningOptions } from './log-statement.ts';
import { checkOptions, digestOption, uriOption } from './options.ts';
import { readCommittedTree, requireCommitment, type MasterOptions } from './source-tree-options.ts';

export interface ReviewOptions extends SigningOptions, MasterOptions {
  readonly commitment: string;
  readonly verifier: string;
  readonly all?: true;
  readonly path?: readonly string[];
  readonly result: VerificationResult;
  readonly purl?: string;
  readonly rules?: string;
  readonly checked?: readonly string[];
  readonly reason?: string;
}

export const reviewResults: readonly VerificationResult[] = ['PASSED', 'FAILED'];

/** The tree is checked against the commitment first: nobody reviews what is not it by mistake. */
export async function review(directory: string, options: ReviewOptions): Promise<void> {
  const { all, path: paths, result, verifier, rules = verifier, checked, reason } = options;
  const signer = await readSigner(options);
  const root = digestOption('--commitment', options.commitment);
  const { purl: resourceUri = `urn:daybook:source:${encodeHex(root)}` } = options;
  uriOption('--verifier', verifier);
  uriOption('--rules', rules);
  if ((all === undefined) === (paths === undefined)) {
    throw new DaybookError('bad-usage', 'say what you reviewed: give either --all or --path');
  }
  const statement = (): Uint8Array =>
    verificationSummaryStatement({
      subjects: [{ sha256: root }],
      verifierId: verifier,
      timeVerified: Math.floor(Date.now() / 1000),
      resourceUri,
      policyUri: rules,
      result,
      checked,
      paths,
      reason,
    });
  checkOptions({ '--purl': statement });
  const committed = await readCommittedTree(directory, options);
  requireCommitment(committed, root);
  for (const path of paths ?? []) requirePath(committed.tree, path);
  const what = `review (${result}) of ${paths === undefined ? 'all' : paths.join(', ')} of ${encodeHex(root)}`;
  await logAndReport(await signPayload(statement(), signer), options, signer, what);
}

/** A path that ends in `/` stands for all files below it. */
function requirePath(tree: readonly SourceFile[], path: string): void {
  const there = tree.some((file) =>
    path.endsWith('/') ? file.path.startsWith(path) : file.path === path,
  );
  if (there) return;
  throw new DaybookError(
    'bad-usage',
    `wrong --path: the source has no ${path.endsWith('/') ? 'folder' : 'file'} "${path}" (a folder ends in /)`,
  );
}
