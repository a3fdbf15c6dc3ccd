/** `daybook submit`: signs a statement about files, logs it, checks the answer and keeps the proof. */
import { Option, type Command } from 'commander';
import { Http } from '../client/http.ts';
import { LogClient } from '../client/log-client.ts';
import type { Submitted } from '../client/submit.ts';
import { DaybookError } from '../errors.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import type { Signer } from '../signature/port.ts';
import { formatEnvelope, signEnvelope } from '../statement/dsse.ts';
import { inTotoPayloadType, maxSubjects, type Subject } from '../statement/in-toto.ts';
import { releaseKinds, releaseStatement, type ReleaseKind } from '../statement/release.ts';
import type { TrustPolicy } from '../verify/policy.ts';
import { verifyProof } from '../verify/verify-proof.ts';
import { writeAtomically } from './files.ts';
import { logState } from './log-state.ts';
import { print } from './output.ts';
import { hashArtifacts, writeManifest, type Artifacts } from './submit-artifacts.ts';
import { blamingState, trustedLog } from './trust.ts';

interface ReleaseOptions {
  readonly purl: string;
  readonly kind?: ReleaseKind;
  readonly source?: string;
  readonly builder?: string;
  readonly releaseId?: string;
}

interface Options extends ReleaseOptions {
  readonly log: string;
  readonly key: string;
  readonly vkey?: string;
  readonly policy?: string;
  readonly state?: string;
}

export function register(program: Command): void {
  program
    .command('submit')
    .description(
      'Log a release. Several files are subjects of one statement; a directory, or more files than fit an entry, are logged as a manifest (FILE.SHA256SUMS, for sha256sum -c).',
    )
    .argument('<FILE...>', 'files of the release, or one directory')
    .requiredOption('--log <URL>', 'base URL of the log')
    .requiredOption('--key <F>', 'private key of an admitted issuer')
    .requiredOption('--purl <P>', 'the release, such as pkg:generic/acme/scanner@1.2.3')
    .addOption(new Option('--kind <kind>', 'what it is').choices(releaseKinds))
    .option('--source <URI>', 'source: git+https://host/repository@<full commit hash>')
    .option('--builder <URI>', 'build platform')
    .option('--release-id <ID>', 'stable identifier of the product across its releases')
    .option('--vkey <V>', "the log's public key")
    .option('--policy <F>', 'trust policy for the answer, instead of --vkey')
    .option(
      '--state <DIR>',
      'where keys and checkpoints of logs are remembered (default: XDG state)',
    )
    .action(submit);
}

async function submit(paths: readonly string[], options: Options): Promise<void> {
  const signer = await readKeyFile(options.key);
  checkRelease(options);
  const state = logState(new Http(options.log).base, options.state);
  const artifacts = await hashArtifacts(paths);
  const signed = await signRelease(artifacts, options, signer);

  await blamingState(state, async () => {
    const policy = await trustedLog(options.log, options, state);
    const client = new LogClient({ url: options.log, policy, state, verifier: nodeVerifier });
    const submitted = await client.submit(signed.entry);
    await checkAnswer(submitted, signed.subjects, options, policy, signer);
    for (const path of signed.proofPaths) await writeAtomically(path, submitted.proof);
    report(submitted, signed, options);
  });
}

interface SignedRelease {
  readonly entry: Uint8Array;
  readonly subjects: readonly Subject[];
  readonly proofPaths: readonly string[];
  readonly manifestPath?: string;
}

/** One statement about all files or, where that does not fit an entry, about a manifest of them. */
async function signRelease(
  artifacts: Artifacts,
  options: ReleaseOptions,
  signer: Signer,
): Promise<SignedRelease> {
  const { subjects, paths, target } = artifacts;
  if (subjects.length > 0 && subjects.length <= maxSubjects) {
    const entry = await sign(subjects, options, signer);
    const proofPaths = paths.map((path) => `${path}.tlog-proof`);
    if (entry.length <= MAX_ENTRY_BYTES) return { entry, subjects, proofPaths };
  }
  const { path, subject } = await writeManifest(artifacts);
  return {
    entry: await sign([subject], options, signer),
    subjects: [subject],
    proofPaths: [`${target}.tlog-proof`],
    manifestPath: path,
  };
}

/** Nothing in it depends on the time: the same release again is the same statement, and logged once. */
async function sign(
  subjects: readonly Subject[],
  options: ReleaseOptions,
  signer: Signer,
): Promise<Uint8Array> {
  const payload = releaseStatement({ ...options, subjects });
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [signer]));
}

/** Tries each option before anything is hashed, so that a wrong one is told at once and by its name. */
function checkRelease({ purl, kind, source, builder, releaseId }: ReleaseOptions): void {
  const subjects: Subject[] = [{ sha256: new Uint8Array(32) }];
  const tried = {
    '--purl': {},
    '--kind': { kind },
    '--source': { source },
    '--builder': { builder },
    '--release-id': { releaseId },
  };
  for (const [option, value] of Object.entries(tried)) {
    try {
      releaseStatement({ purl, subjects, ...value });
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      throw new DaybookError('bad-usage', `wrong ${option}: ${error.message}`, { cause: error });
    }
  }
}

/** The proof is about to travel with the release: it must convince the one who receives it. */
async function checkAnswer(
  { proof }: Submitted,
  [subject]: readonly Subject[],
  { purl }: ReleaseOptions,
  policy: TrustPolicy,
  { publicKey }: Signer,
): Promise<void> {
  const verdict = await verifyProof({
    artifact: { sha256: subject?.sha256 ?? new Uint8Array(32) },
    proof,
    policy,
    issuers: [publicKey],
    purl,
    verifier: nodeVerifier,
  });
  const failed = verdict.checks.find(({ ok }) => !ok);
  if (verdict.code !== undefined) {
    throw new DaybookError(
      verdict.code,
      `the log's answer does not verify: ${failed?.detail ?? ''}`,
    );
  }
}

function report(submitted: Submitted, signed: SignedRelease, { purl }: ReleaseOptions): void {
  const { index, duplicate, head } = submitted;
  const { proofPaths, manifestPath } = signed;
  print(
    `${duplicate ? 'logged already' : 'logged'}: ${purl} is entry ${index} of ${head.origin} (size ${head.size})`,
    ...(manifestPath === undefined ? [] : [`manifest: ${manifestPath}`]),
    ...proofPaths.map((path) => `proof: ${path}`),
  );
}
