/**
 * Checkpoints (C2SP tlog-checkpoint): the text of the note that a log signs for its tree.
 *
 *     example.com/behind-the-sofa
 *     20852163
 *     CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 */
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { parseDecimal, treeSize, type TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { asHash, type Hash } from '../merkle/hash.ts';

export interface Checkpoint {
  /** The log's name; not a URL. */
  readonly origin: string;
  readonly size: TreeSize;
  /** RFC 6962 root of the tree of that size. */
  readonly root: Hash;
  /** Opaque lines after the root; an ML-DSA-44 signature does not cover them. */
  readonly extensions: readonly string[];
}

/** Parses a note's text; throws `bad-checkpoint`. */
export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  const [origin, size, root, ...extensions] = lines.slice(0, -1);
  if (lines.at(-1) !== '' || origin === undefined || size === undefined || root === undefined) {
    throw new DaybookError(
      'bad-checkpoint',
      `checkpoint has ${lines.length - 1} full lines, want origin, size and root, each ended by a newline`,
    );
  }
  const empty = lines.slice(0, -1).indexOf('');
  if (empty >= 0) throw new DaybookError('bad-checkpoint', `checkpoint line ${empty + 1} is empty`);
  return { origin, ...parseHead(size, root), extensions };
}

function parseHead(size: string, root: string): Pick<Checkpoint, 'size' | 'root'> {
  try {
    return { size: treeSize(parseDecimal(size)), root: asHash(decodeBase64(root)) };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DaybookError('bad-checkpoint', `checkpoint's size or root: ${reason}`, { cause });
  }
}

/** Throws `bad-checkpoint` for an origin or extension that is empty or not one line. */
export function formatCheckpoint({ origin, size, root, extensions }: Checkpoint): string {
  for (const line of [origin, ...extensions]) {
    if (line === '' || /[\0-\x1f]/.test(line)) {
      throw new DaybookError(
        'bad-checkpoint',
        `${JSON.stringify(line)} is no checkpoint line: want one line without control characters`,
      );
    }
  }
  return [origin, String(treeSize(size)), encodeBase64(root), ...extensions, ''].join('\n');
}
