import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { MAX_ENTRY_BYTES } from '../../src/merkle/bundle.ts';
import { bundlePath, tilePath, tilesOf } from '../../src/merkle/tile.ts';
import { mergeSignatures } from '../../src/note/add-checkpoint.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote, openNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { formatVkey, parseVkey } from '../../src/note/vkey.ts';
import { initCosigner } from '../../src/cosigner/directory.ts';
import { RunningMirror } from '../../src/mirror/running-mirror.ts';
import { verifyEvidence } from '../../src/verify/evidence.ts';
import { parsePolicy } from '../../src/verify/policy.ts';
import { answer, MemoryLog, numbered, problem } from '../client/memory-log.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { newMirror, openMirror, served } from './scratch-mirror.ts';

const now = 1_790_000_100;

/** Every file that a tree of this size has, as the log itself would serve it. */
async function expectCopy(directory: string, log: MemoryLog, size: number): Promise<void> {
  const paths = [...tilesOf(size)].flatMap((tile) => {
    const hashes = tilePath(tile);
    return tile.level === 0 ? [hashes, bundlePath(tile.index, tile.width)] : [hashes];
  });
  for (const path of paths) {
    expect(await served(directory, log, path), path).toEqual(Buffer.from(log.tile(path)!));
  }
}

describe('a mirror', () => {
  test('keeps every file of a log, and cosigns what it keeps', async () => {
    const log = await MemoryLog.create(numbered(70_000));
    const directory = await newMirror('mirror.example/m1', true);
    const running = await openMirror(log, { directory, now: () => now });
    expect(await running.update()).toBe(true);
    await expectCopy(directory, log, 70_000);
    const note = parseNote(await served(directory, log, 'checkpoint'));
    const opened = await openNote(note, [log.vkey, ...running.vkeys].map(parseVkey), nodeVerifier);
    expect(opened.map(({ key, timestamp }) => [key.type, timestamp])).toEqual([
      [0x01, undefined],
      [0x04, now],
      [0x06, now],
    ]);
    expect(parseCheckpoint(note.text)).toMatchObject({ size: 70_000, root: log.root(70_000) });
    expect(running.mirror.signed).toMatchObject({ size: 70_000, time: now });
  });

  test('asks for no tile that entries give', async () => {
    const log = await MemoryLog.create(numbered(1024));
    await (await openMirror(log)).update();
    expect(log.asked.filter((path) => path.includes('tile/0/'))).toEqual([]);
  });

  test('keeps partial tiles of each mirror checkpoint until the full one is there', async () => {
    const log = await MemoryLog.create(numbered(100));
    const directory = await newMirror();
    const running = await openMirror(log, { directory });
    for (const size of [100, 130, 255]) {
      log.entries.push(...numbered(size).slice(log.entries.length));
      await running.update();
    }
    for (const size of [100, 130, 255]) await expectCopy(directory, log, size);
    log.entries.push(...numbered(300).slice(255));
    await running.update();
    await expectCopy(directory, log, 300);
    const folder = join(directory, 'public', originHash(log.origin), 'tile');
    expect(await readdir(join(folder, '0'))).toEqual(['000', '001.p']);
    expect((await readdir(join(folder, 'entries'))).sort()).toEqual(['000', '001.p']);
  });

  test('has the same files after any steps as after one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 1, maxLength: 6 }),
        fc.infiniteStream(fc.boolean()),
        async (steps, restarts) => {
          const log = await MemoryLog.create([]);
          const directory = await newMirror();
          let running = await openMirror(log, { directory });
          for (const step of steps) {
            log.entries.push(...numbered(log.entries.length + step).slice(log.entries.length));
            await running.update();
            await expectCopy(directory, log, log.entries.length);
            for (const size of [1, 255, 256, 257, 600].filter((at) => at <= log.entries.length)) {
              expect(Buffer.from(await running.mirror.rootAt(size))).toEqual(
                Buffer.from(log.root(size)),
              );
            }
            if (!restarts.next().value) continue;
            await running.close();
            running = await openMirror(log, { directory });
          }
          await running.close();
        },
      ),
      { numRuns: 8 },
    );
  });

  test('keeps the cosignatures that the log has gathered, and the log’s own', async () => {
    const witness = await newNoteSigner('witness.example/w1', 0x04);
    const stranger = await newNoteSigner('stranger.example', 0x04);
    const log = await MemoryLog.create(numbered(5));
    const note = await log.note(5, [log.signer, stranger, witness]);
    log.intercept = (path) => (path === 'checkpoint' ? answer(note) : undefined);
    const policy = parsePolicy(
      `log ${log.vkey}\nwitness w1 ${formatVkey(witness.key)}\nquorum w1\n`,
    );
    const directory = await newMirror();
    await (await openMirror(log, { directory, policy })).update();
    const { signatures } = parseNote(await served(directory, log, 'checkpoint'));
    expect(signatures.map(({ name }) => name)).toEqual([
      log.origin,
      'stranger.example',
      'witness.example/w1',
      'mirror.example/m1',
    ]);
  });

  test('makes room for its own in a note that is full of strangers’ lines', async () => {
    const log = await MemoryLog.create(numbered(5));
    const honest = parseNote(await log.note(5));
    const strangers = Array.from({ length: 63 }, (_, i) => ({
      name: `stranger.example/${i}`,
      keyId: i,
      signature: new Uint8Array(72),
    }));
    const full = { text: honest.text, signatures: [...strangers, ...honest.signatures] };
    log.intercept = (path) =>
      path === 'checkpoint' ? answer(Buffer.from(formatNote(full))) : undefined;
    const directory = await newMirror();
    const running = await openMirror(log, { directory });
    await running.update();
    const note = parseNote(await served(directory, log, 'checkpoint'));
    expect(note.signatures).toHaveLength(64);
    const keys = [log.vkey, ...running.vkeys].map(parseVkey);
    expect(await openNote(note, keys, nodeVerifier)).toHaveLength(2);
  });

  test('cosigns an idle log again every ten minutes, and what has more cosignatures at once', async () => {
    const log = await MemoryLog.create(numbered(5));
    let time = now;
    const directory = await newMirror();
    const running = await openMirror(log, { directory, now: () => time });
    expect(await running.update()).toBe(true);
    time += 599;
    expect(await running.update()).toBe(false);
    time += 1;
    expect(await running.update()).toBe(true);
    expect(running.mirror.signed?.time).toBe(now + 600);
    const witness = await newNoteSigner('witness.example/w1', 0x04);
    const note = parseNote(await log.note(5, [log.signer]));
    const { signatures } = parseNote(await log.note(5, [witness]));
    const more = formatNote(mergeSignatures(note, signatures));
    log.intercept = (path) => (path === 'checkpoint' ? answer(Buffer.from(more)) : undefined);
    expect(await running.update()).toBe(true);
  });

  test('takes a bundle of 256 entries of 65,535 bytes', async () => {
    const log = await MemoryLog.create(
      Array.from({ length: 257 }, (_, i) => new Uint8Array(MAX_ENTRY_BYTES).fill(i)),
    );
    const directory = await newMirror();
    await (await openMirror(log, { directory })).update();
    await expectCopy(directory, log, 257);
  });

  test('is of one log, with the policy’s quorum', async () => {
    const log = await MemoryLog.create(numbered(5));
    const other = await MemoryLog.create(numbered(5), 'other.example');
    const two = parsePolicy(`log ${log.vkey}\nlog ${other.vkey}\nquorum none\n`);
    await expect(openMirror(log, { policy: two })).rejects.toMatchObject({ code: 'bad-usage' });
    const witness = await newNoteSigner('witness.example/w1', 0x04);
    const quorum = parsePolicy(
      `log ${log.vkey}\nwitness w1 ${formatVkey(witness.key)}\nquorum w1\n`,
    );
    const running = await openMirror(log, { policy: quorum });
    await expect(running.update()).rejects.toMatchObject({ code: 'quorum-missing' });
    expect(running.mirror.signed).toBeUndefined();
  });
});

describe('a mirror is not fooled', () => {
  const lies: Record<string, (bytes: Uint8Array) => Uint8Array> = {
    'lies in one bit of': (bytes) => bytes.map((byte, i) => (i === 5 ? byte ^ 1 : byte)),
    cuts: (bytes) => bytes.subarray(0, -1),
    'sends nothing for': () => new Uint8Array(0),
  };
  for (const [how, lie] of Object.entries(lies)) {
    test.each(['tile/entries/000', 'tile/entries/001.p/44', 'tile/1/000.p/1', 'tile/0/001.p/44'])(
      `by a log that ${how} %s`,
      async (lied) => {
        const log = await MemoryLog.create(numbered(300));
        log.intercept = (path) => (path === lied ? answer(lie(log.tile(path)!)) : undefined);
        const directory = await newMirror();
        const running = await openMirror(log, { directory });
        await expect(running.update()).rejects.toMatchObject({
          code: expect.stringMatching(/^(inclusion-invalid|bad-encoding)$/) as string,
        });
        await expect(served(directory, log, 'checkpoint')).rejects.toThrow('ENOENT');
        log.intercept = () => undefined;
        expect(await running.update()).toBe(true);
        await expectCopy(directory, log, 300);
      },
    );
  }

  test('by a clock that went back: it says so once, and cosigns when that time has come again', async () => {
    const log = await MemoryLog.create(numbered(5));
    let time = now;
    const running = await openMirror(log, { now: () => time });
    await running.update();
    time -= 86_400;
    log.entries.push(...numbered(1, 'more'));
    await expect(running.update()).rejects.toMatchObject({ code: 'clock-went-back' });
    expect(running.mirror.signed).toMatchObject({ size: 5, time: now });
    time = now;
    expect(await running.update()).toBe(true);
    expect(running.mirror.signed).toMatchObject({ size: 6, time: now });
  });
});

describe('a log that forks', () => {
  async function mirrored(size: number): Promise<{
    log: MemoryLog;
    directory: string;
    running: RunningMirror;
  }> {
    const log = await MemoryLog.create(numbered(size));
    const directory = await newMirror();
    const running = await openMirror(log, { directory });
    await running.update();
    return { log, directory, running };
  }

  test.each([
    ['at the same size', 300, 300],
    ['above', 300, 400],
    ['below', 300, 280],
  ])('%s is refused for good, with evidence that convicts it', async (_, size, other) => {
    const { log, directory, running } = await mirrored(size);
    const before = await served(directory, log, 'checkpoint');
    const fork = log.fork(250, ...numbered(other - 250, 'forked'));
    log.intercept = (path, request) => fork.fetch(request).then((found) => found);
    await expect(running.update()).rejects.toMatchObject({ code: 'log-forked' });
    expect(await served(directory, log, 'checkpoint')).toEqual(before);
    const folder = join(directory, 'fork', originHash(log.origin));
    expect((await readdir(folder)).sort()).toEqual([
      'evidence.json',
      'offered.note',
      'trusted.note',
    ]);
    const evidence = await readFile(join(folder, 'evidence.json'));
    const conviction = await verifyEvidence(
      evidence,
      { logKeys: [parseVkey(log.vkey)] },
      nodeVerifier,
    );
    expect(conviction.sizes).toEqual([Math.min(size, other), Math.max(size, other)]);
    await running.close();
    log.intercept = () => undefined;
    await expect(openMirror(log, { directory })).rejects.toMatchObject({ code: 'log-forked' });
    await rm(folder, { recursive: true });
    expect((await openMirror(log, { directory })).mirror.signed?.size).toBe(size);
  });

  test('is not one that stands behind for a while, as after a restored backup', async () => {
    const { log, directory, running } = await mirrored(300);
    log.published = 200;
    await expect(running.update()).rejects.toMatchObject({ code: 'log-behind' });
    expect(await readdir(directory)).not.toContain('fork');
    log.published = undefined;
    log.entries.push(...numbered(1, 'more'));
    expect(await running.update()).toBe(true);
  });
});

describe('following', () => {
  test('goes on through an hour of silence, and says so once', async () => {
    const log = await MemoryLog.create(numbered(5));
    const reports: string[] = [];
    const running = await openMirror(log, { report: (message) => reports.push(message) });
    let away = 0;
    log.intercept = () => (away++ < 3 ? problem(503, 'overloaded') : undefined);
    const stopping = new AbortController();
    const following = running.follow({ pollMs: 10, signal: stopping.signal });
    await expect.poll(() => running.mirror.signed?.size, { timeout: 20_000 }).toBe(5);
    log.entries.push(...numbered(1, 'more'));
    await expect.poll(() => running.mirror.signed?.size, { timeout: 20_000 }).toBe(6);
    stopping.abort();
    await following;
    expect(reports).toEqual(['the mirror cannot go on yet', 'the mirror follows the log again']);
  }, 30_000);

  test('ends with a fork', async () => {
    const log = await MemoryLog.create(numbered(5));
    const running = await openMirror(log);
    await running.update();
    const fork = log.fork(3, ...numbered(5, 'forked'));
    log.intercept = (path, request) => fork.fetch(request).then((found) => found);
    const signal = new AbortController().signal;
    await expect(running.follow({ pollMs: 10, signal })).rejects.toMatchObject({
      code: 'log-forked',
    });
  });
});

describe('a data directory', () => {
  test('is made in an empty one only', async () => {
    const directory = await newMirror();
    await expect(initCosigner(directory, { name: 'again' })).rejects.toMatchObject({
      code: 'wrong-directory',
    });
  });

  test('whose state is gone signs nothing', async () => {
    const log = await MemoryLog.create(numbered(5));
    const directory = await newMirror();
    const running = await openMirror(log, { directory });
    await running.update();
    await running.close();
    await rm(join(directory, 'state'), { recursive: true });
    await expect(openMirror(log, { directory })).rejects.toMatchObject({ code: 'state-missing' });
  });

  test('whose tiles were changed signs nothing', async () => {
    const log = await MemoryLog.create(numbered(600));
    const directory = await newMirror();
    const running = await openMirror(log, { directory });
    await running.update();
    await running.close();
    const path = join(directory, 'public', originHash(log.origin), 'tile/0/001');
    const bytes = await readFile(path);
    bytes[77]! ^= 4;
    await writeFile(path, bytes);
    await expect(openMirror(log, { directory })).rejects.toMatchObject({ code: 'store-corrupt' });
    await rm(path);
    await expect(openMirror(log, { directory })).rejects.toMatchObject({ code: 'store-corrupt' });
  });

  test('is open in one place', async () => {
    const log = await MemoryLog.create(numbered(5));
    const directory = await newMirror();
    await openMirror(log, { directory });
    await expect(openMirror(log, { directory })).rejects.toMatchObject({ code: 'store-locked' });
  });
});
