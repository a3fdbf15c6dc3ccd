/**
 * Where a log's checkpoint, tiles and entries are read: from the log, and from mirrors while it is
 * away. A mirror is believed as little as the log is: whoever reads verifies what came.
 */
import { DaybookError } from '../errors.ts';
import { Http, type Answer, type Call, type HttpOptions } from '../http/outbound.ts';

/** Gets what a log serves as files, by its path below the base URL. */
export interface ReadFiles {
  call(path: string, call: Call): Promise<Answer>;
}

/** So long the mirrors are asked first once the log was away. */
const AWAY_MS = 30_000;
/** Where somebody else has the same bytes, nobody is waited for as long as a log that stands alone. */
const withMirrors = { attempts: 2, timeoutMs: 15_000 } as const;

export class Sources implements ReadFiles {
  readonly log: Http;
  readonly mirrors: readonly Http[];
  #awayUntil = 0;

  /** Throws `bad-usage` for a URL that is not http(s). */
  constructor(url: string, mirrors: readonly string[], options: HttpOptions) {
    const patience = mirrors.length > 0 ? { ...withMirrors, ...options } : options;
    this.log = new Http(url, patience);
    this.mirrors = mirrors.map((mirror) => new Http(mirror, patience));
  }

  call(path: string, call: Call): Promise<Answer> {
    return this.read((source) => source.call(path, call));
  }

  /**
   * What `read` gets from the log or, while it is away, from the first mirror from which `read` gets
   * anything. Throws what the log answered when it is there; and what `isFatal` says ends the matter,
   * whoever showed it.
   */
  async read<T>(
    read: (source: Http, isMirror: boolean) => Promise<T>,
    isFatal: (error: DaybookError) => boolean = () => false,
  ): Promise<T> {
    const problems: DaybookError[] = [];
    if (this.mirrors.length === 0 || Date.now() >= this.#awayUntil) {
      try {
        return await read(this.log, false);
      } catch (error) {
        if (!isAway(error) || this.mirrors.length === 0) throw error;
        this.#awayUntil = Date.now() + AWAY_MS;
        problems.push(error);
      }
    }
    for (const mirror of this.mirrors) {
      try {
        return await read(mirror, true);
      } catch (error) {
        if (!(error instanceof DaybookError) || isFatal(error)) throw error;
        problems.push(error);
      }
    }
    // That a mirror lacks a partial tile tells a reader to take the full one: it must be seen.
    const missing = problems.find(({ code }) => code === 'not-found');
    const reasons = problems.map(({ message }) => message).join('; ');
    throw new DaybookError(missing?.code ?? 'network', reasons, { cause: problems });
  }
}

/** Whether somebody else is to be asked: the log cannot be reached, or cannot answer now. */
export function isAway(error: unknown): error is DaybookError {
  return error instanceof DaybookError && (error.status >= 500 || error.code === 'rate-limited');
}
