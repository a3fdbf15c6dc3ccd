/** What came of all rounds, in figures. */
import type { HonestOutcome } from './honest.ts';
import type { Outcome, RoundOutcome } from './round.ts';

export interface Summary {
  readonly scenarios: number;
  readonly convicted: number;
  readonly accused: number;
  /** Neither, or only accused where there was enough for a conviction. */
  readonly missed: number;
  /** Evidence that convicts nobody, and honest witnesses that were convicted. */
  readonly falseConvictions: number;
  /** Of witnesses that cosigned both branches. */
  readonly colludersConvicted: number;
  readonly colluders: number;
  /** From when both branches had been shown to a monitor's evidence or accusation. */
  readonly detectionMs: Quantiles;
  /** The same of convictions where no partition was in the way. */
  readonly unpartedMs: Quantiles;
  /** From when both branches had been shown until every monitor had evidence. */
  readonly everywhereMs: Quantiles;
}

interface Quantiles {
  readonly median: number;
  readonly p95: number;
}

export function summary(rounds: readonly RoundOutcome[]): Summary {
  const outcomes = rounds.flatMap((round) => round.outcomes);
  const convicted = outcomes.filter(({ verdict }) => verdict === 'convicted');
  const colluding = convicted.filter(({ scenario }) => colluded(scenario.witness));
  return {
    scenarios: outcomes.length,
    convicted: convicted.length,
    accused: outcomes.filter(({ verdict }) => verdict === 'accused').length,
    missed: outcomes.filter(isMissed).length,
    falseConvictions:
      rounds.flatMap(({ unfounded }) => unfounded).length +
      outcomes.flatMap(({ wronged }) => wronged).length,
    colludersConvicted: colluding.filter(({ colluderConvicted }) => colluderConvicted).length,
    colluders: colluding.length,
    detectionMs: quantiles(outcomes.map(({ detectionMs }) => detectionMs)),
    unpartedMs: quantiles(
      convicted.filter(({ parted }) => !parted).map(({ detectionMs }) => detectionMs),
    ),
    everywhereMs: quantiles(outcomes.map(({ everywhereMs }) => everywhereMs)),
  };
}

/** Of honest logs: `wronged` must be 0. */
export function honestSummary(outcomes: readonly HonestOutcome[]): {
  readonly runs: number;
  readonly followed: number;
  readonly entries: number;
  readonly wronged: number;
} {
  const sum = (of: (outcome: HonestOutcome) => number): number =>
    outcomes.reduce((total, outcome) => total + of(outcome), 0);
  return {
    runs: sum(({ runs }) => runs),
    followed: sum(({ followed }) => followed),
    entries: sum(({ entries }) => entries),
    wronged: sum(({ wrongs }) => wrongs.length),
  };
}

/** What should not have come of a round, a line each. */
export function failures({ outcomes, unfounded }: RoundOutcome): string[] {
  return [
    ...outcomes
      .filter(isMissed)
      .map(
        ({ scenario, expected, verdict }) =>
          `want ${expected}, got ${verdict}: ${JSON.stringify(scenario)}`,
      ),
    ...outcomes
      .filter(({ wronged }) => wronged.length > 0)
      .map(({ scenario, wronged }) => `${wronged.join()} wronged: ${JSON.stringify(scenario)}`),
    ...unfounded,
  ];
}

function isMissed({ expected, verdict, everywhereMs }: Outcome): boolean {
  if (expected === 'accused') return verdict === 'missed';
  return everywhereMs === undefined;
}

function colluded(witness: string): boolean {
  return witness === 'colludes' || witness === 'discloses';
}

function quantiles(values: readonly (number | undefined)[]): Quantiles {
  const sorted = values.filter((value) => value !== undefined).sort((a, b) => a - b);
  const at = (share: number): number =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
  return { median: at(0.5), p95: at(0.95) };
}
