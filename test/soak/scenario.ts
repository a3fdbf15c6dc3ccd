/** What happens in one scenario, drawn from a seed: where a log forks, when, whom it shows which face. */
import { Random } from './random.ts';

export const CLIENTS = 20;
export const MONITORS = 3;

export interface Scenario {
  readonly seed: number;
  /** Entries that both branches have. */
  readonly forkSize: number;
  /** Entries that each has beyond those, when it is shown first. */
  readonly honestGrowth: number;
  readonly forkedGrowth: number;
  /** Entries that the honest branch gets when both were shown. */
  readonly laterGrowth: number;
  readonly shownTo: 'one client' | 'half of the clients' | 'one monitor';
  /** Who is shown the forked branch. */
  readonly clients: readonly number[];
  readonly monitor?: number;
  /** Clients that look at the honest branch. */
  readonly onlookers: readonly number[];
  /** Whether the fork is shown before, while or after the witnesses cosign the honest branch. */
  readonly moment: 'before' | 'at' | 'after';
  /**
   * What the third witness does: is honest; is honest and asked for the forked branch first; cosigns
   * both branches and shows one; cosigns both and shows both.
   */
  readonly witness: 'honest' | 'raced' | 'colludes' | 'discloses';
  /** Whether the forked branch's tiles are withheld. */
  readonly withheld: boolean;
  /** Whether monitors are given the forked branch's tiles until the honest one grows. */
  readonly explained: boolean;
  /** Whether each branch is signed by one of the log's keys only: Ed25519 or ML-DSA-44. */
  readonly keysApart: boolean;
}

const all = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

export function drawScenario(seed: number): Scenario {
  const random = new Random(seed);
  const growth = (): number => random.whole(1, random.one([3, 40, 300]));
  const honestGrowth = growth();
  const forkedGrowth = random.chance(0.25) ? honestGrowth : growth();
  const shownTo = random.one(['one client', 'half of the clients', 'one monitor'] as const);
  const clients =
    shownTo === 'one monitor'
      ? []
      : random.some(all(CLIENTS), shownTo === 'one client' ? 1 : CLIENTS / 2);
  const others = all(CLIENTS).filter((client) => !clients.includes(client));
  const moment = random.one(['before', 'at', 'after'] as const);
  return {
    seed,
    forkSize: random.one([1, 2, 255, 256, 257, random.whole(3, 600)]),
    honestGrowth,
    forkedGrowth,
    laterGrowth: random.chance(0.5) ? growth() : 0,
    shownTo,
    clients,
    ...(shownTo === 'one monitor' && { monitor: random.whole(0, MONITORS - 1) }),
    onlookers: random.some(others, 3),
    moment,
    witness: random.one(['honest', 'raced', 'colludes', 'discloses'] as const),
    withheld: random.chance(0.25),
    explained: moment === 'before' && random.chance(0.3),
    keysApart: random.chance(0.25),
  };
}

/**
 * What must come of it: a conviction when the two branches were shown at one size, or when an honest
 * monitor holds the tiles of the larger one; else an accusation.
 */
export function expectedVerdict(scenario: Scenario): 'convicted' | 'accused' {
  const { honestGrowth, forkedGrowth, laterGrowth, monitor, withheld } = scenario;
  const sameSize = forkedGrowth === honestGrowth;
  const honestIsLarger = forkedGrowth <= honestGrowth + laterGrowth;
  const forkIsHeld = monitor !== undefined && !withheld;
  return sameSize || honestIsLarger || forkIsHeld ? 'convicted' : 'accused';
}

/** Who cannot talk to whom for a while, in all scenarios of a round. */
export interface Partition {
  /** Milliseconds from the start of the round. */
  readonly from: number;
  readonly to: number;
  /** Monitors that reach no other monitor and no witness. */
  readonly monitors: readonly number[];
  /** Clients that reach no monitor. */
  readonly clients: readonly number[];
  /** Whether connections hang instead of being refused. */
  readonly silent: boolean;
}

/** A monitor that is killed in a round and started anew, and after how many milliseconds. */
export function drawKill(
  seed: number,
): { readonly monitor: number; readonly at: number } | undefined {
  const random = new Random(seed ^ 0xdead);
  if (random.chance(0.5)) return undefined;
  return { monitor: random.whole(0, MONITORS - 1), at: random.whole(1000, 6000) };
}

export function drawPartition(seed: number): Partition | undefined {
  const random = new Random(seed ^ 0x5eed);
  if (random.chance(0.4)) return undefined;
  const from = random.whole(0, 3000);
  return {
    from,
    to: from + random.whole(1000, 6000),
    monitors: random.some(all(MONITORS), random.whole(0, 2)),
    clients: random.some(all(CLIENTS), random.whole(1, CLIENTS)),
    silent: random.chance(0.3),
  };
}
