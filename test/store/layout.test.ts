import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { leafIndex } from '../../src/encoding/integer.ts';
import {
  artifactKey,
  digestKey,
  entryKey,
  indexOfArtifactKey,
  indexValue,
  packRuns,
  parseIndexValue,
  runRange,
  tileKey,
  unpackRuns,
} from '../../src/store/layout.ts';

const indexes = fc.oneof(
  fc.integer({ min: 0, max: 2000 }),
  fc.constantFrom(2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1),
  fc.maxSafeNat(),
);

/** An ordered engine at its plainest. */
class NaiveRows {
  readonly #rows: [Uint8Array, Uint8Array][] = [];

  put(key: Uint8Array, value: Uint8Array): void {
    this.#rows.push([key, value]);
    this.#rows.sort(([a], [b]) => Buffer.compare(a, b));
  }

  range({ gte, lt }: { gte: Uint8Array; lt: Uint8Array }): [Uint8Array, Uint8Array][] {
    return this.#rows.filter(
      ([key]) => Buffer.compare(key, gte) >= 0 && Buffer.compare(key, lt) < 0,
    );
  }
}

describe('runs', () => {
  const appends = fc.array(
    fc.oneof(
      fc.array(fc.uint8Array({ maxLength: 5 }), { maxLength: 30 }),
      fc
        .integer({ min: 200, max: 600 })
        .map((n) => Array.from({ length: n }, () => new Uint8Array(1))),
    ),
    { minLength: 1, maxLength: 12 },
  );

  test('any range of any appends reads back like a slice of one array', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 256, 2 ** 32 - 256, 2 ** 40),
        appends,
        fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 10 }),
        (base, batches, ranges) => {
          const rows = new NaiveRows();
          const naive: Uint8Array[] = [];
          for (const entries of batches) {
            for (const { first, bytes } of packRuns(base + naive.length, entries)) {
              rows.put(entryKey(first), bytes);
            }
            naive.push(...entries);
          }
          for (const [a, b] of ranges) {
            const start = a % (naive.length + 1);
            const count = b % (naive.length - start + 1);
            const found = rows.range(runRange(base + start, count));
            if (count === 0) continue;
            expect(unpackRuns(found, base + start, count)).toEqual(
              naive.slice(start, start + count),
            );
          }
        },
      ),
    );
  });

  test('no run crosses the edge of a bundle, and there is one for each bundle touched', () => {
    fc.assert(
      fc.property(indexes, fc.integer({ min: 1, max: 1100 }), (from, count) => {
        fc.pre(Number.isSafeInteger(from + count));
        const runs = packRuns(
          from,
          Array.from({ length: count }, () => new Uint8Array(0)),
        );
        const bundles = runs.map(({ first }) => Math.floor(first / 256));
        expect(new Set(bundles).size).toBe(runs.length);
        for (const { first, bytes } of runs) {
          expect((first % 256) + bytes.length / 2).toBeLessThanOrEqual(256);
        }
      }),
    );
  });
});

describe('keys', () => {
  test('sort as their indexes do', () => {
    fc.assert(
      fc.property(indexes, indexes, fc.nat(63), (a, b, level) => {
        const digest = new Uint8Array(32);
        const order = Math.sign(a - b);
        expect(Buffer.compare(entryKey(a), entryKey(b))).toBe(order);
        expect(Buffer.compare(tileKey(level, a), tileKey(level, b))).toBe(order);
        expect(
          Buffer.compare(artifactKey(digest, leafIndex(a)), artifactKey(digest, leafIndex(b))),
        ).toBe(order);
      }),
    );
  });

  test('give back their index', () => {
    fc.assert(
      fc.property(indexes, fc.uint8Array({ minLength: 32, maxLength: 32 }), (value, digest) => {
        const index = leafIndex(value);
        expect(indexOfArtifactKey(artifactKey(digest, index))).toBe(index);
        expect(parseIndexValue(indexValue(index))).toBe(index);
      }),
    );
  });

  test('of different kinds differ', () => {
    const digest = new Uint8Array(32).fill(1);
    const keys = [
      digestKey('dedupe', digest),
      digestKey('leaf', digest),
      artifactKey(digest, leafIndex(0)),
      entryKey(0),
      tileKey(0, 0),
    ];
    expect(new Set(keys.map((key) => key[0])).size).toBe(keys.length);
  });
});
