/** `daybook rebuild`: another builder's provenance for the same source, and whether the file is the same. */
import type { Command } from 'commander';
import { equalBytes } from '../encoding/bytes.ts';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { readPublicKeyFile } from '../keys/key-file.ts';
import { MAX_RELEASE_FILE_BYTES } from '../proof/release-file.ts';
import { buildStatement, checkBuild, withBuildOptions, type BuildOptions } from './attest.ts';
import { readBytes } from './files.ts';
import {
  logEntry,
  readSigner,
  reportLogged,
  signPayload,
  withSigningOptions,
  withTrustedLog,
  type SigningOptions,
} from './log-statement.ts';
import { collect } from './options.ts';
import { print } from './output.ts';
import { readCommittedTree, requireCommitment, type CommittedTree } from './source-tree-options.ts';
import { hashArtifacts, manifestOf } from './submit-artifacts.ts';
import { vendorClaim, type VendorClaim } from './vendor-claim.ts';

interface Options extends Omit<BuildOptions, 'purl' | 'commitment'>, SigningOptions {
  readonly claims: string;
  readonly issuer?: readonly string[];
  readonly name?: string;
  readonly tree?: string;
  readonly master?: string;
}

export function register(program: Command): void {
  withSigningOptions(
    withBuildOptions(
      program
        .command('rebuild')
        .description(
          'Log what you built from the source of a release, and compare it with what the vendor released. Ends with 0 when it is the same; a difference is logged as well.',
        )
        .argument('<FILE>', 'what you built, or one directory')
        .requiredOption('--claims <F>', "vendor's release file (or .tlog-proof)"),
    )
      .option('--issuer <KEY.pub>', "vendor's public key; may be repeated", collect)
      .option('--name <N>', "vendor's name of the file, where it is another")
      .option('--source <URI>', 'the source that you built, which must be the one that is claimed')
      .option(
        '--tree <DIR>',
        "confidential source that you built: it is checked to open the vendor's commitment, and the statement says so",
      )
      .option('--master <F>', "the commitment's master secret; with --tree"),
  ).action(rebuild);
}

async function rebuild(path: string, options: Options): Promise<void> {
  const signer = await readSigner(options);
  checkBuild({ ...options, purl: 'pkg:generic/a@1' });
  const opened = await readTree(options);
  const { issuer, claims, name = path } = options;
  const issuers = issuer && (await Promise.all(issuer.map((key) => readPublicKeyFile(key))));
  const bytes = await readBytes(claims, MAX_RELEASE_FILE_BYTES);
  await withTrustedLog(options, async (log) => {
    const claim = await vendorClaim(bytes, log.policy, issuers, name);
    const built = buildOf(claim, options);
    const sourceChecked = opened && checkedCommitment(claim, opened);
    const artifacts = await hashArtifacts([path]);
    const subject = artifacts.subjects[0] ?? manifestOf(artifacts).subject;
    const payload = buildStatement([subject], built, { sourceChecked, claims: claim.sha256 });
    const submitted = await logEntry(log, await signPayload(payload, signer), signer.publicKey);
    reportLogged(submitted, `rebuild of ${claim.purl}`);
    if (equalBytes(subject.sha256, claim.sha256)) {
      print(`reproduced: ${path} is bit by bit what was released as ${claim.purl}`);
      return;
    }
    throw new DaybookError(
      'not-reproduced',
      `${path} has SHA-256 ${encodeHex(subject.sha256)}, ${claim.purl} was released as ${encodeHex(claim.sha256)}: the difference is logged, for everyone to see, as entry ${submitted.index}`,
    );
  });
}

/** The same source as the vendor's; throws `source-refused` where the rebuilder's own word is another. */
function buildOf(claim: VendorClaim, options: Options): BuildOptions {
  const { source = claim.source } = options;
  const { purl, commitment } = claim;
  if (claim.source !== undefined && source !== claim.source) {
    throw new DaybookError('source-refused', `the vendor claims ${claim.source}, not ${source}`);
  }
  if (source === undefined && commitment === undefined) {
    throw new DaybookError(
      'bad-usage',
      'the vendor names no source: say with --source what you built',
    );
  }
  return { ...options, purl, source, commitment, buildType: options.buildType ?? claim.buildType };
}

async function readTree({ tree, master }: Options): Promise<CommittedTree | undefined> {
  if ((tree === undefined) !== (master === undefined)) {
    throw new DaybookError('bad-usage', 'give --tree and --master together');
  }
  return tree === undefined || master === undefined
    ? undefined
    : readCommittedTree(tree, { master });
}

/** The commitment that the vendor names, which this tree opens. Throws `source-refused`. */
function checkedCommitment({ commitment }: VendorClaim, opened: CommittedTree): Uint8Array {
  if (commitment === undefined) {
    throw new DaybookError(
      'source-refused',
      'the vendor names no source commitment that --tree could open',
    );
  }
  const root = decodeHex(commitment);
  requireCommitment(opened, root);
  return root;
}
