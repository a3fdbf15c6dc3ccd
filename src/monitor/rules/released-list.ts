/**
 * The digests of all that was released, in a file that the operator's pipeline writes, as sha256sum does:
 *
 *     5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03  scanner-1.2.3.tar.gz
 */
import { readFileSync, statSync } from 'node:fs';

export interface Released {
  readonly digests: ReadonlySet<string>;
  /** Why the file could not be used; then nothing counts as released. */
  readonly problem?: string;
}

const line = /^\\?([0-9a-f]{64})(?: .*)?$/;

export class ReleasedList {
  readonly #path: string;
  /** Of the file that `#digests` was read from. */
  #stamp = '';
  #digests: ReadonlySet<string> = new Set();

  constructor(path: string) {
    this.#path = path;
  }

  /** Read anew when the file has changed. Synchronous: it is asked about own statements only, which are few. */
  read(): Released {
    try {
      const { mtimeMs, size, ino } = statSync(this.#path);
      const stamp = `${mtimeMs} ${size} ${ino}`;
      if (stamp !== this.#stamp) {
        this.#digests = parse(readFileSync(this.#path, 'utf8'));
        this.#stamp = stamp;
      }
      return { digests: this.#digests };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return { digests: new Set(), problem: `The list could not be read: ${reason}` };
    }
  }
}

function parse(text: string): Set<string> {
  const digests = new Set<string>();
  for (const [i, each] of text.split('\n').entries()) {
    const trimmed = each.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const digest = line.exec(trimmed)?.[1];
    if (digest === undefined) throw new Error(`line ${i + 1} does not begin with a SHA-256`);
    digests.add(digest);
  }
  return digests;
}
