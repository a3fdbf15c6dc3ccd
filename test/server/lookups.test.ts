import { Decoder } from 'cbor-x';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import { verifyConsistency } from '../../src/merkle/consistency.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { verifyInclusion } from '../../src/merkle/inclusion.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { entrySchema, lookupSchema } from '../../src/server/entries.ts';
import { consistencySchema, inclusionSchema } from '../../src/server/proofs.ts';
import { admission, entries, newSigner, opened, release, sha256 } from '../log/scratch.ts';
import { problemIn, startServer, type RunningServer } from './running-server.ts';

const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

async function json(url: string): Promise<never> {
  const response = await fetch(url);
  expect(response.status, url).toBe(200);
  expect(response.headers.get('content-type')).toBe('application/json');
  return (await response.json()) as never;
}

async function cbor(url: string): Promise<Record<string, unknown>> {
  const response = await fetch(url, { headers: { Accept: 'application/cbor' } });
  expect(response.headers.get('content-type')).toBe('application/cbor');
  const bytes = new Uint8Array(await response.arrayBuffer());
  return new Decoder({ mapsAsObjects: true }).decode(bytes) as Record<string, unknown>;
}

/** A log of 40 published entries and their leaf hashes. */
async function filled(): Promise<RunningServer & { leaves: ReturnType<typeof rfc6962.leaf>[] }> {
  const server = await startServer();
  const more = entries(39);
  await server.log.submitMany(more);
  await server.log.included(39 as never);
  const logged = [await server.log.entry(0 as never), ...more];
  return { ...server, leaves: logged.map((entry) => rfc6962.leaf(entry)) };
}

describe('GET /proofs', () => {
  test('inclusion, by index and by leaf hash, at every size', async () => {
    const { url, leaves } = await filled();
    for (const size of [1, 2, 31, 40]) {
      const root = rootOfLeaves(leaves.slice(0, size));
      for (const index of [0, size >> 1, size - 1]) {
        const leafHash = leaves[index]!;
        for (const which of [
          `index=${index}`,
          `leafHash=${encodeHex(leafHash)}`,
          `leafHash=${base64url(leafHash)}`,
        ]) {
          const answer = inclusionSchema.decode(
            await json(`${url}/proofs/inclusion?${which}&size=${size}`),
          );
          expect(answer).toMatchObject({ index, size, leafHash });
          verifyInclusion({ index, size, leafHash, proof: answer.hashes as never, root });
        }
      }
    }
  });

  test('to the newest size, with its checkpoint', async () => {
    const { url, log, leaves } = await filled();
    const inclusion = inclusionSchema.decode(await json(`${url}/proofs/inclusion?index=7`));
    const { size, root } = await opened(log, {
      ...log.published,
      note: utf8(inclusion.checkpoint!),
    });
    expect(inclusion.size).toBe(size);
    verifyInclusion({
      index: 7,
      size,
      leafHash: leaves[7]!,
      proof: inclusion.hashes as never,
      root,
    });
    const consistency = consistencySchema.decode(await json(`${url}/proofs/consistency?from=9`));
    expect(consistency).toMatchObject({ from: 9, to: 40, checkpoint: inclusion.checkpoint });
  });

  test('consistency', async () => {
    const { url, leaves } = await filled();
    for (const [from, to] of [
      [1, 40],
      [31, 32],
      [8, 8],
    ] as const) {
      const answer = consistencySchema.decode(
        await json(`${url}/proofs/consistency?from=${from}&to=${to}`),
      );
      const [fromRoot, toRoot] = [from, to].map((size) => rootOfLeaves(leaves.slice(0, size)));
      const proof = answer.hashes as never;
      verifyConsistency({ from, to, fromRoot: fromRoot!, toRoot: toRoot!, proof });
    }
  });

  test('in CBOR, with hashes as byte strings', async () => {
    const { url } = await filled();
    const path = `${url}/proofs/inclusion?index=7&size=33`;
    const answer = inclusionSchema.decode(await json(path));
    const { checkpoint, ...members } = answer;
    expect(checkpoint).toBeUndefined();
    expect(await cbor(path)).toEqual(members);
  });

  test('a ready .tlog-proof', async () => {
    const { url, log, leaves } = await filled();
    const response = await fetch(`${url}/proofs/entry/12`);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    const proof = parseTlogProof(new Uint8Array(await response.arrayBuffer()));
    const { size, root } = await opened(log, { ...log.published, note: proof.checkpoint });
    expect(proof.extra).toEqual(await log.entry(12 as never));
    verifyInclusion({ index: 12, size, leafHash: leaves[12]!, proof: proof.hashes, root });
  });

  test.for([
    ['/proofs/inclusion', 400],
    ['/proofs/inclusion?size=3', 400],
    ['/proofs/inclusion?index=1&leafHash=' + '0'.repeat(64), 400],
    ['/proofs/inclusion?index=40', 404],
    ['/proofs/inclusion?index=3&size=3', 404],
    ['/proofs/inclusion?index=3&size=41', 404],
    ['/proofs/inclusion?index=3&size=0', 404],
    ['/proofs/inclusion?index=01', 400],
    ['/proofs/inclusion?index=-1', 400],
    ['/proofs/inclusion?index=1.5', 400],
    ['/proofs/inclusion?index=1e3', 400],
    ['/proofs/inclusion?index=', 400],
    ['/proofs/inclusion?index=9007199254740992', 400],
    ['/proofs/inclusion?index=9007199254740991', 404],
    ['/proofs/inclusion?index=1&index=1', 400],
    ['/proofs/inclusion?index=1&constructor=1', 400],
    ['/proofs/inclusion?__proto__=1', 400],
    ['/proofs/inclusion?index[]=1', 400],
    ['/proofs/inclusion?leafHash=' + '0'.repeat(64), 404],
    ['/proofs/inclusion?leafHash=' + 'A'.repeat(64), 400],
    ['/proofs/inclusion?leafHash=' + '0'.repeat(62), 400],
    // The last character holds bits that belong to no byte.
    ['/proofs/inclusion?leafHash=' + 'A'.repeat(42) + 'B', 400],
    ['/proofs/consistency', 400],
    ['/proofs/consistency?from=0', 400],
    ['/proofs/consistency?from=41', 400],
    ['/proofs/consistency?from=5&to=4', 400],
    ['/proofs/consistency?from=5&to=41', 404],
    ['/proofs/entry/40', 404],
    ['/proofs/entry/x', 400],
    ['/proofs/entry/1?x=1', 400],
    ['/proofs/entry/', 404],
    ['/entries/40', 404],
    ['/entries/01', 400],
    ['/entries/1/', 404],
    ['/entries', 400],
    ['/entries?sha256=' + '0'.repeat(63), 400],
    ['/entries?sha256=' + '0'.repeat(64) + '&limit=0', 400],
    ['/entries?sha256=' + '0'.repeat(64) + '&limit=1001', 400],
  ] as const)('%s is %i', async ([path, status]) => {
    const { url } = await filled();
    const response = await fetch(url + path);
    expect(response.status).toBe(status);
    await problemIn(response);
  });
});

describe('GET /entries', () => {
  test('one entry, as JSON, CBOR and as its bytes', async () => {
    const { url, log } = await filled();
    const entry = await log.entry(7 as never);
    const path = `${url}/entries/7`;
    expect(entrySchema.decode(await json(path))).toEqual({ index: 7, entry });
    expect(await cbor(path)).toEqual({ index: 7, entry: new Uint8Array(entry) });
    const response = await fetch(path, { headers: { Accept: 'application/octet-stream' } });
    expect(new Uint8Array(await response.arrayBuffer())).toEqual(new Uint8Array(entry));
    const other = await fetch(path, { headers: { Accept: 'text/html' } });
    expect((await problemIn(other)).code).toBe('not-acceptable');
  });

  test('by leaf hash; that there is none proves nothing, and the answer says so', async () => {
    const { url, leaves } = await filled();
    const found = lookupSchema.decode(
      await json(`${url}/entries?leafHash=${encodeHex(leaves[9]!)}`),
    );
    expect(found).toMatchObject({ indexes: [9], size: 40 });
    const none = lookupSchema.decode(await json(`${url}/entries?leafHash=${'0'.repeat(64)}`));
    expect(none.indexes).toEqual([]);
    expect(none.absence).toMatch(/Nothing follows/);
    expect(encodeBase64(leaves[9]!)).not.toBe('');
  });

  test('by artifact: every statement about a file, in pages', async () => {
    const server = await startServer({ log: { admission: 'issuers' } });
    const { log, url } = server;
    const issuers = [await newSigner(), await newSigner(), await newSigner()];
    const indexes: number[] = [];
    for (const issuer of issuers) {
      await log.submit(await admission(log, server.directory, issuer));
      indexes.push((await log.submit(await release(issuer, '1.2.3'))).index);
    }
    await log.included(indexes.at(-1) as never);
    const path = `${url}/entries?sha256=${encodeHex(sha256('1.2.3'))}`;
    const all = lookupSchema.decode(await json(path));
    expect(all.indexes).toEqual(indexes);
    expect(all.next).toBeUndefined();

    const paged: number[] = [];
    for (let from = 0; ;) {
      const page = lookupSchema.decode(await json(`${path}&limit=2&from=${from}`));
      paged.push(...page.indexes);
      if (page.next === undefined) break;
      from = page.next;
    }
    expect(paged).toEqual(indexes);
  });
});
