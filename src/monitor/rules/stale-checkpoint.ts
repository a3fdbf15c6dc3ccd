/** A log that stands still: down, cut off, or keeping us on an old view. */
import { formatTime } from '../../statement/timestamp.ts';
import { formatDuration } from '../../verify/duration.ts';
import type { Rule, SeenHead } from './rule.ts';
import type { StaleCheckpointConfig } from './rule-config.ts';
import type { RuleScope } from './scope.ts';

interface Freshest {
  readonly size: number;
  /** Latest time that a witness gave it; 0 where none did. */
  readonly cosigned: number;
  /** When the monitor first saw it; all in seconds since 1970. */
  readonly seen: number;
}

export class StaleCheckpoint implements Rule {
  readonly #config: StaleCheckpointConfig;

  constructor(config: StaleCheckpointConfig) {
    this.#config = config;
  }

  /** Signing again costs the log nothing; a larger tree, or a witness's later time, is news. */
  head({ size, cosignatures }: SeenHead, scope: RuleScope): void {
    const before = scope.get<Freshest>('newest');
    // A clock that was ahead, a witness's or our own, must not make all that follows look old.
    const cosignedBefore = Math.min(before?.cosigned ?? 0, scope.now);
    const times = cosignatures.map(({ timestamp }) => Math.min(timestamp, scope.now));
    const cosigned = Math.max(cosignedBefore, ...times);
    if (before !== undefined && size <= before.size && cosigned <= cosignedBefore) return;
    scope.put<Freshest>('newest', { size, cosigned, seen: scope.now });
  }

  tick(scope: RuleScope): void {
    const newest = scope.get<Freshest>('newest') ?? { size: 0, cosigned: 0, seen: Infinity };
    if (newest.seen > scope.now) {
      scope.put<Freshest>('newest', { ...newest, seen: scope.now });
      return;
    }
    const { after } = this.#config;
    const { size, seen } = newest;
    if (scope.now - seen <= after) return;
    scope.raise({
      cause: [String(size), String(seen)],
      title: `No new checkpoint of ${scope.origin} for ${formatDuration(after)}`,
      detail: `The newest has size ${size} and was first seen ${formatTime(seen)}; since then none was larger, and none was cosigned later.`,
    });
  }
}
