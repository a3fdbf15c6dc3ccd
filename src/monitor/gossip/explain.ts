/** Asks the log and its mirrors for the tree of a head: does it continue what is verified? */
import { isAway, type ReadFiles } from '../../client/sources.ts';
import { VerifiedTiles } from '../../client/verified-tiles.ts';
import { DaybookError } from '../../errors.ts';
import { nodeTreeHasher as hasher } from '../../keys/node-hasher.ts';
import { tileHashReader } from '../../merkle/tile-reader.ts';
import { convict } from '../../verify/evidence.ts';
import type { NotedHead } from '../../verify/signed-head.ts';

export type Explained =
  | { readonly kind: 'consistent' }
  | { readonly kind: 'convicted'; readonly evidence: Uint8Array }
  /** Nobody showed the tree; `away` when nobody could be reached. */
  | { readonly kind: 'withheld'; readonly reason: string; readonly away: boolean };

/**
 * What the first of `sources` shows that has the tree of `head`, which is larger than `known`.
 * Undefined when `signal` was aborted before.
 */
export async function explain(
  known: NotedHead,
  head: NotedHead,
  sources: readonly ReadFiles[],
  signal: AbortSignal | undefined,
): Promise<Explained | undefined> {
  const problems: DaybookError[] = [];
  for (const source of sources) {
    const tiles = new VerifiedTiles(
      { call: (path, call) => source.call(path, { ...call, signal }) },
      hasher,
    );
    const read = tileHashReader(head.size, (wanted) => tiles.read(head, wanted), hasher);
    try {
      const evidence = await convict(known, head, read);
      return evidence ? { kind: 'convicted', evidence } : { kind: 'consistent' };
    } catch (error) {
      if (signal?.aborted) return undefined;
      if (!(error instanceof DaybookError)) throw error;
      problems.push(error);
    }
  }
  const reason = problems.map(({ message }) => message).join('; ');
  return { kind: 'withheld', reason, away: problems.every(isAway) };
}
