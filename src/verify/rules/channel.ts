/**
 * Channels: what is current and what is withdrawn, as of now. The age is counted from the signed
 * `issued`: a fresh checkpoint around an old state proves nothing.
 */
import { equalBytes } from '../../encoding/bytes.ts';
import { channelPredicateType, readChannel, type ChannelState } from '../../statement/channel.ts';
import { formatTime } from '../../statement/timestamp.ts';
import { formatDuration } from '../duration.ts';
import { MAX_CLOCK_LEAD } from '../quorum-time.ts';
import type { ChannelRule } from '../release-policy.ts';
import type { SignedStatement } from '../shown.ts';
import {
  areAbout,
  found,
  isSignedBy,
  Refusal,
  type Case,
  type Finding,
  type ShownChannel,
} from './rule.ts';

export interface NewestChannel extends ShownChannel {
  readonly state: ChannelState;
}

export function checkChannel(given: Case, rule: ChannelRule): Finding {
  const newest = newestOf(given, rule);
  const { state, signed } = newest;
  checkForward(given, newest);
  // Before the age: a withdrawal never becomes less true.
  refuseWithdrawn(given, newest);
  checkFresh(given, rule, newest);
  checkCurrent(given, newest);
  const detail = `${rule.channel} lists it in statement ${state.sequence}, issued ${formatTime(state.issued)}`;
  return found(detail, [signed]);
}

/**
 * The newest statement of the channel that was shown, of the log that the release is in: sequences of
 * two logs can not be compared. Throws `channel-missing` or, for two of one sequence, `channel-rollback`.
 */
export function newestOf(given: Case, { channel, keys }: ChannelRule): NewestChannel {
  const shown = given.channels
    .filter(
      ({ signed, file }) => isSignedBy(signed, keys) && file.tree.origin === given.tree.origin,
    )
    .flatMap((each) => {
      const state = read(each);
      return state?.channel === channel ? [{ ...each, state }] : [];
    });
  const [first, ...others] = shown;
  if (first === undefined) {
    const why = given.refusedChannels.map((reason) => `; one was refused: ${reason}`).join('');
    throw new Refusal(
      'channel-missing',
      `no statement of the channel ${channel} by ${keys.map(({ name }) => name).join(' or ')} was shown${why}`,
    );
  }
  const newest = others.reduce((a, b) => (b.state.sequence > a.state.sequence ? b : a), first);
  for (const [i, { state, signed }] of shown.entries()) {
    const twin = shown
      .slice(i + 1)
      .find((other) => other.state.sequence === state.sequence && !isSame(other.signed, signed));
    if (twin === undefined) continue;
    throw new Refusal(
      'channel-rollback',
      `the channel ${channel} has two statements of sequence ${state.sequence}: keep both files, and tell others`,
      [signed, twin.signed],
    );
  }
  return newest;
}

function isSame(a: SignedStatement, b: SignedStatement): boolean {
  return a.index === b.index && a.leafHash === b.leafHash;
}

/** Only what this log logged, about itself. */
function read({ signed, file }: ShownChannel): ChannelState | undefined {
  if (signed.statement.predicateType !== channelPredicateType) return undefined;
  try {
    const state = readChannel(signed.statement);
    return state.origin === file.tree.origin ? state : undefined;
  } catch {
    return undefined;
  }
}

export function channelKey({ file }: ShownChannel, channel: string): string {
  return `${file.tree.origin} ${channel}`;
}

/** Throws `channel-rollback` for less than the policy's floor, and for less or other than was seen. */
export function checkForward({ state: seen, policy }: Case, newest: NewestChannel): void {
  const { channel, sequence } = newest.state;
  const floor = policy.floors.channels.get(channel) ?? 0;
  if (sequence < floor) {
    throw new Refusal(
      'channel-rollback',
      `the channel ${channel} is shown at statement ${sequence}, the policy knows of ${floor}`,
      [newest.signed],
    );
  }
  const key = channelKey(newest, channel);
  const before = Object.hasOwn(seen.channels, key) ? seen.channels[key] : undefined;
  if (before === undefined || sequence > before.sequence) return;
  if (sequence === before.sequence && newest.signed.leafHash === before.leafHash) return;
  throw new Refusal(
    'channel-rollback',
    sequence < before.sequence
      ? `the channel ${channel} is shown at statement ${sequence}, but ${before.sequence} was seen before`
      : `the channel ${channel} shows another statement ${sequence} than was seen before`,
    [newest.signed],
  );
}

function checkFresh({ time, release, warn }: Case, rule: ChannelRule, newest: NewestChannel): void {
  const { state, signed } = newest;
  const { channel, issued, expires } = state;
  const age = time - issued;
  const refuse = (problem: string): Refusal =>
    new Refusal('channel-stale', `the newest statement of the channel ${channel} ${problem}`, [
      signed,
    ]);
  if (age < -MAX_CLOCK_LEAD) throw refuse(`is issued in the future, ${formatTime(issued)}`);
  const expired = time >= expires;
  if (!expired && age <= rule.maxAge) return;
  const problem = expired
    ? `expired at ${formatTime(expires)}`
    : `is ${age} seconds old, want at most ${formatDuration(rule.maxAge)}`;
  const graced = rule.grace !== undefined && release.kind === 'av-update' && age <= rule.grace;
  if (!graced) throw refuse(problem);
  warn(
    `grace: the newest statement of the channel ${channel} ${problem}; newer withdrawals are unknown`,
  );
}

function refuseWithdrawn({ sha256 }: Case, { state, signed }: NewestChannel): void {
  const withdrawal = state.withdrawn.find((listed) => equalBytes(listed.sha256, sha256));
  if (withdrawal !== undefined) {
    const [code, word] =
      state.kind === 'approvals'
        ? (['rejected', 'rejected'] as const)
        : (['withdrawn', 'withdrawn'] as const);
    throw new Refusal(code, `${word} in the channel ${state.channel}: ${withdrawal.reason}`, [
      signed,
    ]);
  }
}

function checkCurrent({ sha256, release }: Case, { state, signed }: NewestChannel): void {
  const isCurrent = state.current.some(
    (listed) =>
      listed.sha256.some((digest) => equalBytes(digest, sha256)) &&
      areAbout([listed.purl], release.purl),
  );
  if (isCurrent) return;
  throw new Refusal(
    'not-current',
    `${release.purl.text} with this digest is not among what the channel ${state.channel} lists as current in statement ${state.sequence}`,
    [signed],
  );
}
