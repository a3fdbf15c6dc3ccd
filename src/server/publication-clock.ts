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
    try {
      for (;;) {
        await log.included(leafIndex(log.published.size), signal);
        this.#lastAt = performance.now();
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
