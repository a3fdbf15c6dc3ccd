/** The verdict on a release by everything that a policy can ask for, in process: 20 statements and a channel at 100 million leaves. */
import { createHash } from 'node:crypto';
import { encodeBase64 } from '../src/encoding/base64.ts';
import { encodeHex } from '../src/encoding/hex.ts';
import { leafIndex, treeSize } from '../src/encoding/integer.ts';
import { nodeTreeHasher } from '../src/keys/node-hasher.ts';
import { nodeVerifier } from '../src/keys/node-verifier.ts';
import { rfc6962 } from '../src/merkle/hash.ts';
import { proveMultiInclusion } from '../src/merkle/multi-inclusion.ts';
import { formatCheckpoint } from '../src/note/checkpoint.ts';
import { formatNote } from '../src/note/note.ts';
import { signNote, type NoteSigner } from '../src/note/sign.ts';
import { formatVkey, verifierKey } from '../src/note/vkey.ts';
import { formatReleaseFile } from '../src/proof/release-file.ts';
import type { Signer } from '../src/signature/port.ts';
import { webVerifier } from '../src/signature/web-verifier.ts';
import { channelStatement } from '../src/statement/channel.ts';
import { formatEnvelope, signEnvelope } from '../src/statement/dsse.ts';
import { inTotoPayloadType } from '../src/statement/in-toto.ts';
import { provenanceStatement } from '../src/statement/provenance.ts';
import { releaseStatement } from '../src/statement/release.ts';
import { verificationSummaryStatement } from '../src/statement/verification-summary.ts';
import { parseReleasePolicy } from '../src/verify/release-policy.ts';
import { verifyRelease } from '../src/verify/verify-release.ts';
import { computedTree } from './computed-tree.ts';
import { newIssuer } from './samples.ts';

export interface VerdictFigures {
  readonly leaves: number;
  readonly statements: number;
  readonly releaseFileBytes: number;
  readonly verifier: 'node:crypto' | 'WebCrypto';
  /** Medians, parsing of the files included. */
  readonly verdictMs: number;
  readonly verdictP99Ms: number;
}

const LEAVES = 100_000_000;
const NOW = 1_795_514_400;
const RUNS = 500;
const ORIGIN = 'log.acme.example';
const PURL = 'pkg:generic/acme/scanner@1.2.3';
const SOURCE = `git+https://git.acme.example/scanner@${'4a1c5d0f'.repeat(5)}`;
const digest = (text: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(text).digest());
const subjects = [{ name: 'scanner-1.2.3.tar.gz', sha256: digest('the build') }];
const tree = digest('the source');
const rebuilders = numbered('rebuilder', 8);
const supervisors = numbered('supervisor', 5);
const reviewers = numbered('reviewer', 5);

export async function verdicts(): Promise<VerdictFigures[]> {
  const parties = new Map<string, Signer>();
  for (const name of ['issuer', 'builder', 'channel', ...rebuilders, ...supervisors, ...reviewers])
    parties.set(name, await newIssuer());
  const log = await noteSigner(ORIGIN, 0x01);
  const witnesses = await Promise.all(
    [1, 2, 3].map((i) => noteSigner(`witness-${i}.example`, 0x04)),
  );
  const signed = (name: string, payload: Uint8Array): Promise<Uint8Array> =>
    envelope(payload, parties.get(name) as Signer);
  const entries = await Promise.all(statements().map(([name, payload]) => signed(name, payload)));
  const signers = [log, ...witnesses];
  const files = await fileMaker([...entries, await signed('channel', channelState())], signers);
  const proof = await files(0, entries.length);
  const channel = await files(entries.length, entries.length + 1);
  const policy = parseReleasePolicy(policyJson(parties, log, witnesses));

  const figures: VerdictFigures[] = [];
  for (const [name, verifier, hasher] of [
    ['node:crypto', nodeVerifier, nodeTreeHasher],
    ['WebCrypto', webVerifier, rfc6962],
  ] as const) {
    const times: number[] = [];
    for (let i = 0; i < RUNS; i++) {
      const started = performance.now();
      const verdict = await verifyRelease({
        artifact: { sha256: digest('the build') },
        proof,
        channels: [channel],
        policy,
        now: NOW,
        verifier,
        hasher,
      });
      times.push(performance.now() - started);
      if (!verdict.ok) throw new Error(JSON.stringify(verdict.rules, undefined, 2));
    }
    times.sort((a, b) => a - b);
    figures.push({
      leaves: LEAVES,
      statements: entries.length,
      releaseFileBytes: proof.length,
      verifier: name,
      verdictMs: round(times[RUNS / 2]),
      verdictP99Ms: round(times[Math.floor(RUNS * 0.99)]),
    });
  }
  return figures;
}

/** Who says what: 20 statements that the policy all needs. */
function statements(): [string, Uint8Array][] {
  const built = (name: string, sourceChecked?: Uint8Array): Uint8Array =>
    provenanceStatement({
      subjects,
      buildType: 'https://reproducible.example/make/v1',
      builderId: `https://${name}.example/release`,
      externalParameters: {},
      source: SOURCE,
      commitment: tree,
      assembly: { site: 'Zurich', jurisdiction: 'CH' },
      sourceChecked,
    });
  const passed = (name: string, of: typeof subjects, resourceUri: string): Uint8Array =>
    verificationSummaryStatement({
      subjects: of,
      verifierId: `https://${name}.example`,
      timeVerified: NOW - 7200,
      resourceUri,
      policyUri: `https://${name}.example/rules`,
      result: 'PASSED',
    });
  const source = [{ name: 'scanner 1.2.3', sha256: tree }];
  return [
    ['issuer', releaseStatement({ purl: PURL, subjects, kind: 'build' })],
    ['builder', built('builder')],
    ...rebuilders.map((name): [string, Uint8Array] => [name, built(name, tree)]),
    ...supervisors.map((name): [string, Uint8Array] => [name, passed(name, subjects, PURL)]),
    ...reviewers.map((name): [string, Uint8Array] => [name, passed(name, source, SOURCE)]),
  ];
}

function channelState(): Uint8Array {
  return channelStatement({
    origin: ORIGIN,
    channel: 'acme/stable',
    kind: 'releases',
    sequence: 8760,
    previous: leafIndex(1),
    issued: NOW - 3600,
    expires: NOW + 86_400,
    current: [{ purl: PURL, sha256: [encodeHex(digest('the build'))] }],
    withdrawn: [],
  });
}

function policyJson(
  parties: ReadonlyMap<string, Signer>,
  log: NoteSigner,
  witnesses: readonly NoteSigner[],
): Uint8Array {
  const keys = [...parties].map(
    ([name, { publicKey }]) => [name, { key: encodeBase64(publicKey.spki) }] as const,
  );
  const all = (names: readonly string[]): object => ({ threshold: names.length, keys: names });
  const product = {
    purl: 'pkg:generic/acme/*',
    issuers: ['issuer'],
    builders: { keys: ['builder'] },
    source: { commitments: [encodeHex(tree)] },
    rebuilds: { ...all(rebuilders), sourceChecked: true },
    approvals: all(supervisors),
    reviews: all(reviewers),
    assembly: { jurisdictions: ['CH'] },
    channels: [{ channel: 'acme/stable', keys: ['channel'], maxAge: '25h' }],
    checkpointMaxAge: '24h',
  };
  const trust = [
    `log ${formatVkey(log.key)}`,
    ...witnesses.map(({ key }, i) => `witness w${i} ${formatVkey(key)}`),
    'group witnesses all w0 w1 w2',
    'quorum witnesses',
  ];
  return Buffer.from(
    JSON.stringify({ version: 1, trust, keys: Object.fromEntries(keys), products: [product] }),
  );
}

/** Makes release files of one tree, with the entries far from each other, so that their paths share little. */
async function fileMaker(
  entries: readonly Uint8Array[],
  signers: readonly NoteSigner[],
): Promise<(from: number, to: number) => Promise<Uint8Array>> {
  const step = Math.floor(LEAVES / (entries.length + 1));
  const placed = entries.map((entry, i) => ({ index: leafIndex((i + 1) * step + i), entry }));
  const read = computedTree(
    new Map(placed.map(({ index, entry }) => [index, rfc6962.leaf(entry)])),
  );
  const prove = (some: typeof placed): ReturnType<typeof proveMultiInclusion> =>
    proveMultiInclusion(
      some.map(({ index }) => index),
      LEAVES,
      read,
    );
  const { root } = await prove(placed);
  const text = formatCheckpoint({ origin: ORIGIN, size: treeSize(LEAVES), root, extensions: [] });
  const checkpoint = Buffer.from(formatNote(await signNote(text, signers, NOW - 60)));
  return async (from, to) => {
    const some = placed.slice(from, to);
    const { proof } = await prove(some);
    return formatReleaseFile({ checkpoint, entries: some, proof, channels: [] });
  };
}

async function envelope(payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [signer]));
}

async function noteSigner(name: string, type: 0x01 | 0x04): Promise<NoteSigner> {
  const signer = await newIssuer();
  return { key: verifierKey(name, type, signer.publicKey), signer };
}

function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name}-${i + 1}`);
}

function round(value = Number.NaN): number {
  return Math.round(value * 100) / 100;
}
