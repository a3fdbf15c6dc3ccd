/** When a checkpoint was certainly there: a time that neither one wrong clock nor the log can move. */
import { reachesQuorum, type Cosignature, type TrustPolicy } from './policy.ts';

/** How far ahead a witness's clock may be, in seconds. */
export const MAX_CLOCK_LEAD = 300;

/**
 * The latest t such that the cosignatures with t <= timestamp <= now + 5 minutes alone reach the
 * quorum; undefined where they do not, or where no quorum is wanted. `now`, like all times, in
 * seconds since 1970: the greater of the own clock and what was stored.
 */
export function quorumTime(
  trust: TrustPolicy,
  cosignatures: readonly Cosignature[],
  now: number,
): number | undefined {
  if (trust.quorum === 'none') return undefined;
  const believable = cosignatures.filter(({ timestamp }) => timestamp <= now + MAX_CLOCK_LEAD);
  const times = believable.map(({ timestamp }) => timestamp).sort((a, b) => b - a);
  return times.find((time) => {
    const since = believable.filter(({ timestamp }) => timestamp >= time);
    return reachesQuorum(trust, new Set(since.map(({ name }) => name)));
  });
}
