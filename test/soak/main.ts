/**
 * `npm run soak -- gossip --scenarios N --seed S [--honest N] [--json]`: forks of a log, and honest
 * logs under trouble, in a real cluster. Exits with 1 when a fork was missed or anybody was wronged.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster } from './cluster.ts';
import { playHonest, type HonestOutcome } from './honest.ts';
import { playRound, type RoundOutcome } from './round.ts';
import { failures, honestSummary, summary } from './summary.ts';

/** Scenarios that are played at once. */
const AT_ONCE = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenarios: { type: 'string', default: '20' },
    /** Runs of honest logs. */
    honest: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
    /** Keeps the directory of the cluster, to be looked into. */
    keep: { type: 'boolean', default: false },
    /** Only the summary, as JSON. */
    json: { type: 'boolean', default: false },
  },
});
if (positionals.join(' ') !== 'gossip') {
  process.stderr.write('usage: soak gossip [--scenarios N] [--honest N] [--seed S] [--json]\n');
  process.exit(2);
}
const scenarios = Number(values.scenarios);
const honestRuns = Number(values.honest);
const seed = Number(values.seed);

const directory = await mkdtemp(join(tmpdir(), 'daybook-soak-'));
const rounds: RoundOutcome[] = [];
const honest: HonestOutcome[] = [];
const cluster = await Cluster.start(directory);
try {
  for (const seeds of seedsOf(scenarios)) {
    const outcome = await playRound(cluster, seeds, rounds.length);
    rounds.push(outcome);
    tell(`${seeds.length} scenarios from seed ${seeds[0]}`, ...failures(outcome));
  }
  for (const seeds of seedsOf(honestRuns)) {
    const outcome = await playHonest(cluster, seeds, rounds.length + honest.length);
    honest.push(outcome);
    const { runs, followed, wrongs } = outcome;
    tell(`${runs} honest runs from seed ${seeds[0]}, ${followed} followed`, ...wrongs);
  }
} finally {
  await cluster.stop();
  if (values.keep) tell(`kept ${directory}`);
  else await rm(directory, { recursive: true, force: true });
}
const result = { ...summary(rounds), honest: honestSummary(honest) };
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
else console.table(result);
const wronged = honest.some(({ wrongs }) => wrongs.length > 0);
if (wronged || rounds.some((outcome) => failures(outcome).length > 0)) process.exitCode = 1;

/** The seeds of each round, for so many scenarios or runs. */
function seedsOf(count: number): number[][] {
  const seeds = Array.from({ length: count }, (_, i) => seed + i);
  return Array.from({ length: Math.ceil(count / AT_ONCE) }, (_, i) =>
    seeds.slice(i * AT_ONCE, (i + 1) * AT_ONCE),
  );
}

function tell(...lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
}
