/** A witness process that cosigns growing logs over HTTP, each cosignature durable before its answer. */
import { writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { generateKey, signerFromPem } from '../src/keys/node-signer.ts';
import { proveConsistency } from '../src/merkle/consistency.ts';
import { rfc6962 } from '../src/merkle/hash.ts';
import { readSubtrees } from '../src/merkle/node.ts';
import { wholeTree } from '../src/merkle/subtree.ts';
import { formatAddCheckpoint } from '../src/note/add-checkpoint.ts';
import { formatCheckpoint } from '../src/note/checkpoint.ts';
import { formatNote } from '../src/note/note.ts';
import { signNote, type NoteSigner } from '../src/note/sign.ts';
import { formatVkey, verifierKey } from '../src/note/vkey.ts';
import { treeSize } from '../src/encoding/integer.ts';
import { initCosigner } from '../src/cosigner/directory.ts';
import { computedTree } from './computed-tree.ts';
import { scratch, startService } from './server-process.ts';

export interface WitnessFigure {
  readonly name: string;
  readonly logs: number;
  readonly requests: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Processor time of the witness for each cosigned checkpoint, which other programs hardly change. */
  readonly cpuMs: number;
  readonly rssMB: number;
}

/** Proofs are as long as those of a log of this size. */
const LEAVES = 1_000_000;
const tree = computedTree(new Map());

export async function witnesses(perLog: number): Promise<WitnessFigure[]> {
  return [
    await cosigning('Ed25519, 64 logs', 64, perLog, false),
    await cosigning('Ed25519, 1 log', 1, perLog * 5, false),
    await cosigning('Ed25519 and ML-DSA-44, 64 logs', 64, Math.ceil(perLog / 4), true),
  ];
}

/** Each log sends its next checkpoint when the last one is cosigned, as a log does. */
async function cosigning(
  name: string,
  count: number,
  perLog: number,
  mlDsa: boolean,
): Promise<WitnessFigure> {
  const logs = await Promise.all(
    Array.from({ length: count }, (_, i) => newLog(`log-${i}.example`)),
  );
  const bodies = await requests(logs, perLog);
  const directory = join(await scratch(), 'witness');
  await initCosigner(directory, { name: 'witness.example/w1', mlDsa });
  const list = join(await scratch(), 'logs');
  await writeFile(list, logs.map(({ key }) => `log ${formatVkey(key)}\n`).join(''));
  const witness = await startService('witness', directory, '--logs', list);
  const agent = new Agent({ keepAlive: true });
  const took: number[] = [];
  const cpuBefore = witness.cpu();
  const started = performance.now();
  await Promise.all(
    bodies.map(async (sequence) => {
      for (const body of sequence) {
        const sentAt = performance.now();
        await post(`${witness.url}/add-checkpoint`, body, agent);
        took.push(performance.now() - sentAt);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const cpuMs = Number((((witness.cpu() - cpuBefore) * 1000) / took.length).toFixed(2));
  const rssMB = witness.rss();
  agent.destroy();
  await witness.stop();
  took.sort((a, b) => a - b);
  const percentile = (share: number): number =>
    Number((took[Math.floor(took.length * share)] ?? 0).toFixed(2));
  return {
    name,
    logs: count,
    requests: took.length,
    perSecond: Math.round(took.length / seconds),
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    cpuMs,
    rssMB,
  };
}

async function newLog(origin: string): Promise<NoteSigner> {
  const signer = signerFromPem(await generateKey('ed25519'));
  return { key: verifierKey(origin, 0x01, signer.publicKey), signer };
}

/** The bodies of each log, all of them over the same tree, which costs nothing while the clock runs. */
async function requests(logs: readonly NoteSigner[], perLog: number): Promise<Uint8Array[][]> {
  const bodies: Uint8Array[][] = logs.map(() => []);
  for (let i = 0; i < perLog; i++) {
    const size = LEAVES + i;
    const oldSize = treeSize(i === 0 ? 0 : size - 1);
    const [root] = await readSubtrees([wholeTree(size)], tree, rfc6962);
    const proof = oldSize === 0 ? [] : await proveConsistency(oldSize, size, tree);
    await Promise.all(
      logs.map(async (log, at) => {
        const text = formatCheckpoint({
          origin: log.key.name,
          size: treeSize(size),
          root: root as NonNullable<typeof root>,
          extensions: [],
        });
        const checkpoint = Buffer.from(formatNote(await signNote(text, [log])));
        bodies[at]?.push(formatAddCheckpoint({ oldSize, proof, checkpoint }));
      }),
    );
  }
  return bodies;
}

function post(url: string, body: Uint8Array, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-length': body.length };
    const req = request(url, { method: 'POST', headers, agent }, (res) => {
      res.resume();
      res.on('end', () =>
        res.statusCode === 200 ? resolve() : reject(new Error(`add-checkpoint: ${res.statusCode}`)),
      );
    });
    req.on('error', reject);
    req.end(body);
  });
}
