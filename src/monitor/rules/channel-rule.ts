/** A channel that went back, expired, or grew too old. */
import { encodeHex } from '../../encoding/hex.ts';
import { readChannel, type ChannelState } from '../../statement/channel.ts';
import { formatTime } from '../../statement/timestamp.ts';
import { formatDuration } from '../../verify/duration.ts';
import type { AuditedEntry } from '../draft.ts';
import type { Rule } from './rule.ts';
import type { ChannelConfig } from './rule-config.ts';
import type { RuleScope } from './scope.ts';

/** The newest statement of a channel. */
interface Newest {
  readonly index: number;
  readonly sequence: number;
  /** Seconds since 1970. */
  readonly issued: number;
  readonly expires: number;
  /** Digests, lowercase hex. */
  readonly withdrawn: readonly string[];
}

export class ChannelRule implements Rule {
  readonly #config: ChannelConfig;

  constructor(config: ChannelConfig) {
    this.#config = config;
  }

  entry({ index, claim, statement }: AuditedEntry, scope: RuleScope): void {
    if (claim?.kind !== 'channel' || statement === undefined) return;
    const state = readChannel(statement);
    if (!this.#config.channels.includes(state.channel)) return;
    const { channel, sequence, issued, expires } = state;
    const withdrawn = state.withdrawn.map(({ sha256 }) => encodeHex(sha256));
    const before = scope.get<Newest>(channel);
    for (const problem of before ? steps(before, state, withdrawn) : []) {
      scope.raise({
        cause: ['back', channel, String(index), problem],
        index,
        title: `The channel ${channel} went back: ${problem}`,
        detail: `Entry ${index} has statement ${sequence}, issued ${formatTime(issued)}; entry ${before?.index} before it has statement ${before?.sequence}. Signed by the key ${claim.signer}.`,
      });
    }
    if (before !== undefined && sequence < before.sequence) return;
    scope.put<Newest>(channel, { index, sequence, issued, expires, withdrawn });
  }

  tick(scope: RuleScope): void {
    const { channels, maxAge } = this.#config;
    for (const channel of channels) {
      const newest = scope.get<Newest>(channel);
      if (newest === undefined) continue;
      const { index, sequence, issued, expires } = newest;
      const about = { index, detail: `Its newest is statement ${sequence}, entry ${index}.` };
      if (scope.now >= expires) {
        const title = `The channel ${channel} expired at ${formatTime(expires)}`;
        scope.raise({ cause: ['expired', channel, String(index)], title, ...about });
      } else if (maxAge !== undefined && scope.now - issued > maxAge) {
        const title = `The channel ${channel} is older than ${formatDuration(maxAge)}: issued ${formatTime(issued)}`;
        scope.raise({ cause: ['old', channel, String(index)], title, ...about });
      }
    }
  }
}

/** What a client would refuse, or never learn of, after having seen the statement before. */
function steps(before: Newest, state: ChannelState, withdrawn: readonly string[]): string[] {
  const problems: string[] = [];
  if (state.sequence <= before.sequence) {
    problems.push(`statement ${state.sequence} comes after statement ${before.sequence}`);
  }
  if (state.issued < before.issued) {
    problems.push(
      `issued ${formatTime(state.issued)}, the one before ${formatTime(before.issued)}`,
    );
  }
  const gone = before.withdrawn.find((digest) => !withdrawn.includes(digest));
  if (gone !== undefined) problems.push(`${gone} is no longer listed as withdrawn`);
  return problems;
}
