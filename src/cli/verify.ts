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
import { verifyProof, type Facts, type Verdict } from '../verify/verify-proof.ts';
import { hashFiles, isDirectory, listFiles } from './directory.ts';
import { hashFile } from './file-hash.ts';
import { readBytes } from './files.ts';
import { asDaybookError, note, print, printJson } from './output.ts';
import { readPolicy } from './trust.ts';

interface Options {
  readonly proof?: string;
  readonly policy: string;
  readonly issuer: readonly string[];
  readonly purl?: string;
  readonly manifest?: string;
  readonly json?: true;
}

interface CheckLine {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
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
}

/** An entry and a checkpoint with many cosignatures take less. */
const MAX_PROOF_BYTES = 2 * 1024 * 1024;
const MAX_SHOWN_DIFFERENCES = 10;

export function register(program: Command): void {
  program
    .command('verify')
    .description(
      'Check offline that FILE is what an issuer released, and that the release is in the log.',
    )
    .argument('<FILE>', 'file, or directory with its manifest')
    .option('--proof <F>', 'proof file (default: FILE.tlog-proof)')
    .requiredOption('--policy <F>', 'trust policy: logs and witnesses (C2SP tlog-policy)')
    .requiredOption('--issuer <KEY.pub>', "issuer's public key; may be repeated", collect)
    .option('--purl <P>', 'product that it must be, such as pkg:generic/acme/scanner@1.2.3')
    .option('--manifest <F>', 'manifest that names FILE (default for a directory: FILE.SHA256SUMS)')
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
    });
}

function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

async function reportOn(path: string, options: Options): Promise<Report> {
  let outcome: { code?: ErrorCode; checks: readonly CheckLine[]; facts: Facts };
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
  const { code, checks, facts } = outcome;
  return {
    ok: code === undefined,
    file: path,
    code: code ?? null,
    exit: code === undefined ? 0 : errorKinds[code].exit,
    reason: reason ?? null,
    checks,
    facts,
  };
}

function printReport({ ok, file, code, exit, reason, checks, facts }: Report): void {
  for (const line of checks) {
    print(`${line.ok ? 'ok    ' : 'FAILED'}  ${line.check.padEnd(10)}  ${line.detail}`);
  }
  if (ok) {
    const product = facts.purls?.join(', ');
    print(
      `VERIFIED  ${file}${product ? ` is ${product}` : ''}, entry ${facts.index} of ${facts.origin}`,
    );
  } else {
    note(`REFUSED  ${file}: ${reason} (${code}, exit ${exit})`);
  }
}

async function verdictOn(
  path: string,
  options: Options,
): Promise<{ code?: ErrorCode; checks: readonly CheckLine[]; facts: Facts }> {
  const directory = await isDirectory(path);
  // "." and "dir/" have no name to put an ending to.
  const base = directory ? resolve(path) : path;
  const judge = await readJudge(options, `${base}.tlog-proof`);
  if (!directory && options.manifest === undefined) return judge(await hashFile(path));
  const manifest = await readBytes(options.manifest ?? `${base}.SHA256SUMS`, MAX_MANIFEST_BYTES);
  const verdict = await judge(nodeSha256(manifest));
  if (!verdict.ok) return verdict;
  const check = await checkManifest(path, directory, manifest);
  const { checks, facts } = verdict;
  return { ...(check.code && { code: check.code }), checks: [...checks, check], facts };
}

/** Reads all that does not depend on the artifact, so that a missing file is told before a long hash. */
async function readJudge(
  options: Options,
  defaultProof: string,
): Promise<(digest: Uint8Array) => Promise<Verdict>> {
  const policy = await readPolicy(options.policy);
  const issuers = await Promise.all(options.issuer.map((key) => readPublicKeyFile(key)));
  const proof = await readBytes(options.proof ?? defaultProof, MAX_PROOF_BYTES);
  const { purl } = options;
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
