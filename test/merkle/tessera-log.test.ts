/** Ties the code to a log that another implementation wrote. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBundle } from '../../src/merkle/bundle.ts';
import { proveConsistency, verifyConsistency } from '../../src/merkle/consistency.ts';
import { GrowingTree } from '../../src/merkle/growing-tree.ts';
import { type Hash, asHash, rfc6962 } from '../../src/merkle/hash.ts';
import { proveInclusion, verifyInclusion } from '../../src/merkle/inclusion.ts';
import type { ReadHashes } from '../../src/merkle/node.ts';
import { treeRoot } from '../../src/merkle/root.ts';
import { type ReadTiles, tileHashReader } from '../../src/merkle/tile-reader.ts';
import { bundlePath, tilePath } from '../../src/merkle/tile.ts';

const read = (path: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../vectors/tessera-log/${path}`, import.meta.url)));

const readTiles: ReadTiles = async (tiles) => tiles.map((tile) => read(tilePath(tile)));

function checkpoint(size: number): { size: number; root: Hash } {
  const lines = Buffer.from(read(`checkpoint.${size}`))
    .toString()
    .split('\n');
  return { size: Number(lines[1]), root: asHash(Buffer.from(lines[2]!, 'base64')) };
}

const hex = (hash: Uint8Array): string => Buffer.from(hash).toString('hex');

const sizes = Array.from({ length: 16 }, (_, size) => size);
const reader = (size: number): ReadHashes => tileHashReader(size, readTiles);

describe('the Tessera log', () => {
  test.each(sizes)('of %i leaves has the root of its checkpoint', async (size) => {
    const signed = checkpoint(size);
    expect(signed.size).toBe(size);
    expect(hex(await treeRoot(size, reader(size)))).toBe(hex(signed.root));
  });

  test.each(sizes.slice(1))('of %i leaves has a bundle that hashes to its tile', (size) => {
    const leaves = decodeBundle(read(bundlePath(0, size)), size).map(rfc6962.leaf);
    const grown = GrowingTree.empty();
    grown.append(leaves);
    expect(hex(grown.root())).toBe(hex(checkpoint(size).root));
    expect(hex(grown.partialTile(0))).toBe(hex(read(`tile/0/000.p/${size}`)));
  });

  test.each(sizes.slice(1))('of %i leaves proves its entries and what it was', async (size) => {
    const { root } = checkpoint(size);
    const entries = decodeBundle(read(bundlePath(0, size)));
    for (const [index, entry] of entries.entries()) {
      const { proof } = await proveInclusion(index, size, reader(size));
      verifyInclusion({ index, size, leafHash: rfc6962.leaf(entry), proof, root });
    }
    for (const from of sizes.slice(1, size + 1)) {
      const proof = await proveConsistency(from, size, reader(size));
      const fromRoot = checkpoint(from).root;
      verifyConsistency({ from, to: size, fromRoot, toRoot: root, proof });
    }
  });
});
