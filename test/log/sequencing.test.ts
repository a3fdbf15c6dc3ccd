import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DaybookError } from '../../src/errors.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { Log, type Sequenced } from '../../src/log/log.ts';
import {
  admission,
  entries,
  newSigner,
  release,
  scratchDirectory,
  scratchLog,
  sha256,
} from './scratch.ts';

function indexes(outcomes: readonly (Sequenced | DaybookError)[]): number[] {
  return outcomes.map((outcome) => {
    if (outcome instanceof DaybookError) throw outcome;
    return outcome.index;
  });
}

describe('an open log', () => {
  test('gives indexes in order of arrival, after its genesis entry', async () => {
    const log = await scratchLog({ admission: 'open' });
    expect(indexes(await log.submitMany(entries(3000)))).toEqual(
      Array.from({ length: 3000 }, (_, i) => i + 1),
    );
    expect(log.status().size).toBe(3001);
  });

  test('gives the first index to the same bytes, in one batch, in flight and long after', async () => {
    const log = await scratchLog({ admission: 'open' });
    const [once] = entries(1) as [Uint8Array];
    const [first, second] = await log.submitMany([once, once]);
    expect(first).toMatchObject({ index: 1, duplicate: false });
    expect(second).toMatchObject({ index: 1, duplicate: true });
    expect(Buffer.from((second as Sequenced).leafHash)).toEqual(Buffer.from(rfc6962.leaf(once)));
    const flights = await Promise.all(Array.from({ length: 50 }, () => log.submit(once)));
    expect(new Set(flights.map(({ index }) => index))).toEqual(new Set([1]));
    expect(log.status().size).toBe(2);
  });

  test('any interleaving of duplicates equals a map from bytes to first index', async () => {
    const log = await scratchLog({ admission: 'open', limits: { batchEntries: 7 } });
    const model = new Map<number, number>();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(200), { minLength: 1, maxLength: 60 }), async (names) => {
        const outcomes = await Promise.all(
          names.map((name) => log.submit(Buffer.from(`e${name}`))),
        );
        names.forEach((name, i) => {
          const { index } = outcomes[i] as Sequenced;
          if (!model.has(name)) model.set(name, index);
          expect(index).toBe(model.get(name));
        });
        expect(log.status().size).toBe(1 + model.size);
      }),
      { numRuns: 40 },
    );
  });

  test('refuses empty and oversized entries, and takes the largest', async () => {
    const log = await scratchLog({ admission: 'open' });
    const outcomes = await log.submitMany([
      new Uint8Array(0),
      new Uint8Array(65_536),
      new Uint8Array(65_535),
    ]);
    expect(outcomes).toMatchObject([
      { code: 'bad-entry' },
      { code: 'entry-too-large' },
      { index: 1 },
    ]);
  });

  test('answers "overloaded" beyond its queue, and goes on', async () => {
    const log = await scratchLog({ admission: 'open', limits: { queuedEntries: 100 } });
    const outcomes = await log.submitMany(entries(150));
    const refused = outcomes.filter((outcome) => outcome instanceof DaybookError);
    expect(refused).toHaveLength(50);
    expect(refused[0]).toMatchObject({ code: 'overloaded', status: 503 });
    expect(await log.submit(Buffer.from('later'))).toMatchObject({ index: 101 });
  });
});

describe('a log of issuers', () => {
  test('admits an issuer, its releases, and refuses others with the reason', async () => {
    const directory = await scratchDirectory();
    const log = await scratchLog({ directory });
    const [issuer, stranger] = [await newSigner(), await newSigner()];
    await expect(log.submit(await release(issuer, '1.0'))).rejects.toMatchObject({
      code: 'not-admitted',
    });
    await log.submit(await admission(log, directory, issuer));
    expect(await log.submit(await release(issuer, '1.0'))).toMatchObject({ index: 2 });
    await expect(log.submit(await release(stranger, '1.1'))).rejects.toMatchObject({
      code: 'not-admitted',
    });
    await log.included((await log.submit(await release(issuer, '1.2'))).index);
    expect(await log.lookupArtifact(sha256('1.2'), 0 as never, 10)).toEqual([3]);
  });

  test('an admission entry and the first release can travel together, in order', async () => {
    const directory = await scratchDirectory();
    const log = await scratchLog({ directory });
    const issuer = await newSigner();
    await log.submit(await admission(log, directory, issuer));
    const revoke = await admission(log, directory, issuer, 'revoke');
    const outcomes = await Promise.all(
      [await release(issuer, '1'), revoke, await release(issuer, '2')].map((entry) =>
        log.submit(entry).catch((error: unknown) => error),
      ),
    );
    // Examined before the revocation was sequenced, judged again when it came to its index.
    const size = log.status().size;
    const revokedAt = (outcomes[1] as Sequenced).index;
    for (const outcome of [outcomes[0], outcomes[2]]) {
      if (outcome instanceof DaybookError) expect(outcome.code).toBe('not-admitted');
      else expect((outcome as Sequenced).index).toBeLessThan(revokedAt);
    }
    expect(size).toBeGreaterThan(revokedAt);
    await expect(log.submit(await release(issuer, '3'))).rejects.toMatchObject({
      code: 'not-admitted',
    });
  });

  test('what was logged once is found again, though it would be refused now', async () => {
    const directory = await scratchDirectory();
    const log = await scratchLog({ directory });
    const issuer = await newSigner();
    const admit = await admission(log, directory, issuer);
    const first = await log.submit(admit);
    const entry = await release(issuer, '1.0');
    const logged = await log.submit(entry);
    await log.submit(await admission(log, directory, issuer, 'revoke'));
    expect(await log.submit(admit)).toEqual({ ...first, duplicate: true });
    expect(await log.submit(entry)).toEqual({ ...logged, duplicate: true });
  });

  test('two admission entries with one sequence: one is logged, the other told the next', async () => {
    const directory = await scratchDirectory();
    const log = await scratchLog({ directory });
    const both = await Promise.all(
      [await newSigner(), await newSigner()].map((issuer) => admission(log, directory, issuer)),
    );
    const outcomes = await Promise.allSettled(both.map((entry) => log.submit(entry)));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const refused = outcomes.find(({ status }) => status === 'rejected') as PromiseRejectedResult;
    expect(refused.reason).toMatchObject({ code: 'admission-conflict' });
    expect((refused.reason as Error).message).toContain('2');
  });

  test('admission survives a restart', async () => {
    const directory = await scratchDirectory();
    const [issuer, revoked] = [await newSigner(), await newSigner()];
    const log = await Log.open({ directory, intervalMs: 50 });
    await log.submit(await admission(log, directory, issuer));
    await log.submit(await admission(log, directory, revoked));
    await log.submit(await admission(log, directory, revoked, 'revoke'));
    await log.close();
    const again = await scratchLog({ directory });
    expect(again.admission.nextSequence).toBe(4);
    expect(await again.submit(await release(issuer, '1'))).toMatchObject({ duplicate: false });
    await expect(again.submit(await release(revoked, '2'))).rejects.toMatchObject({
      code: 'not-admitted',
    });
  });
});
