/**
 * Our log is cosigned by witnesses that others wrote: litewitness (Ed25519) and omniwitness (Ed25519 and
 * ML-DSA-44), as processes. What it publishes satisfies its policy as we read it and as Go does.
 */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { generateKey } from '../../src/keys/node-signer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { checkCheckpoint, parsePolicy, type CheckedCheckpoint } from '../../src/verify/policy.ts';
import { daybook } from '../cli/daybook.ts';
import { startLog, type RunningLog } from '../cli/running-log.ts';
import { BUILD_MS, buildGo, hasGo, run } from './go.ts';
import {
  buildWitnesses,
  startLitewitness,
  startOmniwitness,
  type Peer,
  type PeerSettings,
  type Programs,
} from './peers.ts';

const base64 = (text: string): string => encodeBase64(utf8(text));

/** To publish again after a witness was away: the log's longest pause, and some. */
const RECOVERY = { timeout: 40_000, interval: 100 };

describe.skipIf(!hasGo())('our log and witnesses that others wrote', () => {
  const directory = mkdtempSync(join(tmpdir(), 'daybook-witnesses-'));
  const data = join(directory, 'data');
  const policyFile = join(directory, 'policy');
  let programs: Programs;
  let policies: string;
  let logVkeys: readonly string[];
  let lite: Peer;
  let omni: Peer;
  let log: RunningLog | undefined;

  const settings = (name: string): PeerSettings => ({
    directory: join(directory, name),
    name: `witness.example/${name}`,
    // They can verify Ed25519 signatures of logs only.
    logVkeys: logVkeys.slice(0, 1),
  });

  beforeAll(async () => {
    programs = await buildWitnesses(directory);
    policies = await buildGo('./policies', directory);
    mkdirSync(data);
    writeFileSync(join(data, 'log-mldsa.key'), await generateKey('ml-dsa-44'), { mode: 0o600 });
    // The log has its first checkpoint before any witness knows of it.
    const alone = await startLog(data, ['--admission', 'open', '--interval-ms', '50']);
    await alone.stop();
    logVkeys = readFileSync(join(data, 'log.vkey'), 'utf8').trim().split(/\s+/);
    expect(logVkeys).toHaveLength(2);
    lite = await startLitewitness(programs, settings('lite'));
    omni = await startOmniwitness(programs, settings('omni'));
  }, BUILD_MS);

  afterAll(async () => {
    await log?.stop();
    await Promise.all([lite, omni].map((peer) => peer.stop()));
    rmSync(directory, { recursive: true });
  });

  /** Everybody, and with the ML-DSA-44 key too. */
  const everybody =
    'group omni-both all omni omni-pq\ngroup each all lite omni-both\nquorum each\n';
  const anybody = 'group one any lite omni omni-pq\nquorum one\n';
  const lines = (quorum: string): string[] => [
    ...logVkeys.map((vkey) => `log ${vkey}\n`),
    `witness lite ${lite.vkeys[0]} ${lite.url}\n`,
    `witness omni ${omni.vkeys[0]} ${omni.url}\n`,
    `witness omni-pq ${omni.vkeys[1]} ${omni.url}\n`,
    quorum,
  ];
  const policy = (quorum: string): string => lines(quorum).join('');

  /** Runs the log on what it has, with this quorum. */
  async function restart(quorum: string, ...options: string[]): Promise<RunningLog> {
    await log?.stop();
    log = undefined;
    writeFileSync(policyFile, policy(quorum));
    log = await startLog(data, ['--interval-ms', '50', '--witnesses', policyFile, ...options]);
    return log;
  }

  async function bytesAt(path: string): Promise<Uint8Array> {
    const answer = await fetch(new URL(path, log!.url));
    expect(answer.status, path).toBe(200);
    return new Uint8Array(await answer.arrayBuffer());
  }

  async function published(quorum: string, path = 'checkpoint'): Promise<CheckedCheckpoint> {
    return checkCheckpoint(await bytesAt(path), parsePolicy(policy(quorum)), nodeVerifier);
  }

  async function add(entry: string): Promise<number> {
    const answer = await fetch(new URL('add', log!.url), { method: 'POST', body: entry });
    expect(answer.status).toBe(200);
    return Number(await answer.text());
  }

  async function command(...args: string[]): Promise<void> {
    expect(await daybook(directory, ...args)).toMatchObject({ exit: 0 });
  }

  const readiness = async (): Promise<unknown> => (await fetch(new URL('readyz', log!.url))).json();

  const size = async (): Promise<number> => (await published(anybody)).checkpoint.size;

  test('everything is published with the cosignatures of both', async () => {
    await restart(everybody);
    await expect.poll(readiness, RECOVERY).toMatchObject({ ready: true });
    for (let i = 1; i <= 20; i++) {
      expect(await add(`entry ${i}`)).toBe(i);
      // An index is given when it is durable, and published soon after.
      await expect.poll(size, RECOVERY).toBe(i + 1);
      const { cosignatures } = await published(everybody);
      expect(cosignatures.map(({ name }) => name)).toEqual(['lite', 'omni', 'omni-pq']);
    }
  });

  test('Go finds the quorum in the checkpoint, and the entries in the proof files', async () => {
    const proofs = await Promise.all([0, 7, 20].map((index) => bytesAt(`proofs/entry/${index}`)));
    const note = decodeUtf8(await bytesAt('checkpoint'));
    const checkpoints = [note, note.replace(/^— witness\.example\/lite .*\n/m, '')].map(base64);
    // torchwood does not know ML-DSA-44.
    const classicLines = lines('group both all lite omni\nquorum both\n').filter(
      (line) => !line.includes(logVkeys[1]!) && !line.startsWith('witness omni-pq'),
    );
    const input = JSON.stringify([
      { policy: base64(classicLines.join('')), checkpoints, proofs: proofs.map(encodeBase64) },
      { policy: base64(policy(everybody)), checkpoints },
    ]);
    const [classic, all] = JSON.parse(await run(policies, [], input)) as [unknown, unknown];
    expect(classic).toEqual({
      torchwood: { satisfied: [true, false], proven: [true, true, true] },
      tessera: { satisfied: [true, false] },
    });
    expect(all).toMatchObject({ tessera: { satisfied: [true, false] } });
  });

  test('an idle log has both cosign the same checkpoint again', async () => {
    await restart(everybody, '--heartbeat-ms', '1000');
    await expect.poll(readiness, RECOVERY).toMatchObject({ ready: true });
    const before = await published(everybody);
    const times = async (): Promise<boolean> =>
      (await published(everybody)).cosignatures.every(
        ({ timestamp }, i) => timestamp > before.cosignatures[i]!.timestamp,
      );
    await expect.poll(times, RECOVERY).toBe(true);
    expect((await published(everybody)).checkpoint).toEqual(before.checkpoint);
  });

  test('without its quorum it publishes nothing, goes on taking entries, and recovers by itself', async () => {
    await restart(everybody);
    await expect.poll(readiness, RECOVERY).toMatchObject({ ready: true });
    const before = await size();
    const port = Number(new URL(lite.url).port);
    await lite.stop('SIGKILL');
    const adding = [1, 2, 3].map((i) => add(`without a quorum ${i}`));
    await expect
      .poll(readiness, RECOVERY)
      .toMatchObject({ ready: false, publishing: false, silent: ['lite'], size: before + 3 });
    expect(await size()).toBe(before);
    lite = await startLitewitness(programs, { ...settings('lite'), port });
    await Promise.all(adding);
    await expect.poll(readiness, RECOVERY).toMatchObject({ ready: true, published: before + 3 });
    await published(everybody);
  });

  test('a witness that was away while the log grew is caught up, and stands in the larger set', async () => {
    await restart(anybody);
    await expect.poll(readiness, RECOVERY).toMatchObject({ ready: true });
    const port = Number(new URL(omni.url).port);
    await omni.stop('SIGKILL');
    for (let i = 0; i < 5; i++) await add(`while one is away ${i}`);
    const cosigners = async (path?: string): Promise<string[]> =>
      (await published(anybody, path)).cosignatures.map(({ name }) => name);
    await expect.poll(() => cosigners(), RECOVERY).toEqual(['lite']);
    omni = await startOmniwitness(programs, { ...settings('omni'), port });
    await expect
      .poll(async () => {
        await add(`back again ${Math.random()}`);
        return cosigners('cosigned-checkpoint');
      }, RECOVERY)
      .toEqual(['lite', 'omni', 'omni-pq']);
  });

  test('restored from an old backup it signs nothing, until a mirror has brought the rest', async () => {
    await log!.stop();
    log = undefined;
    const backup = join(directory, 'backup');
    cpSync(data, backup, { recursive: true });
    await restart(anybody);
    await expect.poll(readiness, RECOVERY).toMatchObject({ ready: true });
    const before = await size();
    await add('after the backup');
    await expect.poll(size, RECOVERY).toBe(before + 1);
    const mirror = join(directory, 'mirror');
    await command('mirror', 'init', '--data', mirror, '--name', 'mirror.example/m');
    await command(
      ...['mirror', '--log', log!.url.href, '--policy', policyFile, '--data', mirror, '--once'],
    );
    await log!.stop();
    log = undefined;

    rmSync(data, { recursive: true });
    cpSync(backup, data, { recursive: true });
    await restart(anybody);
    // Neither witness shows what it cosigned: they only say that it is larger.
    const held = { ready: false, accepting: false, published: before };
    await expect.poll(readiness, RECOVERY).toMatchObject(held);
    const refused = await fetch(new URL('add', log!.url), { method: 'POST', body: 'a fork' });
    expect(refused.status).toBe(503);
    expect(await readiness()).toMatchObject(held);

    await log!.stop();
    log = undefined;
    const [origin] = logVkeys[0]!.split('+');
    const from = join(mirror, 'public', originHash(origin!));
    await command('restore', '--data', data, '--from', from, '--witnesses', policyFile);
    await restart(everybody);
    await expect.poll(readiness, RECOVERY).toMatchObject({ ready: true, published: before + 1 });
  });
});
