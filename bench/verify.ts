/** Verifying a proof file: in process, and from the command line against sha256sum. */
import { spawnSync } from 'node:child_process';
import { createHash, randomFillSync } from 'node:crypto';
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { leafIndex, treeSize } from '../src/encoding/integer.ts';
import { createKeyFile } from '../src/keys/key-file.ts';
import { nodeVerifier } from '../src/keys/node-verifier.ts';
import { rfc6962 } from '../src/merkle/hash.ts';
import { proveInclusion } from '../src/merkle/inclusion.ts';
import { formatCheckpoint } from '../src/note/checkpoint.ts';
import { formatNote } from '../src/note/note.ts';
import { signNote, type NoteSigner } from '../src/note/sign.ts';
import { formatVkey, verifierKey } from '../src/note/vkey.ts';
import { formatTlogProof } from '../src/proof/tlog-proof.ts';
import { formatEnvelope, signEnvelope } from '../src/statement/dsse.ts';
import { inTotoPayloadType } from '../src/statement/in-toto.ts';
import { releaseStatement } from '../src/statement/release.ts';
import { parsePolicy } from '../src/verify/policy.ts';
import { verifyProof } from '../src/verify/verify-proof.ts';
import { computedTree } from './computed-tree.ts';
import { newIssuer } from './samples.ts';
import { scratch } from './server-process.ts';

export interface VerifyFigures {
  readonly leaves: number;
  readonly proofBytes: number;
  /** Medians. */
  readonly inProcessMs: number;
  readonly cliSmallFileMs: number;
  readonly cliGibibyteMs: number;
  readonly sha256sumGibibyteMs: number;
  /** Median of the ratios of runs in pairs. */
  readonly ratio: number;
}

const LEAVES = 1_000_000;
const GIBIBYTE = 1 << 30;
const CHUNK = 1 << 20;

export async function verifying(): Promise<VerifyFigures> {
  const directory = await scratch();
  const small = join(directory, 'small');
  writeFileSync(small, 'a small release\n');
  const large = join(directory, 'large');
  const largeDigest = writeRandom(large, GIBIBYTE);
  const smallDigest = createHash('sha256').update('a small release\n').digest();
  const { proof, policy, issuerKey } = await provenRelease(directory, [smallDigest, largeDigest]);

  const parsed = parsePolicy(policy);
  const { publicKey } = issuerKey;
  const inProcess = await medianOf(200, async () => {
    const started = performance.now();
    const verdict = await verifyProof({
      artifact: { sha256: smallDigest },
      proof: Buffer.from(proof),
      policy: parsed,
      issuers: [publicKey],
      verifier: nodeVerifier,
    });
    if (!verdict.ok) throw new Error(JSON.stringify(verdict));
    return performance.now() - started;
  });

  const files = ['--proof', join(directory, 'proof'), '--policy', join(directory, 'policy')];
  const verify = (file: string): number =>
    timed(
      process.execPath,
      'dist/cli/main.js',
      'verify',
      file,
      ...files,
      '--issuer',
      join(directory, 'issuer.pub'),
    );
  const cliSmall = await medianOf(20, () => verify(small));
  const pairs: { cli: number; sum: number }[] = [];
  for (let i = 0; i < 5; i++) pairs.push({ cli: verify(large), sum: timed('sha256sum', large) });
  await rm(directory, { recursive: true });
  return {
    leaves: LEAVES,
    proofBytes: proof.length,
    inProcessMs: round(inProcess),
    cliSmallFileMs: round(cliSmall),
    cliGibibyteMs: round(median(pairs.map(({ cli }) => cli))),
    sha256sumGibibyteMs: round(median(pairs.map(({ sum }) => sum))),
    ratio: round(median(pairs.map(({ cli, sum }) => cli / sum))),
  };
}

/** A proof in a tree of a million leaves, of which all but one are alike, under three cosignatures. */
async function provenRelease(
  directory: string,
  digests: readonly Uint8Array[],
): Promise<{
  proof: string;
  policy: string;
  issuerKey: Awaited<ReturnType<typeof createKeyFile>>;
}> {
  const issuerKey = await createKeyFile(join(directory, 'issuer'), 'ed25519');
  const payload = releaseStatement({
    purl: 'pkg:generic/acme/scanner@1.2.3',
    subjects: digests.map((sha256, i) => ({ name: `file-${i}`, sha256 })),
  });
  const entry = formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [issuerKey]));
  const leafHash = rfc6962.leaf(entry);
  const index = 654_321;
  const { proof: hashes, root } = await proveInclusion(
    index,
    LEAVES,
    computedTree(new Map([[index, leafHash]])),
  );

  const log = await noteSigner('log.acme.example', 0x01);
  const witnesses = await Promise.all(
    [1, 2, 3].map((i) => noteSigner(`witness-${i}.example`, 0x04)),
  );
  const text = formatCheckpoint({
    origin: 'log.acme.example',
    size: treeSize(LEAVES),
    root,
    extensions: [],
  });
  const note = formatNote(await signNote(text, [log, ...witnesses], Math.floor(Date.now() / 1000)));
  const proof = formatTlogProof({
    extra: entry,
    index: leafIndex(index),
    hashes,
    checkpoint: Buffer.from(note),
  });
  const policy = [
    `log ${formatVkey(log.key)}`,
    ...witnesses.map(({ key }, i) => `witness w${i} ${formatVkey(key)}`),
    'group all-of-them all w0 w1 w2',
    'quorum all-of-them',
    '',
  ].join('\n');
  writeFileSync(join(directory, 'proof'), proof);
  writeFileSync(join(directory, 'policy'), policy);
  return { proof, policy, issuerKey };
}

async function noteSigner(name: string, type: 0x01 | 0x04): Promise<NoteSigner> {
  const signer = await newIssuer();
  return { key: verifierKey(name, type, signer.publicKey), signer };
}

function writeRandom(path: string, bytes: number): Uint8Array {
  const hash = createHash('sha256');
  const file = openSync(path, 'w');
  const chunk = Buffer.alloc(CHUNK);
  for (let written = 0; written < bytes; written += CHUNK) {
    randomFillSync(chunk);
    hash.update(chunk);
    writeSync(file, chunk);
  }
  closeSync(file);
  return hash.digest();
}

function timed(command: string, ...args: readonly string[]): number {
  const started = performance.now();
  const { status, stderr } = spawnSync(command, args);
  if (status !== 0) throw new Error(`${command} exited with ${status}: ${stderr.toString()}`);
  return performance.now() - started;
}

async function medianOf(runs: number, run: () => number | Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < runs; i++) values.push(await run());
  return median(values);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
