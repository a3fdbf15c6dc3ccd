/** A monitor's cosignature: over what was audited, never back in time, in notes that anybody can check. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Hash } from '../../src/merkle/hash.ts';
import { Change } from '../../src/monitor/change.ts';
import { checkpointKey, Cosigner } from '../../src/monitor/cosigner.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote, openNote, parseNote } from '../../src/note/note.ts';
import { mergeSignatures } from '../../src/note/add-checkpoint.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { openRecordStore } from '../../src/store/record-store.ts';
import { answer, problem } from '../client/memory-log.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';
import { acmeLog, release, START_MS, WatchScene } from './watch-scene.ts';

const name = 'monitor.example/m1';
const cosigner = new Cosigner([await newNoteSigner(name, 0x04), await newNoteSigner(name, 0x06)]);
const witness = await newNoteSigner('witness.example', 0x04);
const START = START_MS / 1000;

/** What the monitor serves: size, and the times of its own cosignatures, which verify. */
async function served({ watched }: WatchScene): Promise<{ size: number; times: number[] }> {
  const note = parseNote(watched.checkpoint!);
  const keys = cosigner.keys.map(({ key }) => key);
  const opened = await openNote(note, keys, nodeVerifier);
  return { size: parseCheckpoint(note.text).size, times: opened.map((each) => each.timestamp!) };
}

async function scene(): Promise<WatchScene & { grow(count: number): Promise<void> }> {
  const { log, issuer } = await acmeLog();
  const watching = await WatchScene.of(log, cosigner);
  const grow = async (count: number): Promise<void> => {
    const sample = await release(issuer, log.size);
    for (let i = 0; i < count; i++) log.entries.push(sample);
  };
  return Object.assign(watching, { grow });
}

describe('a monitor that cosigns', () => {
  test('serves the note as it came, with a cosignature of each key, also after a restart', async () => {
    const watching = await scene();
    const note = await watching.log.note(2, [watching.log.signer, witness]);
    watching.log.intercept = (path) => (path === 'checkpoint' ? answer(note) : undefined);
    expect(watching.watched.checkpoint).toBeUndefined();
    await watching.watched.poll();
    expect(await served(watching)).toEqual({ size: 2, times: [START, START] });
    const { signatures } = parseNote(watching.watched.checkpoint!);
    expect(signatures.map((line) => line.name)).toEqual([
      watching.log.origin,
      'witness.example',
      name,
      name,
    ]);
    const before = watching.watched.checkpoint;
    await watching.again();
    expect(watching.watched.checkpoint).toEqual(before);
  });

  test('cosigns no head before all entries below it are audited', async () => {
    const watching = await scene();
    await watching.watched.poll();
    await watching.grow(600);
    watching.log.intercept = (path) =>
      path.startsWith('tile/entries/001') ? problem(503, 'overloaded') : undefined;
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ size: 2 });
    watching.log.intercept = () => undefined;
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ size: 602 });
  });

  test('cosigns a head with findings too, which are in its list', async () => {
    const watching = await scene();
    watching.log.entries.push(utf8('no envelope'));
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ size: 3 });
    expect((await watching.findings()).findings).toMatchObject([{ index: 2, code: 'bad-entry' }]);
  });

  test('cosigns the same head again for new cosignatures in it, and every ten minutes', async () => {
    const watching = await scene();
    const { log } = watching;
    let note = await log.note(2);
    log.intercept = (path) => (path === 'checkpoint' ? answer(note) : undefined);
    await watching.watched.poll();
    watching.now += 60_000;
    // The log merges what it reads from the monitor: that must not make the monitor sign again.
    const own = parseNote(watching.watched.checkpoint!).signatures.filter(
      (line) => line.name === name,
    );
    note = utf8(formatNote(mergeSignatures(parseNote(note), own)));
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ times: [START, START] });
    note = await log.note(2, [log.signer, witness]);
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ times: [START + 60, START + 60] });
    watching.now += 599_000;
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ times: [START + 60, START + 60] });
    watching.now += 1000;
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ times: [START + 660, START + 660] });
  });

  test('signs nothing while its clock is behind its last signature, and says so', async () => {
    const watching = await scene();
    await watching.watched.poll();
    await watching.grow(1);
    watching.now -= 86_400_000;
    await watching.watched.poll();
    expect(watching.watched.problem).toMatchObject({ code: 'clock-went-back' });
    expect(await served(watching)).toEqual({ size: 2, times: [START, START] });
    // What it audits and what its rules say does not wait for the clock.
    expect(watching.watched.status()).toMatchObject({ audited: 3 });
    await watching.again();
    watching.now = START_MS + 1000;
    await watching.watched.poll();
    expect(watching.watched.problem).toBeUndefined();
    expect(await served(watching)).toEqual({ size: 3, times: [START + 1, START + 1] });
  });

  test('never goes back in size or time, whatever clock, log and restarts do', async () => {
    const step = fc.record({
      grown: fc.nat({ max: 3 }),
      shown: fc.nat({ max: 4 }),
      clock: fc.integer({ min: -1000, max: 1000 }),
      restarted: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const watching = await scene();
        let before = { size: 0, time: 0 };
        for (const { grown, shown, clock, restarted } of steps) {
          await watching.grow(grown);
          watching.log.published = watching.log.entries.length - Math.min(shown, 2);
          watching.now += clock * 1000;
          await watching.watched.poll();
          if (restarted) await watching.again();
          if (watching.watched.checkpoint === undefined) continue;
          const { size, times } = await served(watching);
          const [time = 0] = times;
          expect(size).toBeGreaterThanOrEqual(before.size);
          expect(time).toBeGreaterThanOrEqual(before.time);
          before = { size, time };
        }
      }),
      { numRuns: 15 },
    );
  });

  test('keeps the log’s own signatures where a note is full of others', async () => {
    const watching = await scene();
    const { log } = watching;
    const crowd = await Promise.all(
      Array.from({ length: 63 }, (_, i) => newNoteSigner(`w${i}.example`, 0x04)),
    );
    const note = await log.note(2, [log.signer, ...crowd]);
    log.intercept = (path) => (path === 'checkpoint' ? answer(note) : undefined);
    await watching.watched.poll();
    expect(await served(watching)).toMatchObject({ size: 2, times: [START, START] });
    const opened = parseNote(watching.watched.checkpoint!);
    await expect(openNote(opened, [log.signer.key], nodeVerifier)).resolves.toHaveLength(1);
  });
});

test('a head that contradicts the last one is refused, whoever hands it over', async () => {
  const records = await openRecordStore(await temporaryDirectory(), { create: true });
  const { log } = await acmeLog();
  const hash = originHash(log.origin);
  const cosign = async (size: number, root?: Hash): Promise<void> => {
    const note = await log.note(size, [log.signer], root);
    const change = new Change(records, () => undefined, START_MS);
    const head = { note, ...parseCheckpoint(parseNote(note).text) };
    await cosigner.cosign(hash, head, change);
    await change.commit();
  };
  await cosign(2);
  const served = records.get(checkpointKey(hash));
  await expect(cosign(1)).rejects.toMatchObject({ code: 'log-forked' });
  await expect(cosign(2, log.root(1))).rejects.toMatchObject({ code: 'log-forked' });
  expect(records.get(checkpointKey(hash))).toEqual(served);
  await cosign(2);
  await records.close();
});
