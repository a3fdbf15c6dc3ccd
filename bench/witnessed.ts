/** What witnesses add to the time until an entry is published with its quorum: log and witnesses are processes on one machine. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { formatVkey } from '../src/note/vkey.ts';
import { initCosigner } from '../src/cosigner/directory.ts';
import { scratch, startServer, startService, type ServerProcess } from './server-process.ts';

export interface WitnessedFigure {
  readonly quorum: string;
  readonly entries: number;
  /** From an entry's submission to its proof under a published checkpoint. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Beside the same log without witnesses. */
  readonly addedP50Ms: number;
}

const INTERVAL_MS = 50;

/** Entries that come one by one to an idle log, each of which is published at once. */
export async function witnessed(entries: number): Promise<WitnessedFigure[]> {
  const alone = await published(entries, []);
  const figures = [figure('none', alone, alone)];
  for (const [quorum, mlDsa] of [
    ['2 of 3, Ed25519', false],
    ['3 of 3, Ed25519', false],
    ['3 of 3, Ed25519 and ML-DSA-44', true],
  ] as const) {
    const lists = join(await scratch(), 'logs');
    await writeFile(lists, '');
    const witnesses: ServerProcess[] = [];
    const lines: string[] = [];
    const names: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const directory = join(await scratch(), name);
      const keys = await initCosigner(directory, { name: `witness.example/${name}`, mlDsa });
      const witness = await startService(
        'witness',
        directory,
        '--logs',
        lists,
        '--log-level',
        'error',
      );
      witnesses.push(witness);
      for (const key of keys) {
        names.push(`${name}${key.type}`);
        lines.push(`witness ${name}${key.type} ${formatVkey(key)} ${witness.url}`);
      }
    }
    const group = `group q ${quorum.startsWith('2') ? 2 : 'all'} ${names.join(' ')}`;
    const took = await published(entries, [...lines, group, 'quorum q'], lists);
    figures.push(figure(quorum, took, alone));
    for (const witness of witnesses) await witness.stop();
  }
  return figures;
}

async function published(
  entries: number,
  policy: readonly string[],
  lists?: string,
): Promise<number[]> {
  const directory = join(await scratch(), 'log');
  const options = [
    '--log-level',
    'error',
    '--admission',
    'open',
    '--interval-ms',
    String(INTERVAL_MS),
  ];
  if (policy.length > 0) {
    const path = join(await scratch(), 'witnesses');
    await writeFile(path, `${policy.join('\n')}\n`);
    options.push('--witnesses', path);
  }
  const log = await startServer(directory, ...options);
  if (lists !== undefined) {
    await writeFile(lists, `log ${await readFile(join(directory, 'log.vkey'), 'utf8')}`);
  }
  while (!(await fetch(`${log.url}/readyz`)).ok) await delay(50);
  const took: number[] = [];
  for (let i = 0; i < entries; i++) {
    await delay(INTERVAL_MS + 10);
    const started = performance.now();
    const answer = await fetch(`${log.url}/entries`, {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: `entry ${i}`,
    });
    await answer.arrayBuffer();
    if (answer.status !== 201) throw new Error(`entry ${i} was answered ${answer.status}`);
    took.push(performance.now() - started);
  }
  await log.stop();
  return took.sort((a, b) => a - b);
}

function figure(
  quorum: string,
  took: readonly number[],
  alone: readonly number[],
): WitnessedFigure {
  const percentile = (times: readonly number[], share: number): number =>
    times[Math.floor(times.length * share)] ?? 0;
  const p50 = percentile(took, 0.5);
  const round = (ms: number): number => Number(ms.toFixed(1));
  return {
    quorum,
    entries: took.length,
    p50Ms: round(p50),
    p99Ms: round(percentile(took, 0.99)),
    addedP50Ms: round(p50 - percentile(alone, 0.5)),
  };
}
