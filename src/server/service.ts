/** What the handlers of one server share. */
import { DaybookError } from '../errors.ts';
import { Traffic } from '../http/traffic.ts';
import type { Log } from '../log/log.ts';
import { Budget } from './budget.ts';
import type { ServerConfig } from './config.ts';
import { PublicationClock } from './publication-clock.ts';

export class Service {
  readonly log: Log;
  readonly config: ServerConfig;
  readonly traffic = new Traffic();
  readonly entryBytes: Budget;
  readonly batches: Budget;
  readonly clock = new PublicationClock();

  constructor(log: Log, config: ServerConfig) {
    this.log = log;
    this.config = config;
    this.entryBytes = new Budget(config.maxEntryBytes);
    this.batches = new Budget(config.maxBatches);
  }

  get stopping(): boolean {
    return this.traffic.stopping;
  }

  /** Throws what says why no entries are taken: to be asked before a body is read. */
  checkAccepting(): void {
    const refusal = this.log.refusal();
    if (refusal) throw refusal;
    if (this.stopping) throw new DaybookError('log-stopping', 'the server stops');
  }
}

/** Runs `work` while holding `amount` of the budget; throws `overloaded` when it does not fit. */
export async function within<Result>(
  budget: Budget,
  amount: number,
  what: string,
  work: () => Promise<Result>,
): Promise<Result> {
  if (!budget.take(amount)) {
    throw new DaybookError(
      'overloaded',
      `${budget.used} of ${budget.limit} ${what} are in flight; try again in a second`,
    );
  }
  try {
    return await work();
  } finally {
    budget.give(amount);
  }
}
