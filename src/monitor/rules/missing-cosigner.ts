/** A witness that no longer cosigns: down, or refusing what the log shows it. */
import { formatTime } from '../../statement/timestamp.ts';
import { formatDuration } from '../../verify/duration.ts';
import type { Rule, SeenHead } from './rule.ts';
import type { MissingCosignerConfig } from './rule-config.ts';
import type { RuleScope } from './scope.ts';

/** By witness: seconds since 1970 of its last cosignature, or of the first head without one. */
type LastCosigned = Readonly<Record<string, number>>;

export class MissingCosigner implements Rule {
  readonly #config: MissingCosignerConfig;

  constructor(config: MissingCosignerConfig) {
    this.#config = config;
  }

  /** Only heads that come say that a witness is missing: a log that is away is another matter. */
  head({ cosignatures, size }: SeenHead, scope: RuleScope): void {
    const { witnesses, after } = this.#config;
    const before = scope.get<LastCosigned>('last') ?? {};
    const last = Object.fromEntries(
      witnesses.map((name) => {
        const times = cosignatures
          .filter((cosignature) => cosignature.name === name)
          .map(({ timestamp }) => Math.min(timestamp, scope.now));
        const known = Object.hasOwn(before, name) ? before[name] : undefined;
        const earlier = known ?? (times.length > 0 ? 0 : scope.now);
        return [name, Math.max(...times, Math.min(earlier, scope.now))];
      }),
    );
    if (witnesses.some((name) => last[name] !== before[name]))
      scope.put<LastCosigned>('last', last);
    for (const [name, time] of Object.entries(last)) {
      if (scope.now - time <= after) continue;
      scope.raise({
        cause: [name, String(time)],
        title: `The witness ${name} has not cosigned ${scope.origin} for ${formatDuration(after)}`,
        detail: `The checkpoint of size ${size} is not cosigned by it, or only by what it gave before ${formatTime(time + 1)}.`,
      });
    }
  }
}
