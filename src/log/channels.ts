/**
 * Where the statements of channels lie. Their sequences have no gaps, so that one index key for each
 * place, under the digest SHA-256(name "\\n" sequence in decimal), finds every one and the newest.
 */
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { LeafIndex } from '../encoding/integer.ts';

/** Sequences are remembered of so many channels. */
const REMEMBERED = 4096;

/** The digest of the index key `channel` of a place in a channel. */
export function channelPlace(name: string, sequence: number): Uint8Array {
  return hash('sha256', `${name}\n${sequence}`, 'buffer');
}

/** Finds the newest statement of each channel that is asked for. */
export class NewestOfChannels {
  readonly #remembered = new LRUCache<string, number>({ max: REMEMBERED });

  /**
   * Index of the statement with the largest sequence for which `indexAt` gives one: it gives one from
   * sequence 1 up to some sequence, which never becomes less. Where nothing is new that takes two calls.
   */
  find(name: string, indexAt: (sequence: number) => LeafIndex | undefined): LeafIndex | undefined {
    let found = this.#remembered.get(name) ?? 1;
    let index = indexAt(found);
    if (index === undefined) return undefined;
    let step = 1;
    let ahead = indexAt(found + step);
    for (; ahead !== undefined; ahead = indexAt(found + step)) {
      found += step;
      index = ahead;
      step *= 2;
    }
    // The newest is at `found` or behind it, but before `found + step`.
    for (let none = found + step; none - found > 1;) {
      const middle = Math.floor((found + none) / 2);
      const there = indexAt(middle);
      if (there === undefined) {
        none = middle;
      } else {
        found = middle;
        index = there;
      }
    }
    this.#remembered.set(name, found);
    return index;
  }
}
