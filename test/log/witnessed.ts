/** Real logs with real witnesses over loopback, and links between them that can be disturbed. */
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { Log, type LogOptions } from '../../src/log/log.ts';
import type { Published } from '../../src/log/publisher.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { formatVkey, parseVkey, type VerifierKey } from '../../src/note/vkey.ts';
import { parsePolicy, type TrustPolicy } from '../../src/verify/policy.ts';
import { startWitness, type RunningWitness } from '../witness/running-witness.ts';
import { startLink, type Link } from './link.ts';
import { scratchDirectory } from './scratch.ts';

/** Which logs the witnesses know: filled when a log is open. */
export interface KnownLogs {
  logs: Map<string, VerifierKey[]>;
}

export interface LinkedWitness extends RunningWitness {
  readonly name: string;
  readonly link: Link;
}

export interface House {
  readonly known: KnownLogs;
  /** Named A, B, C and so on, in the policy too. */
  readonly witnesses: readonly LinkedWitness[];
  /** A policy with a line for each key of each witness, and this quorum. */
  policy(...lines: string[]): TrustPolicy;
}

/** So many witnesses, which run until the test ends. */
export async function startHouse(
  count: number,
  options: { mlDsa?: boolean; now?: () => number } = {},
): Promise<House> {
  const known: KnownLogs = { logs: new Map() };
  const witnesses: LinkedWitness[] = [];
  for (const name of ['A', 'B', 'C', 'D', 'E'].slice(0, count)) {
    const running = await startWitness({
      ...options,
      list: known,
      name: `witness.example/${name}`,
    });
    witnesses.push({ ...running, name, link: await startLink(running.url) });
  }
  const lines = witnesses.flatMap(({ name, keys, link }) =>
    keys.map((key, i) => `witness ${name}${i || ''} ${formatVkey(key)} ${link.url}`),
  );
  return {
    known,
    witnesses,
    policy: (...more) => parsePolicy([...lines, ...more, ''].join('\n')),
  };
}

export interface WitnessedLog {
  readonly log: Log;
  readonly directory: string;
  readonly reports: string[];
}

type Options = Partial<LogOptions> & {
  readonly policy: TrustPolicy;
  /** The witnesses do not come to know the log. */
  readonly unknown?: boolean;
};

/** An open log that the house's witnesses know, closed when the test ends. */
export async function openWitnessed(
  { known }: House,
  { policy, unknown = false, witnesses, ...options }: Options,
): Promise<WitnessedLog> {
  const directory = options.directory ?? (await scratchDirectory());
  const reports: string[] = [];
  const log = await Log.open({
    admission: 'open',
    origin: 'log.example/a',
    intervalMs: 50,
    report: (message, error) =>
      reports.push(error instanceof Error ? `${message}: ${error.message}` : message),
    ...options,
    directory,
    witnesses: { policy, timeoutMs: 1000, ...witnesses },
  });
  onTestFinished(() => log.close());
  if (!unknown) known.logs.set(log.origin, log.vkeys.map(parseVkey));
  return { log, directory, reports };
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(5);
}

/** Until the log takes entries. */
export async function accepting(log: Log): Promise<void> {
  await until(() => log.status().accepting);
}

/** Last parts of the names of the witnesses whose cosignatures are on it and verify, in alphabetical order. */
export async function cosigners({ witnesses }: House, { note }: Published): Promise<string> {
  if (note.length === 0) return '';
  const keys = witnesses.flatMap((witness) => witness.keys);
  const opened = await openNote(parseNote(note), keys, nodeVerifier).catch((error: unknown) => {
    if ((error as { code?: string }).code === 'untrusted-checkpoint') return [];
    throw error;
  });
  const names = opened.map(({ key }) => key.name.split('/')[1] as string);
  return [...new Set(names)].sort().join('');
}
