/**
 * `npm run soak -- gossip --scenarios N --seed S [--honest N] [--json]`: forks of a log, and honest
 * logs under trouble, in a real cluster. Exits with 1 when a fork was missed or anybody was wronged.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Cluster } from './cluster.ts';
import { playRound, type RoundOutcome } from './round.ts';
import { failures, summary } from './summary.ts';

/** Scenarios that are played at once. */
const AT_ONCE = 10;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    scenarios: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    /** Keeps the directory of the cluster, to be looked into. */
    keep: { type: 'boolean', default: false },
    /** Only the summary, as JSON. */
    json: { type: 'boolean', default: false },
  },
});
if (positionals.join(' ') !== 'gossip') {
  process.stderr.write('usage: soak gossip [--scenarios N] [--seed S] [--json]\n');
  process.exit(2);
}
const scenarios = Number(values.scenarios);
const seed = Number(values.seed);

const directory = await mkdtemp(join(tmpdir(), 'daybook-soak-'));
const rounds: RoundOutcome[] = [];
const cluster = await Cluster.start(directory);
try {
  for (let done = 0; done < scenarios; done += AT_ONCE) {
    const count = Math.min(AT_ONCE, scenarios - done);
    const seeds = Array.from({ length: count }, (_, i) => seed + done + i);
    const outcome = await playRound(cluster, seeds, rounds.length);
    rounds.push(outcome);
    tell(`${done + count} of ${scenarios} scenarios`, ...failures(outcome));
  }
} finally {
  await cluster.stop();
  if (values.keep) tell(`kept ${directory}`);
  else await rm(directory, { recursive: true, force: true });
}
const result = summary(rounds);
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
else console.table(result);
if (rounds.some((outcome) => failures(outcome).length > 0)) process.exitCode = 1;

function tell(...lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`${line}\n`);
}
