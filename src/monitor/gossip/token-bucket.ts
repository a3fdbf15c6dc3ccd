/** Rates of requests: of each address, and of all together. */
import { isIPv6 } from 'node:net';
import { DaybookError } from '../../errors.ts';

export interface Rate {
  /** Requests that may come at once. */
  readonly burst: number;
  /** Requests that may come in a second, in the long run. */
  readonly perSecond: number;
}

interface Bucket {
  readonly tokens: number;
  /** Milliseconds, of a clock that only goes on. */
  readonly at: number;
}

/** Addresses that are remembered; the one that asked longest ago is forgotten first. */
const MAX_ADDRESSES = 4096;

export class RateLimit {
  readonly #each: Rate;
  readonly #all: Rate;
  readonly #clock: () => number;
  readonly #buckets = new Map<string, Bucket>();
  #total: Bucket;

  constructor(each: Rate, all: Rate, clock: () => number = () => performance.now()) {
    this.#each = each;
    this.#all = all;
    this.#clock = clock;
    this.#total = { tokens: all.burst, at: clock() };
  }

  /** Takes a token of `address`, and one of all. Throws `rate-limited`. */
  take(address: string): void {
    const at = this.#clock();
    const network = networkOf(address);
    const own = refill(this.#buckets.get(network), this.#each, at);
    const total = refill(this.#total, this.#all, at);
    if (own.tokens < 1 || total.tokens < 1) {
      const whose = own.tokens < 1 ? 'your address' : 'everybody together';
      throw new DaybookError('rate-limited', `too many requests from ${whose}; try again later`);
    }
    this.#buckets.delete(network);
    this.#buckets.set(network, { tokens: own.tokens - 1, at });
    this.#total = { tokens: total.tokens - 1, at };
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > MAX_ADDRESSES) this.#buckets.delete(oldest as string);
  }
}

function refill(bucket: Bucket | undefined, { burst, perSecond }: Rate, at: number): Bucket {
  if (bucket === undefined) return { tokens: burst, at };
  const gained = ((at - bucket.at) / 1000) * perSecond;
  return { tokens: Math.min(burst, bucket.tokens + gained), at };
}

/** Whoever has one IPv6 address has the 2^64 of its network. */
function networkOf(address: string): string {
  if (!isIPv6(address) || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return groups.slice(0, 4).join(':');
}
