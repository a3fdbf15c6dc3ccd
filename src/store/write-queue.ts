/**
 * One write after the other, and none after a failed one. LevelDB may acknowledge writes after a
 * failed one that are gone at the next open; a failed fsync may have dropped the pages it failed on.
 */
import { DaybookError } from '../errors.ts';

export class WriteQueue {
  readonly #target: string;
  #last: Promise<unknown> = Promise.resolve();
  #refusal: string | undefined;
  #cause: unknown;

  /** `target` is named in errors. */
  constructor(target: string) {
    this.#target = target;
  }

  /**
   * Runs `prepare`, then `write`, when all earlier writes are done. What `prepare` throws refuses
   * this write alone; when `write` fails, this and every later write fails with `store-failed`.
   */
  run<T>(prepare: () => T, write: (prepared: T) => Promise<unknown>): Promise<void> {
    const turn = this.#last.then(async () => {
      if (this.#refusal !== undefined) {
        throw new DaybookError('store-failed', this.#refusal, { cause: this.#cause });
      }
      const prepared = prepare();
      try {
        await write(prepared);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        this.#refuse(
          `${this.#target} takes no more writes since one failed (${reason}): close it, open it again and read what is there`,
          cause,
        );
        throw new DaybookError(
          'store-failed',
          `writing to ${this.#target} failed (${reason}): it is unknown what of it is durable`,
          { cause },
        );
      }
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Refuses every later write and waits for those that came before. */
  async close(): Promise<void> {
    this.#last = this.#last.then(() => this.#refuse(`${this.#target} is closed`, undefined));
    await this.#last;
  }

  #refuse(refusal: string, cause: unknown): void {
    this.#refusal ??= refusal;
    this.#cause ??= cause;
  }
}
