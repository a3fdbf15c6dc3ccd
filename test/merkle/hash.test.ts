import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Hash, asHash, rfc6962, treeHasher } from '../../src/merkle/hash.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const sha256 = (data: Uint8Array): Buffer => createHash('sha256').update(data).digest();

describe('rfc6962', () => {
  test('hashes as RFC 6962 says', () => {
    expect(hex(rfc6962.emptyRoot)).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    expect(hex(rfc6962.leaf(new Uint8Array(0)))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
    const left = rfc6962.leaf(Buffer.from('left'));
    const right = rfc6962.leaf(Buffer.from('right'));
    expect(hex(left)).toBe(hex(sha256(Buffer.from('\0left'))));
    expect(hex(rfc6962.node(left, right))).toBe(
      hex(sha256(Buffer.concat([Buffer.from([1]), left, right]))),
    );
  });

  test('a hasher on another SHA-256 agrees', () => {
    const other = treeHasher(sha256);
    const leaf = rfc6962.leaf(Buffer.from('entry'));
    expect(hex(other.leaf(Buffer.from('entry')))).toBe(hex(leaf));
    expect(hex(other.node(leaf, leaf))).toBe(hex(rfc6962.node(leaf, leaf)));
    expect(hex(other.emptyRoot)).toBe(hex(rfc6962.emptyRoot));
  });

  test('a node is made of two hashes of 32 bytes and nothing else', () => {
    const of = (length: number): Hash => new Uint8Array(length) as Hash;
    expect(() => rfc6962.node(of(31), of(33))).toThrow('hash has 31 bytes, want 32');
    expect(() => rfc6962.node(of(32), of(0))).toThrow('hash has 0 bytes, want 32');
    expect(() => asHash(new Uint8Array(33))).toThrow('hash has 33 bytes, want 32');
  });
});
