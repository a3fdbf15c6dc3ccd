/** Real witnesses in directories of their own, and requests written down by hand as the specification has them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { onTestFinished } from 'vitest';
import { proveConsistency } from '../../src/merkle/consistency.ts';
import type { FaceLimits } from '../../src/http/limits.ts';
import type { VerifierKey } from '../../src/note/vkey.ts';
import { initCosigner } from '../../src/cosigner/directory.ts';
import { createWitnessFace } from '../../src/witness/face.ts';
import { openWitness, type Witness, type WitnessOptions } from '../../src/witness/witness.ts';
import type { MemoryLog } from '../client/memory-log.ts';

export interface RunningWitness {
  readonly witness: Witness;
  readonly directory: string;
  /** Without a slash at its end: submission prefix and monitoring prefix. */
  readonly url: string;
  readonly keys: readonly VerifierKey[];
  /** All that it reported. */
  readonly reported: { readonly message: string; readonly error: unknown }[];
}

export async function witnessDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'daybook-witness-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** The list that knows these logs. */
export function listOf(...logs: readonly MemoryLog[]): WitnessOptions['list'] {
  return {
    logs: Map.groupBy(
      logs.map(({ signer }) => signer.key),
      ({ name }) => name,
    ),
  };
}

/** Runs until the test ends. */
export async function startWitness(
  options: Partial<WitnessOptions> & {
    name?: string;
    mlDsa?: boolean;
    directory?: string;
    limits?: Partial<FaceLimits>;
  } = {},
): Promise<RunningWitness> {
  const { name = 'witness.example/w1', mlDsa = false, list = listOf(), now } = options;
  const directory = options.directory ?? (await witnessDirectory());
  if (options.directory === undefined) await initCosigner(directory, { name, mlDsa });
  const reported: RunningWitness['reported'] = [];
  const report = (message: string, error?: unknown): void => void reported.push({ message, error });
  const witness = await openWitness(directory, { list, report, ...(now ? { now } : {}) });
  onTestFinished(() => witness.close());
  const { limits = {} } = options;
  const face = createWitnessFace(witness, { logger: pino({ level: 'silent' }), limits });
  onTestFinished(() => face.stop());
  const { port } = await face.listen(0, '127.0.0.1');
  const url = `http://127.0.0.1:${port}`;
  return { witness, directory, url, keys: witness.keys, reported };
}

const base64 = (hash: Uint8Array): string => Buffer.from(hash).toString('base64');

/** The proof that a log gives, as base64 lines. */
export async function proofOf(log: MemoryLog, old: number, size: number): Promise<string[]> {
  if (old === 0 || old > size) return [];
  return (await proveConsistency(old, size, log.read)).map(base64);
}

/** The body of an add-checkpoint request, honest but for what is given. */
export async function requestBody(
  log: MemoryLog,
  old: number,
  size: number,
  given: { readonly proof?: readonly string[]; readonly note?: Uint8Array | string } = {},
): Promise<string> {
  const proof = given.proof ?? (await proofOf(log, old, size));
  const note = Buffer.from(given.note ?? (await log.note(size))).toString();
  return [`old ${old}`, ...proof, '', note].join('\n');
}

export function post(url: string, body: string | Uint8Array): Promise<Response> {
  return fetch(`${url}/add-checkpoint`, { method: 'POST', body: Buffer.from(body) });
}
