/** Each place in a channel is taken once, in order, and each statement names the one before it. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DaybookError } from '../../src/errors.ts';
import { leafIndex, treeSize, type LeafIndex } from '../../src/encoding/integer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { NewestOfChannels, channelPlace } from '../../src/log/channels.ts';
import { fsck } from '../../src/log/fsck.ts';
import { Log, type Sequenced } from '../../src/log/log.ts';
import { openRunning } from '../../src/log/running.ts';
import type { Assigned } from '../../src/log/sequencer.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import type { Signer } from '../../src/signature/port.ts';
import { examine } from '../../src/statement/admission.ts';
import { digestKey, entryKey, indexValue } from '../../src/store/layout.ts';
import { change, flip, present } from './damage.ts';
import { admission, channelEntry, newSigner, scratchDirectory, scratchLog } from './scratch.ts';

interface Publishing {
  readonly directory: string;
  readonly log: Log;
  readonly issuer: Signer;
}

/** A log with one issuer, entry 1, who may publish the channels acme/*. */
async function publishing(intervalMs = 50): Promise<Publishing> {
  const directory = await scratchDirectory();
  const log = await scratchLog({ directory, intervalMs });
  const issuer = await newSigner();
  await log.submit(await admission(log, directory, issuer));
  return { directory, log, issuer };
}

/** Gives all entries to the sequencer in one turn, in this order. */
async function sequenceAtOnce(
  directory: string,
  entries: readonly Uint8Array[],
  batchEntries: number,
): Promise<(number | string)[]> {
  const running = await openRunning({
    directory,
    intervalMs: 50,
    minimumSize: treeSize(0),
    limits: { batchEntries },
    onPublished: () => undefined,
    onFailure: (error) => expect.unreachable(error.message),
  });
  const { sequencer } = running;
  const examined = await Promise.all(
    entries.map((entry) => examine(sequencer.admission, entry, nodeVerifier)),
  );
  const outcomes = await Promise.all(
    examined.map(({ claim, dedupe: digest, subjects }, i) => {
      const entry = entries[i] as Uint8Array;
      return new Promise<Assigned | DaybookError>((settle) =>
        sequencer.enqueue({
          entry,
          leafHash: rfc6962.leaf(entry),
          dedupe: { kind: 'dedupe', digest },
          artifacts: subjects,
          claim,
          settle,
        }),
      );
    }),
  );
  await running.close();
  return outcomes.map((outcome) =>
    outcome instanceof DaybookError ? outcome.code : outcome.index,
  );
}

async function codesAndIndexes(
  outcomes: Promise<(Sequenced | DaybookError)[]>,
): Promise<(number | string)[]> {
  return (await outcomes).map((outcome) =>
    outcome instanceof DaybookError ? outcome.code : outcome.index,
  );
}

describe('the log takes', () => {
  test('one statement after the other, each with the index of the one before', async () => {
    const { log, issuer } = await publishing();
    const first = await log.submit(await channelEntry(log, issuer, 1, undefined));
    const second = await log.submit(await channelEntry(log, issuer, 2, first.index));
    expect([first.index, second.index]).toEqual([2, 3]);
    await log.included(second.index);
    expect(log.channel('acme/stable')).toBe(3);
    expect(log.channel('acme/beta')).toBeUndefined();
  });

  test('no second statement with the same channel and sequence, however it is signed', async () => {
    const { directory, log, issuer } = await publishing();
    const other = await newSigner();
    await log.submit(await admission(log, directory, other));
    await log.submit(await channelEntry(log, issuer, 1, undefined));
    for (const [signer, expires] of [
      [issuer, 2_000_000_001],
      [other, 2_000_000_000],
    ] as const) {
      const again = await channelEntry(log, signer, 1, undefined, { expires });
      await expect(log.submit(again)).rejects.toMatchObject({
        code: 'channel-conflict',
        message: expect.stringContaining('sequence 1 already, entry 3') as string,
      });
    }
    const elsewhere = await channelEntry(log, other, 1, undefined, { channel: 'acme/beta' });
    expect(await log.submit(elsewhere)).toMatchObject({ index: 4 });
  });

  test('the same statement sent again at its first index, also when newer ones came', async () => {
    const { log, issuer } = await publishing();
    const entry = await channelEntry(log, issuer, 1, undefined);
    const { index } = await log.submit(entry);
    await log.submit(await channelEntry(log, issuer, 2, index));
    expect(await log.submit(entry)).toMatchObject({ index, duplicate: true });
  });

  test.each([
    ['a gap', 3, 2],
    ['a beginning in the middle', 7, 1],
    ['another entry as the one before', 2, 1],
    ['an index to come as the one before', 2, 9],
  ])('no %s', async (_, sequence, previous) => {
    const { log, issuer } = await publishing();
    await log.submit(await channelEntry(log, issuer, 1, undefined));
    const entry = await channelEntry(log, issuer, sequence, previous);
    await expect(log.submit(entry)).rejects.toMatchObject({ code: 'channel-conflict' });
    expect(log.status().size).toBe(3);
    await log.submit(await channelEntry(log, issuer, 2, 2));
  });

  test.each([1024, 2, 1])(
    'a whole chain at once, in batches of %i: what comes first takes the place',
    async (batchEntries) => {
      const { directory, log, issuer } = await publishing();
      const chain = await Promise.all([
        channelEntry(log, issuer, 1, undefined),
        channelEntry(log, issuer, 2, 2),
        channelEntry(log, issuer, 2, 2, { expires: 2_000_000_001 }),
        channelEntry(log, issuer, 3, 2),
        channelEntry(log, issuer, 3, 3),
        channelEntry(log, issuer, 1, undefined, { channel: 'acme/beta' }),
        channelEntry(log, issuer, 2, 2, { channel: 'acme/beta' }),
        channelEntry(log, issuer, 4, 4),
      ]);
      await log.close();
      // Past `Log`, where signatures are verified side by side and any of them may come first.
      expect(await sequenceAtOnce(directory, chain, batchEntries)).toEqual([
        2,
        3,
        'channel-conflict',
        'channel-conflict',
        4,
        5,
        'channel-conflict',
        6,
      ]);
      expect((await fsck(directory)).disagreements).toEqual([]);
    },
  );

  test('of many rivals for each place exactly one, over batches that wait for the disk', async () => {
    const { directory, log, issuer } = await publishing();
    let previous: number | undefined;
    for (let sequence = 1; sequence <= 12; sequence++) {
      const rivals = await Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          channelEntry(log, issuer, sequence, previous, { expires: 2_000_000_000 + i }),
        ),
      );
      const outcomes = await codesAndIndexes(log.submitMany(rivals));
      const [index, ...more] = outcomes.filter((outcome) => typeof outcome === 'number');
      expect(more).toEqual([]);
      expect(outcomes.filter((outcome) => outcome === 'channel-conflict')).toHaveLength(5);
      previous = index;
    }
    await log.close();
    expect((await fsck(directory)).disagreements).toEqual([]);
  });

  test('nothing for another log, and nothing from who may not publish the channel', async () => {
    const { log, issuer } = await publishing();
    const foreign = await channelEntry(
      { ...log, origin: 'log.other.example' },
      issuer,
      1,
      undefined,
    );
    const notTheirs = await channelEntry(log, issuer, 1, undefined, { channel: 'other/stable' });
    for (const entry of [foreign, notTheirs]) {
      await expect(log.submit(entry)).rejects.toMatchObject({ code: 'not-admitted' });
    }
  });
});

describe('channels', () => {
  test('go on after a restart', async () => {
    const { directory, log, issuer } = await publishing();
    await log.submit(await channelEntry(log, issuer, 1, undefined));
    await log.close();
    const again = await scratchLog({ directory });
    expect(again.channel('acme/stable')).toBe(2);
    const rival = await channelEntry(again, issuer, 1, undefined, { expires: 2_000_000_001 });
    await expect(again.submit(rival)).rejects.toMatchObject({ code: 'channel-conflict' });
    const next = await again.submit(await channelEntry(again, issuer, 2, 2));
    await again.included(next.index);
    expect(again.channel('acme/stable')).toBe(3);
  });

  test('show their newest statement only once it is published', async () => {
    const { log, issuer } = await publishing(60_000);
    const first = await log.submit(await channelEntry(log, issuer, 1, undefined));
    expect(log.published.size).toBeLessThanOrEqual(first.index);
    expect(log.channel('acme/stable')).toBeUndefined();
  });

  test('the newest is found wherever it is, as its channel grows', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(300), { minLength: 1, maxLength: 20 }), (steps) => {
        const newest = new NewestOfChannels();
        let length = 0;
        let calls = 0;
        const indexAt = (sequence: number): LeafIndex | undefined => {
          calls += 1;
          return sequence <= length ? leafIndex(10 * sequence) : undefined;
        };
        for (const step of steps) {
          length += step;
          const expected = length === 0 ? undefined : 10 * length;
          expect(newest.find('acme/stable', indexAt)).toBe(expected);
          calls = 0;
          expect(newest.find('acme/stable', indexAt)).toBe(expected);
          expect(calls).toBeLessThanOrEqual(2);
        }
      }),
    );
  });
});

describe('fsck names', () => {
  /** A closed log whose entries 2 to 4 are a channel. */
  async function closedChannel(): Promise<string> {
    const { directory, log, issuer } = await publishing();
    for (const [sequence, previous] of [
      [1, undefined],
      [2, 2],
      [3, 3],
    ] as const) {
      await log.submit(await channelEntry(log, issuer, sequence, previous));
    }
    await log.close();
    expect((await fsck(directory)).disagreements).toEqual([]);
    return directory;
  }

  const place = (sequence: number): Uint8Array => channelPlace('acme/stable', sequence);
  const keyName = (digest: Uint8Array): string =>
    `index key channel ${Buffer.from(digest).toString('hex')}`;

  test('a place in a channel that is missing, and one that names another entry', async () => {
    const directory = await closedChannel();
    await change(directory, async (db) => {
      await db.del(digestKey('channel', place(1)));
      await flip(db, digestKey('channel', place(2)), 7);
    });
    expect((await fsck(directory)).disagreements).toEqual([
      { where: keyName(place(1)), what: 'is missing, want entry 2' },
      { where: keyName(place(2)), what: 'names entry 2, want 3' },
      { where: 'index keys channel', what: 'there are 2, the entries explain 3' },
    ]);
  });

  test('a place that no entry explains', async () => {
    const directory = await closedChannel();
    const stray = digestKey('channel', place(4));
    await change(directory, (db) => db.put(stray, indexValue(leafIndex(3))));
    expect((await fsck(directory)).disagreements).toEqual([
      { where: 'index keys channel', what: 'there are 4, the entries explain 3' },
    ]);
  });

  test('statements out of their order', async () => {
    const directory = await closedChannel();
    await change(directory, async (db) => {
      const [second, third] = [await present(db, entryKey(3)), await present(db, entryKey(4))];
      await db.put(entryKey(3), third);
      await db.put(entryKey(4), second);
    });
    const { disagreements } = await fsck(directory);
    expect(disagreements).toContainEqual({
      where: 'entry 3',
      what: 'is statement 3 of channel acme/stable after entry 3, want 2 after entry 2',
    });
  });
});
