import { readFileSync, readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/encoding/base64.ts';
import { parseDecimal } from '../../src/encoding/integer.ts';
import { DaybookError, type ErrorCode } from '../../src/errors.ts';
import { verifyConsistency } from '../../src/merkle/consistency.ts';
import type { Hash } from '../../src/merkle/hash.ts';
import { verifyInclusion } from '../../src/merkle/inclusion.ts';

interface Vector {
  readonly proof: string[] | null;
  readonly wantErr: boolean;
}
interface Inclusion extends Vector {
  readonly leafIdx: string;
  readonly treeSize: string;
  readonly root: string;
  readonly leafHash: string;
}
interface Consistency extends Vector {
  readonly size1: string;
  readonly size2: string;
  readonly root1: string;
  readonly root2: string;
}

/** Integers become their source text, since JSON.parse would round those above 2^53. */
function readVectors<T>(kind: string): [string, T][] {
  const folder = new URL(`../vectors/rfc6962-proofs/${kind}/`, import.meta.url);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.json'))
    .sort()
    .map((name) => {
      const path = name.split('/').map(encodeURIComponent).join('/');
      const text = readFileSync(new URL(path, folder), 'utf8');
      return [name, JSON.parse(text.replaceAll(/: (\d+)/g, ': "$1"')) as T];
    });
}

// The lengths are left to the code under test, as hostile input would leave them.
const hash = (base64: string): Hash => decodeBase64(base64) as Hash;

function outcome(verify: () => void): ErrorCode | undefined {
  try {
    verify();
    return undefined;
  } catch (error) {
    if (error instanceof DaybookError) return error.code;
    throw error;
  }
}

const inclusions = readVectors<Inclusion>('inclusion');
const consistencies = readVectors<Consistency>('consistency');

const verifyInclusionVector = (vector: Inclusion): void =>
  verifyInclusion({
    index: parseDecimal(vector.leafIdx),
    size: parseDecimal(vector.treeSize),
    leafHash: hash(vector.leafHash),
    proof: (vector.proof ?? []).map(hash),
    root: hash(vector.root),
  });

const verifyConsistencyVector = (vector: Consistency): void =>
  verifyConsistency({
    from: parseDecimal(vector.size1),
    to: parseDecimal(vector.size2),
    fromRoot: hash(vector.root1),
    toRoot: hash(vector.root2),
    proof: (vector.proof ?? []).map(hash),
  });

test('all published cases are here', () => {
  expect(inclusions).toHaveLength(98);
  expect(consistencies).toHaveLength(98);
});

describe('inclusion', () => {
  test.each(inclusions)('%s', (_, vector) => {
    const code = outcome(() => verifyInclusionVector(vector));
    expect(code === undefined).toBe(!vector.wantErr);
    expect([undefined, 'inclusion-invalid', 'bad-integer', 'bad-encoding']).toContain(code);
  });

  test('integers of 2^64 - 1 are refused as integers, not rounded', () => {
    const big = inclusions.filter(([, { leafIdx }]) => leafIdx === '18446744073709551615');
    expect(big.map(([name]) => name)).toEqual(['0/leafIdx-sub-@1.json', '1/leafIdx-sub-@1.json']);
    for (const [, vector] of big) {
      expect(outcome(() => verifyInclusionVector(vector))).toBe('bad-integer');
    }
  });
});

describe('consistency', () => {
  test.each(consistencies)('%s', (_, vector) => {
    const code = outcome(() => verifyConsistencyVector(vector));
    expect(code === undefined).toBe(!vector.wantErr);
    expect([undefined, 'consistency-invalid', 'bad-encoding']).toContain(code);
  });
});
