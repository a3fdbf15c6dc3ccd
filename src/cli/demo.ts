/**
 * `daybook demo`: the whole story on one machine, with the real commands and real builds. A log
 * runs, a pipeline logs what it built, a client verifies it; then three attacks, each refused.
 */
import { copyFile, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { errorKinds, type ErrorCode } from '../errors.ts';
import { nodeSha256 } from '../keys/node-hasher.ts';
import { formatTlogProof, parseTlogProof } from '../proof/tlog-proof.ts';
import { formatEnvelope, parseEnvelope } from '../statement/dsse.ts';
import { nodeBinary, packedPackages, prebuiltAddons } from './demo/builds.ts';
import { Stage } from './demo/stage.ts';
import { print } from './output.ts';

/** Both logs of the demo say that they have this name. */
const fastLog = ['--interval-ms', '100', '--origin', 'log.acme.example'];
const key = 'pipeline.key';
const trust = ['--policy', 'log/log.policy', '--issuer', `${key}.pub`];
const nodePurl = `pkg:generic/acme/node@${process.versions.node}`;

export function register(program: Command): void {
  program
    .command('demo')
    .description(
      'Play the whole story on this machine: log real builds, verify them, refuse attacks.',
    )
    .option('--keep', 'leave the files for a look')
    .action(async ({ keep }: { readonly keep?: true }) => {
      const started = performance.now();
      const directory = await mkdtemp(join(tmpdir(), 'daybook-demo-'));
      const stage = new Stage(directory);
      // Ctrl-C stops the command that runs, which ends the story: then what was made is removed.
      process.once('SIGINT', () => undefined);
      try {
        await play(stage);
      } finally {
        await stage.close();
        if (!keep) await rm(directory, { recursive: true });
      }
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      print('', `Three releases accepted, three attacks refused, in ${seconds} s.`);
      if (keep) print(`The files are in ${directory}`);
    });
}

async function play(stage: Stage): Promise<void> {
  stage.tell("A vendor runs a log, and admits its pipeline's key for the products of acme.");
  await stage.daybook('keygen', '--out', key);
  const url = await startLog(stage, 'log');
  const log = ['--log', url, '--policy', 'log/log.policy'];

  const packages = await bringBuilds(stage.directory);
  stage.tell('The pipeline logs three releases: a file, a directory, an update of several files.');
  const ci = ['--builder', 'https://ci.acme.example'];
  await submit(stage, 'node', '--purl', nodePurl, ...ci, ...log);
  await submit(stage, 'addons', '--purl', 'pkg:generic/acme/leveldb-addons@3', ...ci, ...log);
  const bases = ['--purl', 'pkg:generic/acme/bases@2026.11.24-01', '--kind', 'av-update'];
  await submit(stage, ...packages, ...bases, ...log);

  stage.tell('A client checks them offline: the proofs came beside the files.');
  await stage.daybook('verify', 'node', ...trust, '--purl', nodePurl);
  await stage.daybook('verify', 'addons', ...trust);
  await stage.daybook('verify', packages[0] ?? '', ...trust);

  stage.tell('Attack: one bit of the binary is changed.');
  await changeOneBit(join(stage.directory, 'node'), join(stage.directory, 'node-changed'));
  await refused(stage, 'artifact-mismatch', 'node-changed', '--proof', 'node.tlog-proof');

  stage.tell('Attack: a forged proof. The one of the real binary is rewritten to name an implant.');
  await writeFile(join(stage.directory, 'implant'), 'This is not what acme built.\n');
  await forgeProof(stage.directory);
  await refused(stage, 'inclusion-invalid', 'implant');

  stage.tell(
    'Attack: the implant is signed with the stolen key of the pipeline, but never logged: the vendor',
    'would see it. Instead it goes into another log that says it has the same name.',
  );
  const twin = ['--log', await startLog(stage, 'twin'), '--policy', 'twin/log.policy'];
  await submit(stage, 'implant', '--purl', nodePurl, ...twin);
  await refused(stage, 'untrusted-checkpoint', 'implant');
}

/** A log in the directory `data`, to which the pipeline's key is admitted. Returns its URL. */
async function startLog(stage: Stage, data: string): Promise<string> {
  const url = await stage.startLog('--data', data, ...fastLog);
  const scope = ['--key', `${key}.pub`, '--purl', 'pkg:generic/acme/*'];
  await stage.daybook('issuer', 'add', '--data', data, '--name', 'acme-pipeline', ...scope);
  return url;
}

async function bringBuilds(directory: string): Promise<string[]> {
  await nodeBinary(directory);
  await prebuiltAddons(directory);
  return packedPackages(directory);
}

function submit(stage: Stage, ...what: readonly string[]): Promise<void> {
  return stage.daybook('submit', ...what, '--key', key);
}

function refused(stage: Stage, code: ErrorCode, ...what: readonly string[]): Promise<void> {
  return stage.daybookFails(errorKinds[code].exit, 'verify', ...what, ...trust);
}

async function changeOneBit(from: string, to: string): Promise<void> {
  await copyFile(from, to);
  const file = await open(to, 'r+');
  try {
    const { size } = await file.stat();
    const middle = Math.floor(size / 2);
    const { buffer } = await file.read(Buffer.alloc(1), 0, 1, middle);
    await file.write(Buffer.of((buffer[0] ?? 0) ^ 1), 0, 1, middle);
  } finally {
    await file.close();
  }
}

/** The proof of `node`, with the digest in its statement replaced by that of `implant`. */
async function forgeProof(directory: string): Promise<void> {
  const proof = parseTlogProof(await readFile(join(directory, 'node.tlog-proof')));
  const envelope = parseEnvelope(proof.extra ?? new Uint8Array());
  const digest = encodeHex(nodeSha256(await readFile(join(directory, 'implant'))));
  const payload = decodeUtf8(envelope.payload).replace(/(?<="sha256":")[0-9a-f]+/, digest);
  const extra = formatEnvelope({ ...envelope, payload: utf8(payload) });
  await writeFile(join(directory, 'implant.tlog-proof'), formatTlogProof({ ...proof, extra }));
}
