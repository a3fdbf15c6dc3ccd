/** Sizes of release and channel files: statements at scattered places in trees that are computed. */
import { createHash } from 'node:crypto';
import { encodeHex } from '../src/encoding/hex.ts';
import { leafIndex, treeSize } from '../src/encoding/integer.ts';
import { generateKey, signerFromPem } from '../src/keys/node-signer.ts';
import { rfc6962 } from '../src/merkle/hash.ts';
import { proveInclusion } from '../src/merkle/inclusion.ts';
import { proveMultiInclusion } from '../src/merkle/multi-inclusion.ts';
import { formatCheckpoint } from '../src/note/checkpoint.ts';
import { formatNote } from '../src/note/note.ts';
import { signNote, type NoteSigner } from '../src/note/sign.ts';
import { verifierKey, type NoteKeyType } from '../src/note/vkey.ts';
import { formatReleaseFile } from '../src/proof/release-file.ts';
import { formatTlogProof } from '../src/proof/tlog-proof.ts';
import type { Signer } from '../src/signature/port.ts';
import { channelStatement } from '../src/statement/channel.ts';
import { formatEnvelope, signEnvelope } from '../src/statement/dsse.ts';
import { inTotoPayloadType } from '../src/statement/in-toto.ts';
import { provenanceStatement } from '../src/statement/provenance.ts';
import { releaseStatement } from '../src/statement/release.ts';
import { verificationSummaryStatement } from '../src/statement/verification-summary.ts';
import { computedTree } from './computed-tree.ts';
import { newIssuer } from './samples.ts';

export interface SizeFigure {
  readonly file: string;
  readonly leaves: number;
  readonly cosignatures: string;
  readonly entryBytes: number;
  readonly proofBytes: number;
  readonly checkpointBytes: number;
  readonly fileBytes: number;
  /** The same statements as so many `.tlog-proof` files. */
  readonly asProofFiles: number;
}

const ORIGIN = 'log.acme.example';
const PURL = 'pkg:generic/acme/scanner@1.2.3';
const SOURCE = `git+https://git.acme.example/scanner@${'4a1c5d0f'.repeat(5)}`;
const sha256 = (text: string): Uint8Array =>
  new Uint8Array(createHash('sha256').update(text).digest());
const subjects = [{ name: 'scanner-1.2.3-linux-amd64.tar.gz', sha256: sha256('the build') }];

export async function releaseFiles(): Promise<SizeFigure[]> {
  const witnesses = {
    '3 Ed25519': await newWitnesses(0x04),
    '3 ML-DSA-44': await newWitnesses(0x06),
  };
  const log = await noteSigner(ORIGIN, 0x01);
  const statements = await releaseStatements(20);
  const files = [
    { file: 'channel file', entries: [await channelEntry()] },
    ...[1, 5, 20].map((n) => ({ file: `${n} statements`, entries: statements.slice(0, n) })),
  ];
  const figures: SizeFigure[] = [];
  for (const leaves of [1_000_000, 100_000_000]) {
    for (const { file, entries } of files) {
      for (const [cosignatures, keys] of Object.entries(witnesses)) {
        const sizes = await sizesOf(entries, leaves, [log, ...keys]);
        figures.push({ file, leaves, cosignatures, ...sizes });
      }
    }
  }
  return figures;
}

async function sizesOf(
  entries: readonly Uint8Array[],
  leaves: number,
  signers: readonly NoteSigner[],
): Promise<Omit<SizeFigure, 'file' | 'leaves' | 'cosignatures'>> {
  const indexes = scattered(entries.length, leaves);
  const places = new Map(
    indexes.map((index, i) => [index, rfc6962.leaf(entries[i] as Uint8Array)]),
  );
  const read = computedTree(places);
  const { proof, root } = await proveMultiInclusion(indexes, leaves, read);
  const text = formatCheckpoint({ origin: ORIGIN, size: treeSize(leaves), root, extensions: [] });
  const checkpoint = Buffer.from(formatNote(await signNote(text, signers, 1_795_514_400)));
  const placed = indexes.map((index, i) => ({
    index: leafIndex(index),
    entry: entries[i] as Uint8Array,
  }));
  let asProofFiles = 0;
  for (const { index, entry } of placed) {
    const { proof: hashes } = await proveInclusion(index, leaves, read);
    asProofFiles += formatTlogProof({ extra: entry, index, hashes, checkpoint }).length;
  }
  return {
    entryBytes: entries.reduce((sum, { length }) => sum + length, 0),
    proofBytes: 32 * proof.length,
    checkpointBytes: checkpoint.length,
    fileBytes: formatReleaseFile({ checkpoint, entries: placed, proof, channels: [] }).length,
    asProofFiles,
  };
}

/** Ascending, far from each other: the less their paths share, the larger the proof. */
function scattered(count: number, leaves: number): number[] {
  const golden = (Math.sqrt(5) - 1) / 2;
  const places = Array.from({ length: count }, (_, i) =>
    Math.floor((((i + 1) * golden) % 1) * leaves),
  );
  return places.sort((a, b) => a - b);
}

/** A release, its provenance, rebuilds, approvals and reviews, each signed by a key of its own. */
async function releaseStatements(count: number): Promise<Uint8Array[]> {
  const root = sha256('the source');
  const provenance = (builder: string): Uint8Array =>
    provenanceStatement({
      subjects,
      buildType: 'https://reproducible.example/make/v1',
      builderId: `https://${builder}.example/release`,
      externalParameters: { target: 'linux-amd64' },
      source: SOURCE,
      commitment: root,
      assembly: { site: 'Zurich', jurisdiction: 'CH' },
    });
  const summary = (verifier: string, of: typeof subjects): Uint8Array =>
    verificationSummaryStatement({
      subjects: of,
      verifierId: `https://${verifier}.example`,
      timeVerified: 1_795_514_400,
      resourceUri: PURL,
      policyUri: `https://${verifier}.example/rules`,
      result: 'PASSED',
      checked: ['static analysis', 'update channel', 'telemetry'],
    });
  const payloads = [
    releaseStatement({ purl: PURL, subjects, kind: 'build', source: SOURCE }),
    provenance('ci'),
    provenance('rebuilder-1'),
    provenance('rebuilder-2'),
    summary('supervisor-1', subjects),
    ...Array.from({ length: count - 5 }, (_, i) =>
      i % 3 === 0
        ? provenance(`rebuilder-${i}`)
        : summary(
            `reviewer-${i}`,
            i % 3 === 1 ? subjects : [{ name: 'scanner 1.2.3', sha256: root }],
          ),
    ),
  ];
  return Promise.all(payloads.map(async (payload) => envelope(payload, await newIssuer())));
}

async function channelEntry(): Promise<Uint8Array> {
  const listed = (name: string): string[] => [encodeHex(sha256(name))];
  const payload = channelStatement({
    origin: ORIGIN,
    channel: 'acme/stable',
    kind: 'releases',
    sequence: 8760,
    previous: leafIndex(612_345),
    issued: 1_795_514_400,
    expires: 1_795_604_400,
    current: ['1.2.3', '1.1.9', '2.0.0-rc.1'].map((version) => ({
      purl: `pkg:generic/acme/scanner@${version}`,
      sha256: listed(version),
    })),
    withdrawn: [
      {
        sha256: encodeHex(sha256('1.2.2')),
        purl: 'pkg:generic/acme/scanner@1.2.2',
        reason: 'CVE-2026-1',
      },
    ],
  });
  return envelope(payload, await newIssuer());
}

async function envelope(payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [signer]));
}

function newWitnesses(type: NoteKeyType): Promise<NoteSigner[]> {
  return Promise.all([1, 2, 3].map((i) => noteSigner(`witness-${i}.example`, type)));
}

async function noteSigner(name: string, type: NoteKeyType): Promise<NoteSigner> {
  const signer = signerFromPem(await generateKey(type === 0x06 ? 'ml-dsa-44' : 'ed25519'));
  return { key: verifierKey(name, type, signer.publicKey), signer };
}
