/** A mirror process that copies a whole log from a server process on loopback: verified, synced, cosigned. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Log } from '../src/log/log.ts';
import { initCosigner } from '../src/cosigner/directory.ts';
import { newIssuer, rawEntries, signedRelease } from './samples.ts';
import { cpuSeconds, scratch, startServer } from './server-process.ts';

export interface MirrorFigure {
  readonly name: string;
  readonly entries: number;
  /** From the first request to the mirror checkpoint; starting and stopping the process are in it. */
  readonly seconds: number;
  readonly perSecond: number;
  /** Processor time of the mirror and of the log, in microseconds for each entry. */
  readonly mirrorUs: number;
  readonly logUs: number;
  readonly peakMB: number;
}

type MakeEntries = (count: number, label: number) => Uint8Array[] | Promise<Uint8Array[]>;

export async function mirroring(entries: number): Promise<MirrorFigure[]> {
  const issuer = await newIssuer();
  // An open log does not verify them, so that one signature serves for all.
  const template = await signedRelease(issuer, 0);
  const statements: MakeEntries = (count, label) =>
    rawEntries(count, label).map((raw) => Buffer.concat([template.subarray(raw.length), raw]));
  return [
    await copying('300 random bytes', entries, rawEntries),
    await copying('as long as a signed statement', entries, statements),
  ];
}

async function copying(name: string, entries: number, make: MakeEntries): Promise<MirrorFigure> {
  const directory = await scratch();
  const policy = await fill(directory, entries, make);
  const server = await startServer(directory);
  const mirror = join(await scratch(), 'mirror');
  await initCosigner(mirror, { name: 'mirror.example/bench' });
  const policyPath = join(mirror, '..', 'policy');
  writeFileSync(policyPath, policy);
  const [startedAt, logCpu] = [performance.now(), server.cpu()];
  const { peakMB, cpu } = await run(
    '--log',
    server.url,
    '--policy',
    policyPath,
    '--data',
    mirror,
    '--once',
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const perEntry = (cpuSeconds: number): number => Math.round((cpuSeconds / entries) * 1e7) / 10;
  const used = { mirrorUs: perEntry(cpu), logUs: perEntry(server.cpu() - logCpu) };
  await server.stop();
  await rm(join(mirror, '..'), { recursive: true });
  const perSecond = Math.round(entries / seconds);
  return { name, entries, seconds: Math.round(seconds * 10) / 10, perSecond, ...used, peakMB };
}

/** Gives the policy that trusts the log. */
async function fill(directory: string, entries: number, make: MakeEntries): Promise<string> {
  const log = await Log.open({ directory, admission: 'open' });
  for (let label = 1; label < entries; label += 1024) {
    await log.submitMany(await make(Math.min(1024, entries - label), label));
  }
  const { vkeys } = log;
  await log.close();
  return `${vkeys.map((vkey) => `log ${vkey}\n`).join('')}quorum none\n`;
}

/** The most resident memory of the process, and its processor time in seconds, until shortly before its end. */
async function run(...options: readonly string[]): Promise<{ peakMB: number; cpu: number }> {
  const child = spawn(process.execPath, ['src/cli/main.ts', 'mirror', ...options], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let [peak, cpu] = [0, 0];
  const watching = setInterval(() => {
    try {
      const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
      peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
      cpu = Math.max(cpu, cpuSeconds(child.pid));
    } catch {
      // It has just ended.
    }
  }, 50);
  const [code] = (await once(child, 'exit')) as [number];
  clearInterval(watching);
  if (code !== 0) throw new Error(`the mirror exited with ${code}`);
  return { peakMB: Math.round(peak / 1000), cpu };
}
