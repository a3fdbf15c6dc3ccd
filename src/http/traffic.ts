/** What is in flight through one HTTP face, and whether it is stopping. */
import type { ServerResponse } from 'node:http';

export class Traffic {
  readonly inFlight = new Set<ServerResponse>();
  #stopping = false;

  get stopping(): boolean {
    return this.#stopping;
  }

  /** What is in flight is finished, and its connections with it. */
  stop(): void {
    this.#stopping = true;
    for (const response of this.inFlight) response.shouldKeepAlive = false;
  }
}
