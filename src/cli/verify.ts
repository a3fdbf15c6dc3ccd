/** `daybook verify`: the verdict on a file or directory, offline. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError, errorKinds, type ErrorCode } from '../errors.ts';
import { nodeSha256 } from '../keys/node-hasher.ts';
import { readPublicKeyFile } from '../keys/key-file.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import {
  compareManifest,
  MAX_MANIFEST_BYTES,
  parseManifest,
  type Manifest,
} from '../verify/manifest.ts';
import { isReleasePolicy } from '../verify/release-policy.ts';
import { MAX_POLICY_DOCUMENT_BYTES } from '../verify/signed-policy.ts';
import { verifyProof, type Facts } from '../verify/verify-proof.ts';
import { hashFiles, isDirectory, listFiles } from './directory.ts';
import { hashFile } from './file-hash.ts';
import { readBytes } from './files.ts';
import { asDaybookError, note, print, printJson } from './output.ts';
import { collect } from './options.ts';
import { readJudge, withReleaseOptions, type ReleaseOptions } from './release-verdict.ts';
import { reportCheckpoints } from './report.ts';
import { readPolicy } from './trust.ts';
import { trustFile, withoutRelease, withTrustState } from './trust-file.ts';

interface Options extends ReleaseOptions {
  readonly issuer?: readonly string[];
  readonly manifest?: string;
  readonly report?: readonly string[];
  readonly json?: true;
}

interface CheckLine {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  /** Of a release policy: the entries that show it. */
  readonly indexes?: readonly number[];
}

/** As `--json` prints it, whatever the outcome. Members may be added, none is taken away or changed. */
interface Report {
  readonly ok: boolean;
  readonly file: string;
  /** Null when `ok`; see docs/errors.md. */
  readonly code: ErrorCode | null;
  readonly exit: number;
  readonly reason: string | null;
  readonly checks: readonly CheckLine[];
  readonly facts: Facts;
  /** Of a release policy: what was tolerated. */
  readonly warnings: readonly string[];
}

type Outcome = Pick<Report, 'checks' | 'facts'> & {
  readonly code?: ErrorCode;
  readonly warnings?: readonly string[];
};

/** An entry and a checkpoint with many cosignatures take less. */
const MAX_PROOF_BYTES = 2 * 1024 * 1024;
const MAX_SHOWN_DIFFERENCES = 10;

export function register(program: Command): void {
  const command = program
    .command('verify')
    .description(
      'Check offline that FILE is what an issuer released, and that the release is in the log.',
    )
    .argument('<FILE>', 'file, or directory with its manifest')
    .requiredOption('--policy <F>', 'release policy, or a C2SP tlog-policy together with --issuer')
    .option('--issuer <KEY.pub>', "issuer's public key; may be repeated", collect);
  withReleaseOptions(command)
    .option('--manifest <F>', 'manifest that names FILE (default for a directory: FILE.SHA256SUMS)')
    .option(
      '--report <URL>',
      'show a monitor the checkpoint that was verified; may be repeated',
      collect,
    )
    .option('--json', 'print the verdict as JSON')
    .addHelpText(
      'after',
      '\nExit codes are listed in docs/errors.md; 0 means that every check passed.',
    )
    .action(async (path: string, options: Options) => {
      const report = await reportOn(path, options);
      if (options.json) printJson(report);
      else printReport(report);
      process.exitCode = report.exit;
      if (options.report) await reportCheckpoints(options.report, proofFiles(path, options));
    });
}

/** Where checkpoints may be: those of channels too, as a log may show each of them in another tree. */
function proofFiles(path: string, { proof, channel = [] }: Options): string[] {
  const base = resolve(path);
  return [...(proof ? [proof] : [`${base}.release`, `${base}.tlog-proof`]), ...channel];
}

async function reportOn(path: string, options: Options): Promise<Report> {
  let outcome: Outcome;
  let reason: string | undefined;
  try {
    outcome = await verdictOn(path, options);
    reason = outcome.checks.find(({ ok }) => !ok)?.detail;
  } catch (error) {
    // Nothing could be checked: a file is missing, or the policy is malformed.
    const { code, message } = asDaybookError(error);
    outcome = { code, checks: [], facts: {} };
    reason = message;
  }
  const { code, checks, facts, warnings = [] } = outcome;
  return {
    ok: code === undefined,
    file: path,
    code: code ?? null,
    exit: code === undefined ? 0 : errorKinds[code].exit,
    reason: reason ?? null,
    checks,
    facts,
    warnings,
  };
}

function printReport({ ok, file, code, exit, reason, checks, facts, warnings }: Report): void {
  for (const line of checks) {
    print(`${line.ok ? 'ok    ' : 'FAILED'}  ${line.check.padEnd(14)}  ${line.detail}`);
  }
  for (const warning of warnings) print(`note    ${warning}`);
  if (ok) {
    const product = facts.purls?.join(', ');
    print(
      `VERIFIED  ${file}${product ? ` is ${product}` : ''}, entry ${facts.index} of ${facts.origin}`,
    );
  } else {
    note(`REFUSED  ${file}: ${reason} (${code}, exit ${exit})`);
  }
}

async function verdictOn(path: string, options: Options): Promise<Outcome> {
  const directory = await isDirectory(path);
  // "." and "dir/" have no name to put an ending to.
  const base = directory ? resolve(path) : path;
  const judge = await readJudgement(options, base);
  if (!directory && options.manifest === undefined) return judge(await hashFile(path));
  const manifest = await readBytes(options.manifest ?? `${base}.SHA256SUMS`, MAX_MANIFEST_BYTES);
  const outcome = await judge(nodeSha256(manifest));
  if (outcome.code !== undefined) return outcome;
  const check = await checkManifest(path, directory, manifest);
  const { checks } = outcome;
  return { ...outcome, ...(check.code && { code: check.code }), checks: [...checks, check] };
}

/** By a release policy, or by a tlog-policy and issuers; reads all that does not depend on the artifact first. */
async function readJudgement(
  options: Options,
  base: string,
): Promise<(digest: Uint8Array) => Promise<Outcome>> {
  const bytes = await readBytes(options.policy, MAX_POLICY_DOCUMENT_BYTES);
  if (isReleasePolicy(bytes)) return judgementByRelease(options, base, bytes);
  const { issuer: paths = [], purl } = options;
  if (paths.length === 0) {
    throw new DaybookError(
      'bad-usage',
      `${options.policy} is a tlog-policy, which names no issuer: give --issuer too`,
    );
  }
  const policy = await readPolicy(options.policy);
  const issuers = await Promise.all(paths.map((key) => readPublicKeyFile(key)));
  const proof = await readBytes(options.proof ?? `${base}.tlog-proof`, MAX_PROOF_BYTES);
  return (digest) =>
    verifyProof({
      artifact: { sha256: digest },
      proof,
      policy,
      issuers,
      purl,
      verifier: nodeVerifier,
    });
}

async function judgementByRelease(
  options: Options,
  base: string,
  policy: Uint8Array,
): Promise<(digest: Uint8Array) => Promise<Outcome>> {
  if (options.issuer !== undefined) {
    throw new DaybookError('bad-usage', 'a release policy names the issuers: leave --issuer out');
  }
  const { judge } = await readJudge(base, policy, options);
  return (digest) =>
    withTrustState(trustFile(options.state), async (before) => {
      const { code, rules, warnings, release, state } = await judge(digest, before);
      const { purl, issuer, ...facts } = release ?? {};
      const result: Outcome = {
        ...(code && { code }),
        checks: rules.map(({ rule, ok, detail, indexes }) => ({
          check: rule,
          ok,
          detail,
          indexes,
        })),
        facts: { ...facts, ...(issuer && { issuer }), ...(purl && { purls: [purl] }) },
        warnings,
      };
      // Looking at a release is not installing it: an older one may still be looked at afterwards.
      return { result, state: withoutRelease(state, before) };
    });
}

/** The manifest is what was logged: does it name this file, or exactly the files of this directory? */
async function checkManifest(
  path: string,
  directory: boolean,
  bytes: Uint8Array,
): Promise<CheckLine & { readonly code?: ErrorCode }> {
  try {
    const manifest = parseManifest(bytes);
    const differences = directory
      ? compareManifest(manifest, await hashFiles(path, await listFiles(path)))
      : findDigest(manifest, encodeHex(await hashFile(path)));
    if (differences.length === 0) {
      const detail = directory ? `names these ${manifest.size} files` : 'names this file';
      return { check: 'manifest', ok: true, detail };
    }
    const shown = differences.slice(0, MAX_SHOWN_DIFFERENCES).join('; ');
    const more = differences.length - MAX_SHOWN_DIFFERENCES;
    throw new DaybookError('artifact-mismatch', more > 0 ? `${shown}; and ${more} more` : shown);
  } catch (error) {
    const { code, message } = asDaybookError(error);
    return { check: 'manifest', ok: false, detail: message, code };
  }
}

function findDigest(manifest: Manifest, digest: string): string[] {
  if ([...manifest.values()].includes(digest)) return [];
  return [`SHA-256 ${digest} is not in the manifest`];
}
