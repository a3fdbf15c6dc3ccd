/**
 * A log made with the tessera library gets its cosignatures from our witnesses by tessera's own client:
 * Ed25519 ones, and ML-DSA-44 ones that tessera verifies too.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { decodeUtf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { checkCheckpoint, parsePolicy, type CheckedCheckpoint } from '../../src/verify/policy.ts';
import { BUILD_MS, buildGo, hasGo, run } from './go.ts';
import { startDaybookWitness, type Peer, type PeerSettings } from './peers.ts';
import { TesseraLog } from './tessera-log.ts';

const origin = 'example.com/tessera-log';
const witnessNames = ['ed', 'pq'] as const;
type Threshold = 'all' | 'any' | 'none';

describe.skipIf(!hasGo())('our witnesses and a log of tessera', () => {
  const directory = mkdtempSync(join(tmpdir(), 'daybook-tessera-'));
  const key = join(directory, 'log.key');
  const data = join(directory, 'log');
  let program: string;
  let logVkey: string;
  const witnesses: Partial<Record<(typeof witnessNames)[number], Peer>> = {};
  let open: TesseraLog[] = [];

  const settings = (name: (typeof witnessNames)[number]): PeerSettings & { mlDsa: boolean } => ({
    directory: join(directory, name),
    name: `witness.example/${name}`,
    logVkeys: [logVkey],
    mlDsa: name === 'pq',
  });
  const port = (name: (typeof witnessNames)[number]): number =>
    Number(new URL(witnesses[name]!.url).port);

  beforeAll(async () => {
    program = await buildGo('./tessera-log', directory);
    logVkey = (await run(program, ['-key', key, '-origin', origin])).trim();
    for (const name of witnessNames) witnesses[name] = await startDaybookWitness(settings(name));
  }, BUILD_MS);

  afterEach(async () => {
    for (const log of open) await log.kill();
    open = [];
  });

  afterAll(async () => {
    for (const peer of Object.values(witnesses)) await peer.stop();
    rmSync(directory, { recursive: true });
  });

  /** The witness pq stands in it with its ML-DSA-44 key. */
  function policyOf(threshold: Threshold): string {
    const lines = witnessNames.map((name) => {
      const { vkeys, url } = witnesses[name]!;
      return `witness ${name} ${vkeys.at(-1)} ${url}\n`;
    });
    const quorum =
      threshold === 'none'
        ? 'quorum none\n'
        : `group g ${threshold} ${witnessNames.join(' ')}\nquorum g\n`;
    return `log ${logVkey}\n${lines.join('')}${quorum}`;
  }

  function openLog(threshold: Threshold, at = data, keyFile = key, ...args: string[]): TesseraLog {
    const policy = join(directory, `${threshold}.policy`);
    writeFileSync(policy, policyOf(threshold));
    const log = new TesseraLog(program, at, keyFile, policy, ...args);
    open.push(log);
    return log;
  }

  function check(note: Uint8Array, threshold: Threshold = 'all'): Promise<CheckedCheckpoint> {
    return checkCheckpoint(note, parsePolicy(policyOf(threshold)), nodeVerifier);
  }

  async function monitored(name: (typeof witnessNames)[number]): Promise<Uint8Array> {
    const answer = await fetch(`${witnesses[name]!.url}/${originHash(origin)}/checkpoint`);
    expect(answer.status).toBe(200);
    return new Uint8Array(await answer.arrayBuffer());
  }

  test('each entry is published with both cosignatures', async () => {
    const log = openLog('all');
    for (let i = 0; i < 12; i++) {
      expect(await log.add(`entry ${i}`)).toBe(String(i));
      const { checkpoint, cosignatures } = await check(log.checkpoint);
      expect(checkpoint).toMatchObject({ origin, size: i + 1 });
      expect(cosignatures.map(({ name }) => name)).toEqual(witnessNames);
    }
    await log.close();
  });

  test('what tessera published is what the monitoring prefixes show', async () => {
    const published = parseNote(readFileSync(join(data, 'checkpoint')));
    for (const name of witnessNames) {
      const { text, signatures } = parseNote(await monitored(name));
      expect(text).toBe(published.text);
      // The log's, and one by each key of the witness; tessera took the one that its policy names.
      expect(signatures).toHaveLength(1 + witnesses[name]!.vkeys.length);
      const own = published.signatures.filter((line) => line.name === `witness.example/${name}`);
      expect(signatures).toEqual(expect.arrayContaining(own));
    }
  });

  test('a log that is idle has the same checkpoint cosigned again, later', async () => {
    const log = openLog('all', data, key, '-republish', '1s');
    expect(await log.add('entry 12')).toBe('12');
    const before = await check(log.checkpoint);
    await expect
      .poll(
        async () =>
          (await check(log.checkpoint)).cosignatures.every(
            ({ timestamp }, i) => timestamp > before.cosignatures[i]!.timestamp,
          ),
        { timeout: 15_000 },
      )
      .toBe(true);
    expect((await check(log.checkpoint)).checkpoint).toEqual(before.checkpoint);
    await log.close();
  });

  test('a witness that was killed goes on where it was, and is caught up from a 409', async () => {
    const at = port('ed');
    await witnesses.ed!.stop('SIGKILL');
    const both = openLog('all');
    expect(await both.add('entry 13')).toMatch(/^failed: /);
    await both.kill();
    const one = openLog('any');
    for (let i = 14; i < 20; i++) expect(await one.add(`entry ${i}`)).toBe(String(i));
    expect((await check(one.checkpoint, 'any')).cosignatures.map(({ name }) => name)).toEqual([
      'pq',
    ]);
    await one.close();

    witnesses.ed = await startDaybookWitness({ ...settings('ed'), port: at });
    const again = openLog('all');
    expect(await again.add('entry 20')).toBe('20');
    expect(again.errors).toContain('replied with x.tlog.size 13');
    expect((await check(again.checkpoint)).checkpoint.size).toBe(21);
    await again.close();
  });

  test('a second history by the same key is refused, whether it is shorter or longer', async () => {
    const before = await monitored('ed');
    const shorter = openLog('any', join(directory, 'shorter'));
    expect(await shorter.add('forked 0')).toMatch(/^failed: /);
    expect(shorter.errors).toContain('replied with x.tlog.size 21, larger than log size 0');

    const at = join(directory, 'longer');
    const alone = openLog('none', at);
    const added = await Promise.all(Array.from({ length: 24 }, (_, i) => alone.add(`forked ${i}`)));
    expect(added).toHaveLength(24);
    await alone.close();
    const longer = openLog('any', at);
    expect(await longer.add('forked 24')).toMatch(/^failed: /);
    expect(longer.errors).toContain('consistency proof is bad: 422');
    expect(decodeUtf8(await monitored('ed'))).toBe(decodeUtf8(before));
  });

  test.each([
    [
      'the same name and another key',
      origin,
      'no signatures verify against trusted public key: 403',
    ],
    ['an unknown name', 'example.com/unknown', 'checkpoint origin is unknown: 404'],
  ])('a log with %s is refused', async (what, name, reason) => {
    const keyFile = join(directory, `${what}.key`);
    await run(program, ['-key', keyFile, '-origin', name]);
    const log = openLog('any', join(directory, what), keyFile);
    expect(await log.add('an entry')).toMatch(/^failed: /);
    expect(log.errors).toContain(reason);
  });
});
