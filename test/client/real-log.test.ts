/** The client against the log itself, over HTTP. */
import { describe, expect, test } from 'vitest';
import { discoverVkeys } from '../../src/client/discover.ts';
import { LogClient } from '../../src/client/log-client.ts';
import type { Submitted } from '../../src/client/submit.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { DaybookError } from '../../src/errors.ts';
import { verifyProof } from '../../src/verify/verify-proof.ts';
import { policyOfLogs } from '../../src/verify/log-policy.ts';
import { admission, scratchDirectory } from '../log/scratch.ts';
import { newSigner } from '../note/new-signer.ts';
import { startServer, type RunningServer } from '../server/running-server.ts';
import { purl, releaseOf, sha256, signed } from '../verify/released.ts';
import { numbered } from './memory-log.ts';

function clientOf({ url, log }: RunningServer): LogClient {
  return new LogClient({ url, vkeys: log.vkeys });
}

describe('an open log', () => {
  test('logs entries, and gives them to whoever follows', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const entries = numbered(300);
    const submitted = await Promise.all(entries.map((entry) => client.submit(entry)));
    expect(new Set(submitted.map(({ index }) => index)).size).toBe(300);
    const seen = new Map<number, Uint8Array>();
    for await (const { index, entry } of clientOf(server).follow({ from: 1, pollMs: 10 })) {
      seen.set(index, entry);
      if (seen.size === 300) break;
    }
    for (const { index, entry } of submitted) expect(seen.get(index)).toEqual(entry);
  });

  test('logs a batch: each entry is proven, or refused in its place', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const long = new Uint8Array(65_535).fill(7);
    const entries = [
      ...numbered(600),
      new Uint8Array(0),
      long,
      utf8('x'.repeat(24)),
      utf8('x'.repeat(256)),
      utf8('entry 5'),
    ];
    const outcomes = await client.submitBatch(entries);
    expect(outcomes).toHaveLength(entries.length);
    expect(outcomes[600]).toMatchObject({ code: 'bad-entry' });
    expect(outcomes.at(-1)).toMatchObject({
      index: (outcomes[5] as Submitted).index,
      duplicate: true,
    });
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome instanceof DaybookError) continue;
      expect(outcome.entry).toEqual(entries[i]);
    }
    const again = await client.submitBatch(entries.slice(0, 3));
    expect(again.map((outcome) => (outcome as Submitted).index)).toEqual(
      outcomes.slice(0, 3).map((outcome) => (outcome as Submitted).index),
    );
    expect(await client.submitBatch([])).toEqual([]);
    const tooLong = client.submitBatch([new Uint8Array(65_536)]);
    await expect(tooLong).rejects.toMatchObject({ code: 'entry-too-large' });
  });

  test('says itself which keys are its own', async () => {
    const server = await startServer();
    expect(await discoverVkeys({ url: server.url })).toEqual(server.log.vkeys);
  });

  test('is read from tiles alone', async () => {
    const server = await startServer();
    const client = clientOf(server);
    const { index } = await client.submit(utf8('an entry'));
    await client.submitBatch(numbered(700));
    const head = await client.checkpoint();
    expect(await client.entry(index, head)).toEqual(utf8('an entry'));
    const proof = Buffer.from(await client.proof(index, head)).toString();
    const served = await fetch(`${server.url}/proofs/entry/${index}`);
    expect(proof).toBe(await served.text());
  });
});

test('a log of issuers gives the first envelope and index for a statement that is signed again', async () => {
  const directory = await scratchDirectory();
  const server = await startServer({ log: { admission: 'issuers', directory } });
  const issuer = await newSigner('ecdsa-p256');
  const client = clientOf(server);
  await client.submit(await admission(server.log, directory, issuer));
  const [first, again] = [
    await signed(releaseOf('a'), issuer),
    await signed(releaseOf('a'), issuer),
  ];
  const submitted = await client.submit(first);
  expect(submitted).toMatchObject({ entry: first, duplicate: false });
  expect(await client.submit(again)).toMatchObject({
    index: submitted.index,
    entry: first,
    duplicate: true,
  });

  const verdict = await verifyProof({
    artifact: { sha256: sha256('a') },
    proof: submitted.proof,
    policy: policyOfLogs(server.log.vkeys),
    issuers: [issuer.publicKey],
    purl,
  });
  expect(verdict.ok).toBe(true);

  const stranger = await signed(releaseOf('a'), await newSigner('ed25519'));
  await expect(client.submit(stranger)).rejects.toMatchObject({ code: 'not-admitted' });
  const [refused] = await client.submitBatch([stranger]);
  expect(refused).toMatchObject({ code: 'not-admitted' });
});
