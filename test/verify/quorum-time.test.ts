import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Cosignature, TrustPolicy } from '../../src/verify/policy.ts';
import { MAX_CLOCK_LEAD, quorumTime } from '../../src/verify/quorum-time.ts';

const names = ['a', 'b', 'c', 'd', 'e'];
const key = {} as Cosignature['key'];
/** `k` of the witnesses, no groups in groups. */
const trust = (threshold: number): TrustPolicy => ({
  logs: [],
  witnesses: names.map((name) => ({ name, key })),
  groups: [{ name: 'quorum', threshold, members: names }],
  quorum: 'quorum',
});
const cosignatures = (times: readonly number[]): Cosignature[] =>
  times.map((timestamp, i) => ({ name: names[i]!, key, timestamp }));
const now = 10_000;

test('is the k-th newest of the times that are not in the future', () => {
  const times = fc.array(fc.integer({ min: now - 500, max: now + 500 }), { maxLength: 5 });
  fc.assert(
    fc.property(times, fc.integer({ min: 1, max: 5 }), (seen, threshold) => {
      const believable = seen.filter((time) => time <= now + MAX_CLOCK_LEAD);
      const expected = believable.sort((a, b) => b - a)[threshold - 1];
      expect(quorumTime(trust(threshold), cosignatures(seen), now)).toBe(expected);
    }),
  );
});

test('one witness can neither move it beyond an honest one nor stop it', () => {
  const honest = [now - 30, now - 20, now - 10];
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 2 ** 52 }), (lie) => {
      const time = quorumTime(trust(3), cosignatures([...honest, lie]), now)!;
      expect(time).toBeGreaterThanOrEqual(now - 30);
      expect(time).toBeLessThanOrEqual(now - 20);
    }),
  );
});

test('is not known without a quorum', () => {
  expect(quorumTime({ ...trust(1), quorum: 'none' }, cosignatures([now]), now)).toBeUndefined();
});
