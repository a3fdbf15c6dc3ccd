/** A round: some scenarios at once in one cluster, each with a log of its own, under one partition. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, witnessName, WITNESSES, type WatchedLog } from './cluster.ts';
import type { Face, ForkingLogCalls } from './forking-log.ts';
import { Link } from './link.ts';
import { separate } from './partition.ts';
import { Random } from './random.ts';
import {
  drawKill,
  drawPartition,
  drawScenario,
  expectedVerdict,
  MONITORS,
  type Scenario,
} from './scenario.ts';
import { Tribunal, type Case } from './tribunal.ts';
import { startWorker, type Worker } from './worker.ts';

export interface Outcome {
  readonly origin: string;
  readonly vkeys: readonly string[];
  readonly scenario: Scenario;
  readonly expected: 'convicted' | 'accused';
  readonly verdict: 'convicted' | 'accused' | 'missed';
  /** Whether a partition was in its way. */
  readonly parted: boolean;
  /** Milliseconds from when both branches had been shown to the first monitor's evidence or accusation. */
  readonly detectionMs?: number;
  /** To the last monitor's evidence. */
  readonly everywhereMs?: number;
  /** Names of honest witnesses that were convicted. */
  readonly wronged: readonly string[];
  readonly colluderConvicted: boolean;
  readonly file?: Uint8Array;
}

export interface RoundOutcome {
  readonly outcomes: readonly Outcome[];
  /** Evidence that monitors served and that convicts nobody. */
  readonly unfounded: readonly string[];
}

/** A scenario and the log that it is played with. */
interface Stage {
  readonly id: number;
  readonly scenario: Scenario;
  readonly log: WatchedLog;
  readonly ports: Readonly<Record<Face, number>>;
  /** Where the clients look that are shown the fork. */
  readonly audience: Link;
  /** When both branches had been shown, by `performance.now()`. */
  shownAt?: number;
}

const ACCUSE_AFTER = '4s';
/** After the last scenario was played and the partition is over. */
const VERDICT_MS = 60_000;
/** Long enough for monitors to ask for what they cannot judge. */
const EXPLAINED_MS = 2500;

/** Plays the scenarios of these seeds. `round` numbers the rounds of a cluster. */
export async function playRound(
  cluster: Cluster,
  seeds: readonly number[],
  round: number,
): Promise<RoundOutcome> {
  const directory = join(cluster.directory, `round-${round}`);
  const forking = startWorker<ForkingLogCalls>('./forking-log.ts');
  const stages: Stage[] = [];
  for (const [i, seed] of seeds.entries()) {
    const scenario = drawScenario(seed);
    stages.push(await setUp(forking, scenario, round * 1000 + i, directory));
  }
  await cluster.watch(
    stages.map(({ log }) => log),
    round,
    ACCUSE_AFTER,
  );
  const partition = drawPartition(seeds[0] ?? 0);
  const kill = drawKill(seeds[0] ?? 0);
  const tribunal = new Tribunal(
    stages.flatMap(({ log }) => log.vkeys),
    cluster.witnessKeys,
    () => cluster.monitors.map(({ service }) => service.port),
  );
  const limit = new AbortController();
  let played = false;
  const sitting = tribunal.sit(
    () =>
      played && stages.every((stage) => isOver(stage.scenario, tribunal.case(stage.log.origin))),
    limit.signal,
  );
  await Promise.all([
    ...stages.map((stage) => play(stage, cluster, forking)),
    partition && separate(cluster, partition),
    kill && killMonitor(cluster, kill),
  ]);
  played = true;
  const timer = setTimeout(() => limit.abort(), VERDICT_MS);
  await sitting;
  clearTimeout(timer);
  const outcomes = stages.map((stage) =>
    outcomeOf(stage, tribunal.case(stage.log.origin), partition !== undefined),
  );
  await cluster.unwatch();
  await forking.kill();
  for (const { audience, log } of stages) for (const link of [audience, ...log.links]) link.close();
  return { outcomes, unfounded: tribunal.unfounded };
}

async function setUp(
  forking: Worker<ForkingLogCalls>,
  scenario: Scenario,
  id: number,
  directory: string,
): Promise<Stage> {
  const origin = `log-${id}.example/seed-${scenario.seed}`;
  const { forkSize, keysApart } = scenario;
  const made = await forking.call('open', {
    id,
    directory: join(directory, `log-${id}`),
    origin,
    forkSize,
    keysApart,
  });
  const { vkeys, ports } = made;
  const face = scenario.explained ? ports.explaining : ports.honest;
  const links = await Promise.all(Array.from({ length: MONITORS }, () => Link.open(face)));
  const audience = await Link.open(ports.honest);
  return { id, scenario, log: { origin, vkeys, links }, ports, audience };
}

async function killMonitor(
  cluster: Cluster,
  { monitor, at }: NonNullable<ReturnType<typeof drawKill>>,
): Promise<void> {
  await delay(at);
  await cluster.restartMonitor(monitor, true);
}

async function play(
  stage: Stage,
  cluster: Cluster,
  forking: Worker<ForkingLogCalls>,
): Promise<void> {
  const { id, scenario, log, ports, audience } = stage;
  const { clients, onlookers, monitor, moment, withheld } = scenario;
  const random = new Random(scenario.seed + 1);
  const { honest, forked } = witnessesOf(cluster, scenario);
  const look = async (who: readonly number[], url: string): Promise<void> => {
    await Promise.all(
      who.map(async (client) => {
        const report = cluster.reports[client]?.url ?? '';
        await cluster.clients[client]?.call('look', { id, url, vkeys: log.vkeys, monitor: report });
      }),
    );
  };
  const honestUrl = `http://127.0.0.1:${ports.honest}`;
  let shown = 0;
  const wasShown = (): void => {
    shown += 1;
    if (shown === 2) stage.shownAt = performance.now();
  };
  const growHonest = async (by: number): Promise<void> => {
    await forking.call('grow', { id, side: 'honest', by, witnesses: honest });
    wasShown();
    await look(onlookers, honestUrl);
  };
  const showFork = async (): Promise<void> => {
    const by = scenario.forkedGrowth;
    await forking.call('grow', { id, side: 'forked', by, witnesses: forked });
    const port = withheld ? ports.withholding : ports.forked;
    audience.lead(port);
    if (monitor !== undefined) log.links[monitor]?.lead(port);
    wasShown();
    await look(clients, audience.url);
  };

  await delay(random.whole(0, 3000));
  // Those from whom tiles will be withheld must not know the log before, or they would not believe it.
  if (!withheld) await look(clients, audience.url);
  await look(onlookers, honestUrl);
  if (moment === 'before') {
    await showFork();
    if (scenario.explained) {
      await delay(EXPLAINED_MS);
      for (const [i, link] of log.links.entries()) if (i !== monitor) link.lead(ports.honest);
    }
    await growHonest(scenario.honestGrowth);
  } else if (moment === 'at') {
    await Promise.all([growHonest(scenario.honestGrowth), showFork()]);
  } else {
    await growHonest(scenario.honestGrowth);
    await delay(random.whole(0, 1500));
    await showFork();
  }
  if (scenario.laterGrowth === 0) return;
  await delay(random.whole(0, 2000));
  await growHonest(scenario.laterGrowth);
}

/** Where each branch is sent to be cosigned. */
function witnessesOf(
  cluster: Cluster,
  { witness }: Scenario,
): { honest: string[]; forked: string[] } {
  const urls = cluster.submit.map(({ url }) => url);
  const { first, second } = cluster.colluderPorts;
  switch (witness) {
    case 'honest':
      return { honest: urls, forked: [] };
    case 'raced':
      return { honest: urls, forked: urls.slice(WITNESSES - 1) };
    case 'colludes':
    case 'discloses': {
      const honest = [...urls.slice(0, WITNESSES - 1), `http://127.0.0.1:${first}`];
      return { honest, forked: [`http://127.0.0.1:${witness === 'colludes' ? second : first}`] };
    }
  }
}

function isOver(scenario: Scenario, found: Case): boolean {
  if (expectedVerdict(scenario) === 'convicted') return found.everywhereAt !== undefined;
  return found.accusedAt !== undefined || found.everywhereAt !== undefined;
}

function outcomeOf(stage: Stage, found: Case, parted: boolean): Outcome {
  const { scenario, log, shownAt = 0 } = stage;
  const { convictedAt, accusedAt, everywhereAt, witnesses, file } = found;
  const verdict =
    convictedAt !== undefined ? 'convicted' : accusedAt !== undefined ? 'accused' : 'missed';
  const detectedAt = convictedAt ?? accusedAt;
  const honest = Array.from({ length: WITNESSES }, (_, i) => witnessName(i));
  return {
    origin: log.origin,
    vkeys: log.vkeys,
    scenario,
    expected: expectedVerdict(scenario),
    verdict,
    parted,
    ...(detectedAt !== undefined && { detectionMs: Math.max(0, detectedAt - shownAt) }),
    ...(everywhereAt !== undefined && { everywhereMs: Math.max(0, everywhereAt - shownAt) }),
    wronged: honest.filter((name) => witnesses.has(name)),
    colluderConvicted: witnesses.size > 0,
    ...(file && { file }),
  };
}
