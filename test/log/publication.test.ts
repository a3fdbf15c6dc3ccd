import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { leafIndex, treeSize } from '../../src/encoding/integer.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { verifyConsistency } from '../../src/merkle/consistency.ts';
import { verifyInclusion } from '../../src/merkle/inclusion.ts';
import { treeRoot } from '../../src/merkle/root.ts';
import { tileWidth, type Tile } from '../../src/merkle/tile.ts';
import { tileHashReader } from '../../src/merkle/tile-reader.ts';
import { decodeBundle } from '../../src/merkle/bundle.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import type { Published } from '../../src/log/publisher.ts';
import { entries, opened, scratchLog } from './scratch.ts';

describe('checkpoints', () => {
  test('are signed by the log and cover what was waited for', async () => {
    const log = await scratchLog({ admission: 'open' });
    const { index, leafHash } = await log.submit(Buffer.from('a build'));
    const published = await log.included(index);
    const checkpoint = await opened(log, published);
    expect(checkpoint).toMatchObject({ origin: log.origin, size: 2 });
    const { proof } = await log.inclusion(index);
    verifyInclusion({ index, size: 2, leafHash, proof, root: checkpoint.root });
  });

  test('an idle log signs nothing new, also over a restart', async () => {
    const log = await scratchLog({ admission: 'open' });
    await log.included((await log.submit(Buffer.from('x'))).index);
    const { note } = log.published;
    await delay(200);
    expect(log.published.note).toBe(note);
  });

  test('come at most once in an interval, the first one at once', async () => {
    const log = await scratchLog({ admission: 'open', intervalMs: 300 });
    await delay(310);
    const sizes = new Set<number>();
    for (let i = 0; i < 20; i++) {
      await log.submit(Buffer.from(`e${i}`));
      await delay(5);
      sizes.add(log.published.size);
    }
    // 20 entries in some 100 ms: the first is published at once, the others wait for the interval.
    expect(sizes.size).toBeLessThanOrEqual(3);
    expect(log.published.size).toBeGreaterThan(1);
  });

  test('a wait ends with its signal', async () => {
    const log = await scratchLog({ admission: 'open', intervalMs: 60_000 });
    await log.submit(Buffer.from('published at once or not'));
    await delay(20);
    const { index } = await log.submit(Buffer.from('not published for a minute'));
    await expect(log.included(index, AbortSignal.timeout(50))).rejects.toThrow();
    await expect(log.included(index, AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  });

  test('closing publishes all that was taken', async () => {
    const log = await scratchLog({ admission: 'open', intervalMs: 60_000 });
    const submitted = log.submitMany(entries(2000));
    await log.close();
    expect((await submitted).every((outcome) => 'index' in outcome)).toBe(true);
    expect(log.published.size).toBe(2001);
    await expect(log.submit(Buffer.from('late'))).rejects.toMatchObject({ code: 'log-stopping' });
  });
});

describe('the published tree', () => {
  test('at each checkpoint all its tiles and bundles are readable and lead to its root', async () => {
    const log = await scratchLog({
      admission: 'open',
      intervalMs: 50,
      limits: { batchEntries: 100 },
    });
    const seen: Published[] = [];
    let more = true;
    const writing = (async () => {
      for (let i = 0; more; i++) await log.submitMany(entries(37, `burst ${i}`));
    })();
    while (seen.length < 15) {
      const published = await log.included(leafIndex(log.published.size));
      seen.push(published);
      const read = tileHashReader(published.size, (tiles: readonly Tile[]) =>
        Promise.all(tiles.map((tile) => log.tile(tile))),
      );
      expect(await treeRoot(published.size, read)).toEqual(published.root);
    }
    more = false;
    await writing;
    // Every width that had a checkpoint stays readable.
    for (const { size, root } of seen) {
      const read = tileHashReader(size, (tiles: readonly Tile[]) =>
        Promise.all(tiles.map((tile) => log.tile(tile))),
      );
      expect(await treeRoot(size, read)).toEqual(root);
      const width = tileWidth(0, 0, size);
      expect(decodeBundle(await log.bundle(0, width), width)).toHaveLength(width);
    }
    for (const [from, to] of seen
      .slice(1)
      .map((after, i) => [seen[i] as Published, after] as const)) {
      const proof = await log.consistency(from.size, to.size);
      verifyConsistency({
        from: from.size,
        to: to.size,
        fromRoot: from.root,
        toRoot: to.root,
        proof,
      });
    }
  });

  test('shows nothing above the published size', async () => {
    const log = await scratchLog({ admission: 'open', intervalMs: 60_000 });
    await log.submit(Buffer.from('maybe published'));
    await delay(50);
    const { index, leafHash } = await log.submit(Buffer.from('durable, not published'));
    const size = log.status().size;
    const notFound = { code: 'not-found' };
    await expect(log.entry(index)).rejects.toMatchObject(notFound);
    await expect(log.inclusion(index)).rejects.toMatchObject(notFound);
    await expect(log.inclusion(index, size)).rejects.toMatchObject(notFound);
    await expect(log.entryProof(index)).rejects.toMatchObject(notFound);
    await expect(log.tile({ level: 0, index: 0, width: size })).rejects.toMatchObject(notFound);
    await expect(log.bundle(0, size)).rejects.toMatchObject(notFound);
    await expect(log.consistency(treeSize(1), size)).rejects.toMatchObject(notFound);
    await expect(log.consistency(treeSize(0))).rejects.toMatchObject({ code: 'bad-request' });
    expect(log.lookupLeaf(leafHash)).toBeUndefined();
  });

  test('a ready proof carries the entry and verifies', async () => {
    const log = await scratchLog({ admission: 'open' });
    await log.submitMany(entries(700));
    const { index } = await log.submit(Buffer.from('the build'));
    await log.included(index);
    const { extra, hashes, checkpoint } = parseTlogProof(await log.entryProof(index));
    expect(Buffer.from(extra as Uint8Array).toString()).toBe('the build');
    const { size, root } = await opened(log, { ...log.published, note: checkpoint });
    const leafHash = rfc6962.leaf(extra as Uint8Array);
    verifyInclusion({ index, size, leafHash, proof: hashes, root });
  });
});
