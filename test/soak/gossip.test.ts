/** 20 forks and 10 honest logs in a real cluster; `npm run soak` plays as many as one likes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Cluster } from './cluster.ts';
import { playHonest } from './honest.ts';
import { playRound, type RoundOutcome } from './round.ts';
import { drawScenario, expectedVerdict } from './scenario.ts';
import { runCommand } from './service.ts';
import { failures, summary } from './summary.ts';

const SEED = 1;
const SCENARIOS = 20;
const HONEST = 10;
const seeds = (count: number): number[] => Array.from({ length: count }, (_, i) => SEED + i);

let directory: string;
let cluster: Cluster;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybook-soak-'));
  cluster = await Cluster.start(directory);
});
afterAll(async () => {
  await cluster.stop();
  await rm(directory, { recursive: true, force: true });
});

test('the seeds draw every kind of fork', () => {
  const scenarios = seeds(SCENARIOS).map(drawScenario);
  const kinds = (of: (scenario: (typeof scenarios)[number]) => unknown): number =>
    new Set(scenarios.map(of)).size;
  expect(kinds(({ shownTo }) => shownTo)).toBe(3);
  expect(kinds(({ moment }) => moment)).toBe(3);
  expect(kinds(({ witness }) => witness)).toBe(4);
  expect(kinds(({ withheld }) => withheld)).toBe(2);
  expect(kinds(({ keysApart }) => keysApart)).toBe(2);
  expect(kinds(expectedVerdict)).toBe(2);
});

test(
  `${SCENARIOS} forks are convicted, or accused where their tiles are nowhere`,
  { timeout: 300_000 },
  async () => {
    const round = await playRound(cluster, seeds(SCENARIOS), 0);
    expect(failures(round)).toEqual([]);
    const { missed, falseConvictions, colluders, colludersConvicted } = summary([round]);
    expect({ missed, falseConvictions }).toEqual({ missed: 0, falseConvictions: 0 });
    expect(colludersConvicted).toBe(colluders);
    await checkByCommand(round);
  },
);

test(`nobody is convicted in ${HONEST} honest runs`, { timeout: 300_000 }, async () => {
  const { followed, wrongs, entries } = await playHonest(cluster, seeds(HONEST), 1);
  expect(wrongs).toEqual([]);
  expect(followed).toBe(HONEST);
  expect(entries).toBeGreaterThan(0);
});

/** Evidence of the round, by the command that anybody would check it with. */
async function checkByCommand({ outcomes }: RoundOutcome): Promise<void> {
  const convicted = outcomes.find(({ file }) => file !== undefined);
  const path = join(directory, 'evidence.json');
  await writeFile(path, convicted?.file ?? '');
  const keys = (convicted?.vkeys ?? []).flatMap((vkey) => ['--vkey', vkey]);
  const output = await runCommand('evidence', 'verify', path, ...keys);
  expect(output).toContain(convicted?.origin);
}
