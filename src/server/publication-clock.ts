/** How old the newest published checkpoint is. */
import { leafIndex } from '../encoding/integer.ts';
import type { Log } from '../log/log.ts';

export class PublicationClock {
  #lastAt = performance.now();

  get ageMs(): number {
    return Math.round(performance.now() - this.#lastAt);
  }

  /** Follows the log until `signal` is aborted. */
  async follow(log: Log, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { size } = log.published;
      await log.included(leafIndex(size), signal).catch(() => undefined);
      if (log.published.size > size) this.#lastAt = performance.now();
    }
  }
}
