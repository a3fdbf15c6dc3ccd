/**
 * A round of honest logs under trouble: cosigned by three witnesses, stopped and killed; slow links;
 * caches that show old checkpoints after new ones; heads that are reported late and in another order;
 * witnesses and monitors started anew; partitions. Nobody may be convicted or accused.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Log } from '../../src/log/log.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { WITNESSES, type Cluster, type WatchedLog } from './cluster.ts';
import type { HonestLogCalls } from './honest-log.ts';
import { Link } from './link.ts';
import { separate } from './partition.ts';
import { Random } from './random.ts';
import { CLIENTS, drawPartition, MONITORS } from './scenario.ts';
import { StaleCache } from './stale-cache.ts';
import { Tribunal } from './tribunal.ts';
import { startWorker, type Worker } from './worker.ts';

export interface HonestOutcome {
  readonly runs: number;
  /** Logs whose last checkpoint every monitor had verified in the end. */
  readonly followed: number;
  /** Entries that the logs took. */
  readonly entries: number;
  /** What should not be: evidence, accusations and alerts against logs or witnesses, a line each. */
  readonly wrongs: readonly string[];
}

interface Stage {
  readonly id: number;
  readonly random: Random;
  readonly log: WatchedLog;
  readonly directory: string;
  readonly policy: string;
  readonly caches: readonly StaleCache[];
  /** Past the caches. */
  readonly direct: Link;
  /** Checkpoints as they were shown over time. */
  readonly notes: Uint8Array<ArrayBuffer>[];
  entries: number;
}

/** A process and the logs that it runs. */
interface Host {
  readonly stages: readonly Stage[];
  process: Worker<HonestLogCalls>;
}

const HOSTS = 2;
const STEPS = 8;
const CATCH_UP_MS = 60_000;
/** Longer than anything is away here; a log that is, and whose newest head was reported, is accused. */
const ACCUSE_AFTER = '2m';
/** Rules of alerts that say that a log is not honest. */
const grave = /term="(log-[a-z]+)"/g;

export async function playHonest(
  cluster: Cluster,
  seeds: readonly number[],
  round: number,
): Promise<HonestOutcome> {
  const directory = join(cluster.directory, `honest-${round}`);
  await mkdir(directory, { recursive: true });
  const stages: Stage[] = [];
  for (const [i, seed] of seeds.entries()) {
    stages.push(await setUp(cluster, seed, round * 1000 + i, directory));
  }
  await cluster.watch(
    stages.map(({ log }) => log),
    round,
    ACCUSE_AFTER,
  );
  const hosts = Array.from({ length: HOSTS }, (_, host) => ({
    stages: stages.filter((_, i) => i % HOSTS === host),
    process: startWorker<HonestLogCalls>('./honest-log.ts'),
  }));
  await Promise.all(hosts.map(openLogs));
  const tribunal = new Tribunal(
    stages.flatMap(({ log }) => log.vkeys),
    cluster.witnessKeys,
    () => cluster.monitors.map(({ service }) => service.port),
  );
  const limit = new AbortController();
  const sitting = tribunal.sit(() => false, limit.signal);
  const random = new Random(seeds[0] ?? 0);
  const partition = drawPartition(seeds[0] ?? 0);
  await Promise.all([
    ...hosts.flatMap((host) => host.stages.map((stage) => play(stage, host, cluster))),
    ...hosts.map((host) => restartHost(host, random)),
    restartOthers(cluster, random),
    partition && separate(cluster, partition),
  ]);
  const followed = await countFollowed(cluster, stages);
  limit.abort();
  await sitting;
  const wrongs = [...tribunal.wrongs(), ...(await alertsOf(cluster))];
  await cluster.unwatch();
  for (const { process } of hosts) await process.kill();
  for (const { log, caches, direct } of stages) {
    for (const each of [...log.links, ...caches, direct]) each.close();
  }
  const entries = stages.reduce((sum, stage) => sum + stage.entries, 0);
  return { runs: stages.length, followed, entries, wrongs };
}

async function setUp(cluster: Cluster, seed: number, id: number, parent: string): Promise<Stage> {
  const random = new Random(seed);
  const directory = join(parent, `log-${id}`);
  const origin = `honest-${id}.example/seed-${seed}`;
  const log = await Log.open({ directory, origin, admission: 'open' });
  const vkey = log.vkeys[0] as string;
  await log.close();
  const policy = join(parent, `policy-${id}`);
  const lines = cluster.witnesses.map(
    (witness, i) => `witness w${i} ${witness.vkey} ${cluster.submit[i]?.url}\n`,
  );
  const members = lines.map((_, i) => `w${i}`).join(' ');
  await writeFile(policy, `log ${vkey}\n${lines.join('')}group two 2 ${members}\nquorum two\n`);
  const keepMs = random.one([0, 300, 1500, 8000]);
  const caches = await Promise.all(
    Array.from({ length: MONITORS + 1 }, () => StaleCache.open(random, 2, keepMs)),
  );
  const links = await Promise.all(caches.map(({ port }) => Link.open(port)));
  for (const link of links) link.delayMs = random.one([0, 0, 20, 300]);
  const direct = await Link.open(0);
  const files = { directory, policy };
  return {
    id,
    random,
    log: { origin, vkeys: [vkey], links },
    ...files,
    caches,
    direct,
    notes: [],
    entries: 0,
  };
}

async function openLogs({ stages, process }: Host): Promise<void> {
  for (const { id, directory, policy, caches, direct } of stages) {
    const port = await process.call('open', { id, directory, policy });
    for (const each of [...caches, direct]) each.lead(port);
  }
}

async function play(stage: Stage, host: Host, cluster: Cluster): Promise<void> {
  const { random, id } = stage;
  for (let step = 0; step < STEPS; step++) {
    await delay(random.whole(0, 1500));
    const given = { id, label: `step ${step}`, count: random.whole(1, random.one([3, 300])) };
    // A log that is being started anew takes nothing.
    stage.entries += await host.process.call('append', given).catch(() => 0);
    await remember(stage);
    if (random.chance(0.5)) await look(stage, cluster, random.whole(0, CLIENTS - 1));
    if (random.chance(0.7)) await reportLate(stage, cluster);
  }
  await reportLate(stage, cluster);
}

async function remember({ direct, notes }: Stage): Promise<void> {
  const signal = AbortSignal.timeout(3000);
  const answer = await fetch(`${direct.url}/checkpoint`, { signal }).catch(() => undefined);
  const note = answer?.status === 200 && (await answer.arrayBuffer().catch(() => undefined));
  if (note) notes.push(new Uint8Array(note));
}

async function look({ id, log }: Stage, cluster: Cluster, client: number): Promise<void> {
  const url = log.links[MONITORS]?.url ?? '';
  const monitor = cluster.reports[client]?.url ?? '';
  await cluster.clients[client]?.call('look', { id, url, vkeys: log.vkeys, monitor });
}

/** Heads that were shown before, by different clients, in another order. */
async function reportLate({ notes, random }: Stage, cluster: Cluster): Promise<void> {
  const late = random.some(notes, 3).reverse();
  for (const body of late) {
    const link = cluster.reports[random.whole(0, CLIENTS - 1)];
    const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
    const signal = AbortSignal.timeout(2000);
    await fetch(`${link?.url}/gossip/checkpoint`, { method: 'POST', body, headers, signal })
      .then((answer) => answer.arrayBuffer())
      .catch(() => undefined);
  }
}

async function restartHost(host: Host, random: Random): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await delay(random.whole(1500, 5000));
    if (random.chance(0.5)) await host.process.call('stop', undefined);
    await host.process.kill();
    host.process = startWorker<HonestLogCalls>('./honest-log.ts');
    await openLogs(host);
  }
}

async function restartOthers(cluster: Cluster, random: Random): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await delay(random.whole(500, 3000));
    await cluster.restartWitness(random.whole(0, WITNESSES - 1), random.chance(0.5));
    await delay(random.whole(500, 3000));
    await cluster.restartMonitor(random.whole(0, MONITORS - 1), random.chance(0.5));
  }
}

/** How many logs every monitor has verified to their last checkpoint. */
async function countFollowed(cluster: Cluster, stages: readonly Stage[]): Promise<number> {
  const end = performance.now() + CATCH_UP_MS;
  const sizes = await Promise.all(stages.map(sizeOf));
  const wanted = new Map(stages.map(({ log }, i) => [originHash(log.origin), sizes[i] ?? 0]));
  for (;;) {
    const audited = await Promise.all(cluster.monitors.map(({ service }) => audits(service.port)));
    const behind = [...wanted].filter(([hash, size]) =>
      audited.some((logs) => (logs.get(hash) ?? -1) < size),
    );
    if (behind.length === 0 || performance.now() > end) return stages.length - behind.length;
    await delay(200);
  }
}

/** Of the newest checkpoint, when everything that was taken had time to be published. */
async function sizeOf(stage: Stage): Promise<number> {
  await delay(1500);
  await remember(stage);
  const last = Buffer.from(stage.notes.at(-1) ?? []).toString();
  return Number(last.split('\n')[1]);
}

async function audits(port: number): Promise<Map<string, number>> {
  const answer = await fetch(`http://127.0.0.1:${port}/logs`);
  const { logs } = (await answer.json()) as { logs: { originHash: string; audited: number }[] };
  return new Map(logs.map((log) => [log.originHash, log.audited]));
}

async function alertsOf(cluster: Cluster): Promise<string[]> {
  const feeds = await Promise.all(
    cluster.monitors.map(async ({ service }) =>
      (await fetch(`http://127.0.0.1:${service.port}/alerts.atom`)).text(),
    ),
  );
  return feeds.flatMap((feed, monitor) =>
    [...feed.matchAll(grave)].map(([, rule]) => `monitor ${monitor} alerts: ${rule}`),
  );
}
