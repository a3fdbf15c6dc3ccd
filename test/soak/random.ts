/** Random choices that a seed repeats: the generator of a scenario. */

export class Random {
  #state: number;

  /** The same seed gives the same choices. */
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from `least` to `most`. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  one<T>(choices: readonly T[]): T {
    return choices[this.whole(0, choices.length - 1)] as T;
  }

  /** So many of `choices`, in their order. */
  some<T>(choices: readonly T[], count: number): T[] {
    const left = choices.map((_, i) => i);
    const taken = new Set<number>();
    while (taken.size < count && left.length > 0) {
      taken.add(left.splice(this.whole(0, left.length - 1), 1)[0] as number);
    }
    return choices.filter((_, i) => taken.has(i));
  }

  /** mulberry32: from 0 to below 1. */
  #next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
}
