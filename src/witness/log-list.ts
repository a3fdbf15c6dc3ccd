/**
 * The logs that a witness knows: a C2SP tlog-policy, or its `log` lines alone. The file is read again
 * when it changes; one that cannot be used changes nothing.
 *
 *     log example.com/log+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k
 */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { concatBytes, utf8 } from '../encoding/bytes.ts';
import { octetText } from '../encoding/octet-text.ts';
import { DaybookError } from '../errors.ts';
import type { VerifierKey } from '../note/vkey.ts';
import { parsePolicy } from '../verify/policy.ts';

/** The keys of each origin. */
export type LogKeys = ReadonlyMap<string, readonly VerifierKey[]>;

const POLL_MS = 500;

/** A list without a quorum line is a policy that wants no cosignatures. Throws `bad-policy`. */
export function parseLogList(bytes: Uint8Array): LogKeys {
  const hasQuorum = /^[ \t]*quorum[ \t]/m.test(octetText(bytes));
  const { logs } = parsePolicy(hasQuorum ? bytes : concatBytes(bytes, utf8('\nquorum none\n')));
  return Map.groupBy(
    logs.map(({ key }) => key),
    ({ name }) => name,
  );
}

export class LogList {
  readonly #path: string;
  readonly #report: (message: string, error?: unknown) => void;
  readonly #changed = (): void => this.reload();
  #logs: LogKeys;

  /**
   * Reads the file, and looks twice a second whether it has changed, until `close`. Throws
   * `file-unreadable` and `bad-policy`; later on they go to `report`, once for each change.
   */
  constructor(path: string, report: (message: string, error?: unknown) => void) {
    this.#path = path;
    this.#report = report;
    this.#logs = readLogList(path);
    watchFile(path, { interval: POLL_MS, persistent: false }, this.#changed);
  }

  get logs(): LogKeys {
    return this.#logs;
  }

  /** Reads the file now, whether it has changed or not. */
  reload(): void {
    try {
      this.#logs = readLogList(this.#path);
      this.#report(`${this.#path} was read again: ${this.#logs.size} logs`);
    } catch (error) {
      this.#report(`${this.#path} cannot be used: the list before it stays in force`, error);
    }
  }

  close(): void {
    unwatchFile(this.#path, this.#changed);
  }
}

function readLogList(path: string): LogKeys {
  let bytes;
  try {
    bytes = new Uint8Array(readFileSync(path));
  } catch (cause) {
    throw new DaybookError('file-unreadable', (cause as Error).message, { cause });
  }
  return parseLogList(bytes);
}
