import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { DigestFilter } from '../../src/store/digest-filter.ts';

function digest(label: string): Uint8Array {
  return createHash('sha256').update(label).digest();
}

describe('a digest filter', () => {
  test('never forgets a digest, over several layers', () => {
    const filter = new DigestFilter();
    const count = 1_200_000;
    for (let i = 0; i < count; i++) filter.add(digest(`in ${i}`));
    let forgotten = 0;
    for (let i = 0; i < count; i++) if (!filter.mayHave(digest(`in ${i}`))) forgotten += 1;
    expect(forgotten).toBe(0);
    let mistaken = 0;
    for (let i = 0; i < 100_000; i++) if (filter.mayHave(digest(`out ${i}`))) mistaken += 1;
    expect(mistaken).toBeLessThan(1000);
  });

  test('is empty at first', () => {
    expect(new DigestFilter().mayHave(digest('anything'))).toBe(false);
  });
});
