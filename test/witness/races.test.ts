/**
 * Requests of clients that push two branches of one log into a witness at once, with every step of it
 * (checking, signing, writing) delayed in 2,000 random orders, and a clock that jumps.
 */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { openRecordStore, type Change, type RecordStore } from '../../src/store/record-store.ts';
import { RecoveringStore } from '../../src/store/recovering-store.ts';
import { Witness } from '../../src/witness/witness.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { listOf, requestBody, witnessDirectory } from './running-witness.ts';

const SIZE = 12;
const RUNS = 2000;

interface Head {
  readonly size: number;
  readonly root: string;
  readonly time: number;
}

/** Two witnesses in one process share nothing, so one store can serve all runs: each has an origin of its own. */
test(
  `${RUNS} interleavings: never a rollback, never two roots at one size`,
  { timeout: 300_000 },
  async () => {
    const store = await openRecordStore(join(await witnessDirectory(), 'state'), { create: true });
    const own = await newNoteSigner('witness.example', 0x04);
    const counts = { cosigned: 0, conflicts: 0, refused: 0, forkCosigned: 0 };
    let run = 0;

    const headOf = async (note: Uint8Array): Promise<Head> => {
      const signed = parseNote(note);
      const [opened] = await openNote(signed, [own.key], nodeVerifier);
      const { size, root } = parseCheckpoint(signed.text);
      return { size, root: Buffer.from(root).toString('hex'), time: opened!.timestamp! };
    };

    const clients = fc.array(
      fc.record({
        forked: fc.boolean(),
        guess: fc.nat(SIZE),
        targets: fc.array(fc.integer({ min: 1, max: SIZE }), { minLength: 1, maxLength: 3 }),
      }),
      { minLength: 2, maxLength: 5 },
    );
    const clock = fc.array(fc.integer({ min: 1000, max: 1004 }), { minLength: 1, maxLength: 8 });

    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        clients,
        fc.nat(SIZE - 1),
        clock,
        async (s, parties, at, times) => {
          const log = await MemoryLog.create(numbered(SIZE), `log-${run++}.example`);
          const fork = log.fork(at, ...numbered(SIZE - at, 'fork'));
          const written: Uint8Array[] = [];
          const delayed: RecordStore = {
            failed: false,
            get: (key) => store.get(key),
            list: (prefix) => store.list(prefix),
            async commit(change: Change) {
              await s.schedule(Promise.resolve(), 'write');
              for (const [, note] of change.put ?? []) written.push(note);
              await store.commit(change);
              await s.schedule(Promise.resolve(), 'written');
            },
            close: () => Promise.resolve(),
          };
          const state = new RecoveringStore(delayed, {
            reopen: async () => delayed,
            report: () => undefined,
          });
          let tick = 0;
          const witness = new Witness({
            list: listOf(log),
            state,
            now: () => times[tick++ % times.length]!,
            verifier: {
              async verify(...of) {
                await s.schedule(Promise.resolve(), 'verify');
                return nodeVerifier.verify(...of);
              },
            },
            signers: [
              {
                key: own.key,
                signer: {
                  publicKey: own.signer.publicKey,
                  async sign(message) {
                    await s.schedule(Promise.resolve(), 'sign');
                    return own.signer.sign(message);
                  },
                },
              },
            ],
          });

          const answered: Head[] = [];
          /** Takes the size that a 409 tells, as logs do, and tries once more. */
          const push = async (branch: MemoryLog, guess: number, target: number): Promise<void> => {
            let old = Math.min(guess, target);
            for (let attempt = 0; attempt < 2; attempt++) {
              const note = await branch.note(target);
              const body = Buffer.from(await requestBody(branch, old, target, { note }));
              const answer = await witness.addCheckpoint(body).catch((error: { code: string }) => {
                expect(['checkpoint-inconsistent', 'clock-went-back', 'bad-request']).toContain(
                  error.code,
                );
                counts.refused++;
              });
              if (answer === undefined) return;
              if ('cosignatures' in answer) {
                const { text } = parseNote(note);
                answered.push(
                  await headOf(
                    Buffer.from(`${text}\n${Buffer.from(answer.cosignatures).toString()}`),
                  ),
                );
                counts.cosigned++;
                if (branch === fork) counts.forkCosigned++;
                return;
              }
              counts.conflicts++;
              old = answer.conflict;
            }
          };
          const work = parties.map(async ({ forked, guess, targets }) => {
            for (const target of targets) await push(forked ? fork : log, guess, target);
          });
          await s.waitFor(Promise.all(work));

          const heads = await Promise.all(written.map(headOf));
          heads.slice(1).forEach((head, i) => {
            expect(head.size).toBeGreaterThanOrEqual(heads[i]!.size);
            expect(head.time).toBeGreaterThanOrEqual(heads[i]!.time);
          });
          // All that was cosigned lies on one branch.
          const roots = (branch: MemoryLog): boolean =>
            heads.every(
              ({ size, root }) => root === Buffer.from(branch.root(size)).toString('hex'),
            );
          expect(roots(log) || roots(fork)).toBe(true);
          // Every answer was written before, and what is served is what was written last.
          for (const head of answered) expect(heads).toContainEqual(head);
          expect(witness.checkpoint(originHash(log.origin))).toEqual(written.at(-1));
        },
      ),
      { numRuns: RUNS },
    );
    await store.close();
    // The runs were worth something.
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(RUNS / 4);
  },
);
