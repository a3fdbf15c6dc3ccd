import { expect, test } from 'vitest';
import { RateLimit } from '../../../src/monitor/gossip/token-bucket.ts';

const each = { burst: 3, perSecond: 1 };
const all = { burst: 1000, perSecond: 1000 };

function takenBy(limit: RateLimit, addresses: readonly string[]): boolean[] {
  return addresses.map((address) => {
    try {
      limit.take(address);
      return true;
    } catch {
      return false;
    }
  });
}

test('lets a burst through, then what the rate allows', () => {
  let now = 0;
  const limit = new RateLimit(each, all, () => now);
  expect(takenBy(limit, Array<string>(5).fill('10.0.0.1'))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ]);
  expect(takenBy(limit, ['10.0.0.2'])).toEqual([true]);
  now = 2500;
  expect(takenBy(limit, Array<string>(3).fill('10.0.0.1'))).toEqual([true, true, false]);
  now = 1e9;
  expect(takenBy(limit, Array<string>(4).fill('10.0.0.1'))).toEqual([true, true, true, false]);
});

test.each([
  ['2001:db8::1', '2001:db8:0:0:ffff::2', false],
  ['2001:db8:0:1::1', '2001:db8:0:2::1', true],
  ['::1', '::2', false],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.2', true],
])('takes an IPv6 network for one: %s, then %s', (first, second, free) => {
  const limit = new RateLimit(each, all, () => 0);
  expect(takenBy(limit, [first, first, first, second])).toEqual([true, true, true, free]);
});

test('bounds all together, and what it remembers', () => {
  const limit = new RateLimit(each, { burst: 5000, perSecond: 1 }, () => 0);
  const addresses = Array.from({ length: 5001 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
  expect(takenBy(limit, addresses).filter(Boolean)).toHaveLength(5000);
});
