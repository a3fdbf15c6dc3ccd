/** What a client remembers of a verdict, so that nothing older is accepted later. */
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { channelKey, checkForward, newestOf } from './rules/channel.ts';
import { productKey } from './rules/history.ts';
import type { Case } from './rules/rule.ts';
import type { ShownTree } from './shown.ts';
import type { TrustState } from './trust-state.ts';

/**
 * The state with what was seen: `heads` that neither went back nor forked, and the newest statements of
 * the demanded channels. They count whether or not the artifact was accepted: who was told that it is
 * withdrawn must not be given yesterday's statement afterwards. No time comes from the own clock: one
 * that runs ahead must not lock the client out for good.
 */
export function withSeen(
  given: Case,
  heads: ReadonlyMap<string, ShownTree>,
  quorumTime: number | undefined,
): TrustState {
  const { state } = given;
  // A log that went back or forked teaches nothing.
  if (heads.size === 0) return state;
  const shown = [...heads].map(
    ([origin, { size, root }]) => [origin, { size, root: encodeHex(root) }] as const,
  );
  return {
    ...state,
    time: Math.max(state.time, quorumTime ?? 0),
    heads: { ...state.heads, ...Object.fromEntries(shown) },
    channels: { ...state.channels, ...Object.fromEntries(channelsSeen(given)) },
  };
}

/** The state after the artifact was accepted. */
export function withAccepted(state: TrustState, { policy, release, tree }: Case): TrustState {
  const product = productKey(tree.origin, release.purl);
  const before = Object.hasOwn(state.releases, product) ? (state.releases[product] ?? 0) : 0;
  return {
    ...state,
    policyVersion: Math.max(state.policyVersion, policy.version),
    releases: { ...state.releases, [product]: Math.max(before, release.signed.index) },
  };
}

function channelsSeen(given: Case): [string, TrustState['channels'][string]][] {
  return given.rule.channels.flatMap((rule) => {
    try {
      const newest = newestOf(given, rule);
      checkForward(given, newest);
      const { signed, state } = newest;
      const seen = { sequence: state.sequence, leafHash: signed.leafHash };
      return [[channelKey(newest, rule.channel), seen]];
    } catch (error) {
      // Missing, forked or gone back: the verdict says so, and there is nothing to remember.
      if (error instanceof DaybookError) return [];
      throw error;
    }
  });
}
