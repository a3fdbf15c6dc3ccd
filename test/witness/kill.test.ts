/**
 * A witness process under load, killed again and again at any moment, also between its check and its
 * answer. Whoever got a cosignature keeps it: after each restart the witness must stand at that size
 * or above, on that branch, and must refuse the other one.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import type { VerifierKey } from '../../src/note/vkey.ts';
import { initCosigner } from '../../src/cosigner/directory.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { post, requestBody, witnessDirectory } from './running-witness.ts';
import { startWitnessProcess, type WitnessProcess } from './witness-process.ts';

const KILLS = 15;
const LOGS = 6;
const LEAVES = 3000;

/** Two branches of a log, and what the world got from the witness about them. */
class Observed {
  readonly log: MemoryLog;
  readonly fork: MemoryLog;
  /** The branch that the witness took, once it had to take one. */
  #branch: MemoryLog | undefined;
  readonly #at: number;
  size = 0;
  time = 0;
  cosigned = 0;

  constructor(log: MemoryLog, at: number) {
    this.log = log;
    this.#at = at;
    this.fork = log.fork(at, ...numbered(LEAVES - at, 'fork'));
  }

  /** Both branches grow towards the witness, until it dies. */
  async push(
    { url }: WitnessProcess,
    keys: readonly VerifierKey[],
    branch: MemoryLog,
  ): Promise<void> {
    let old = 0;
    for (let size = this.size + 1; size <= LEAVES;) {
      const note = await branch.note(size);
      let answer: Response;
      let text: string;
      try {
        answer = await post(url, await requestBody(branch, old, size, { note }));
        text = await answer.text();
      } catch {
        return;
      }
      if (answer.status === 409) {
        old = Number(text);
        if (old > size) size = old;
        continue;
      }
      // The other branch was taken.
      if (answer.status === 422) return;
      expect(answer.status).toBe(200);
      await this.take(branch, `${parseNote(note).text}\n${text}`, keys);
      old = size;
      size += 1 + Math.floor(Math.random() * 3);
    }
  }

  /** What the witness gave out must agree with everything it gave out before. */
  async take(branch: MemoryLog, note: string, keys: readonly VerifierKey[]): Promise<void> {
    const signed = parseNote(note);
    const [opened] = await openNote(signed, keys, nodeVerifier);
    const { size } = parseCheckpoint(signed.text);
    if (size > this.#at) {
      this.#branch ??= branch;
      expect(branch === this.#branch, `both branches were cosigned, at ${size}`).toBe(true);
    }
    // Answers may overtake each other on their way.
    this.size = Math.max(this.size, size);
    this.time = Math.max(this.time, opened!.timestamp!);
    this.cosigned++;
  }

  async check({ url }: WitnessProcess, keys: readonly VerifierKey[]): Promise<void> {
    const answer = await fetch(`${url}/${originHash(this.log.origin)}/checkpoint`);
    if (this.size === 0 && answer.status === 404) return;
    const text = await answer.text();
    const { size, root } = parseCheckpoint(parseNote(text).text);
    expect(size).toBeGreaterThanOrEqual(this.size);
    const onLog = Buffer.from(root).equals(Buffer.from(this.log.root(size)));
    const branch = onLog ? this.log : this.fork;
    expect(Buffer.from(root)).toEqual(Buffer.from(branch.root(size)));
    const before = this.time;
    await this.take(branch, text, keys);
    const signed = parseNote(text);
    const [opened] = await openNote(signed, keys, nodeVerifier);
    expect(opened!.timestamp).toBeGreaterThanOrEqual(before);
    if (size <= this.#at) return;
    const other = branch === this.log ? this.fork : this.log;
    expect((await post(url, await requestBody(other, size, size))).status).toBe(422);
    expect((await post(url, await requestBody(other, this.#at, LEAVES))).status).toBe(409);
  }
}

test(`${KILLS} kills under load`, { timeout: 300_000 }, async () => {
  const directory = await witnessDirectory();
  const list = join(await witnessDirectory(), 'logs');
  const keys = await initCosigner(directory, { name: 'witness.example/w1' });
  const observed = await Promise.all(
    Array.from({ length: LOGS }, async (_, i) => {
      const log = await MemoryLog.create(numbered(LEAVES), `log-${i}.example`);
      return new Observed(log, 1 + 40 * i);
    }),
  );
  await writeFile(list, observed.map(({ log }) => `log ${log.vkey}\n`).join(''));
  for (let kill = 0; kill < KILLS; kill++) {
    const running = await startWitnessProcess(directory, list);
    for (const each of observed) await each.check(running, keys);
    const load = observed.flatMap((each) =>
      [each.log, each.fork].map((branch) => each.push(running, keys, branch)),
    );
    await delay(50 + 400 * Math.random());
    await running.end('SIGKILL');
    await Promise.all(load);
  }
  const running = await startWitnessProcess(directory, list);
  for (const each of observed) await each.check(running, keys);
  expect(observed.reduce((sum, { cosigned }) => sum + cosigned, 0)).toBeGreaterThan(20 * KILLS);
  expect(await running.end('SIGTERM')).toBe(0);
});
