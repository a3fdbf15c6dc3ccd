/** A log that was restored from an old backup, or started twice, signs no fork. */
import { cp, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { dataFiles } from '../../src/log/data-directory.ts';
import { Log } from '../../src/log/log.ts';
import { HeadFile } from '../../src/store/head-file.ts';
import { cut, type Interference, type Link } from './link.ts';
import { entries, scratchDirectory } from './scratch.ts';
import {
  accepting,
  cosigners,
  openWitnessed,
  startHouse,
  until,
  type House,
  type LinkedWitness,
  type WitnessedLog,
} from './witnessed.ts';

const twoOfThree = ['group q 2 A B C', 'quorum q'];

function link({ witnesses }: House, name: string): Link {
  return (witnesses.find((witness) => witness.name === name) as LinkedWitness).link;
}

/** A closed log of 11 entries that all three witnesses have cosigned, and a copy from when it had 11. */
async function backedUp(house: House): Promise<{ directory: string; backup: string }> {
  const { log, directory } = await openWitnessed(house, { policy: house.policy(...twoOfThree) });
  await accepting(log);
  await log.submitMany(entries(10));
  await until(() => log.cosigned.size === 11);
  await log.close();
  const backup = await scratchDirectory();
  await cp(directory, backup, { recursive: true });
  return { directory, backup };
}

/** Lets the log in the directory grow, with a quorum of witnesses that are not disturbed. */
async function grow(house: House, directory: string, label: string): Promise<void> {
  const { log } = await openWitnessed(house, { policy: house.policy(...twoOfThree), directory });
  await accepting(log);
  await log.submitMany(entries(10, label));
  await until(() => log.published.size === 21);
  await delay(100);
  await log.close();
}

async function open(
  house: House,
  directory: string,
  overridden: string[] = [],
  quorum = twoOfThree,
): Promise<WitnessedLog> {
  const policy = house.policy(...quorum);
  return openWitnessed(house, { policy, directory, witnesses: { policy, overridden } });
}

/** The size that is signed in the directory of a closed log. */
async function signedSize(directory: string): Promise<number | undefined> {
  return (await HeadFile.peek(dataFiles(directory).head))?.size;
}

/** Time enough for a log to sign, if it were to. */
async function signsNothing({ log, directory }: WitnessedLog): Promise<void> {
  await delay(400);
  await expect(log.submit(Buffer.from('new'))).rejects.toMatchObject({ status: 503 });
  expect(log.status()).toMatchObject({ accepting: false, publishing: false });
  await log.close();
  expect(await signedSize(directory)).toBe(11);
}

const conflict =
  (size: number): Interference =>
  (path) =>
    path === '/add-checkpoint'
      ? { status: 409, body: `${size}\n`, headers: { 'content-type': 'text/x.tlog.size' } }
      : undefined;

describe('an old backup', () => {
  test('signs nothing and says how to recover; what it has can be read', async () => {
    const house = await startHouse(3);
    const { directory, backup } = await backedUp(house);
    await grow(house, directory, 'later');
    const restored = await open(house, backup);
    await until(() => restored.reports.some((report) => /for good/.test(report)));
    const { reason } = restored.log.status();
    expect(reason).toMatchObject({ code: 'log-behind' });
    expect(reason?.message).toMatch(/size 21 .*only 11 entries .*daybook restore/s);
    await expect(restored.log.submit(Buffer.from('x'))).rejects.toMatchObject({
      code: 'log-behind',
    });
    expect(restored.log.published.size).toBe(11);
    expect(Buffer.from(await restored.log.entry(3 as never)).toString()).toBe('entry 2');
    await signsNothing(restored);
  });

  test('is found by the one witness of a quorum that answers', async () => {
    const house = await startHouse(3);
    const { directory, backup } = await backedUp(house);
    link(house, 'C').interfere = cut;
    await grow(house, directory, 'later');
    link(house, 'A').interfere = cut;
    const restored = await open(house, backup);
    await until(() => restored.log.status().reason?.code === 'log-behind');
    await signsNothing(restored);
  });

  test('waits while a quorum is silent, since that may have cosigned more', async () => {
    const house = await startHouse(3);
    const { directory, backup } = await backedUp(house);
    link(house, 'A').interfere = cut;
    await grow(house, directory, 'later');
    link(house, 'A').interfere = undefined;
    link(house, 'B').interfere = cut;
    link(house, 'C').interfere = cut;
    // A alone has not seen what B and C cosigned.
    const restored = await open(house, backup);
    await until(() => /silent: B, C/.test(restored.log.status().reason?.message ?? ''));
    await delay(600);
    expect(restored.log.status()).toMatchObject({ accepting: false });
    link(house, 'C').interfere = undefined;
    await until(() => restored.log.status().reason?.code === 'log-behind');
    await signsNothing(restored);
  });

  test('that is the newest goes on, whatever lags behind', async () => {
    const house = await startHouse(3);
    link(house, 'C').interfere = cut;
    const { log, directory } = await openWitnessed(house, { policy: house.policy(...twoOfThree) });
    await accepting(log);
    await log.submitMany(entries(10));
    await until(() => log.published.size === 11);
    await log.close();
    link(house, 'C').interfere = undefined;
    link(house, 'A').interfere = cut;
    const again = await open(house, directory);
    await accepting(again.log);
    const { index } = await again.log.submit(Buffer.from('new'));
    expect(index).toBe(11);
    expect(await cosigners(house, await again.log.included(index))).toBe('BC');
  });

  test('of which only the head file is old goes on: its tree has what was signed', async () => {
    const house = await startHouse(3);
    const { directory, backup } = await backedUp(house);
    await grow(house, directory, 'later');
    await rm(dataFiles(directory).head);
    await cp(dataFiles(backup).head, dataFiles(directory).head);
    const again = await open(house, directory);
    await accepting(again.log);
    expect(again.log.status().size).toBe(21);
    await again.log.included((await again.log.submit(Buffer.from('new'))).index);
  });
});

describe('a log that was started twice', () => {
  test('stops at start when the other one has published more', async () => {
    const house = await startHouse(3);
    const { directory, backup } = await backedUp(house);
    const first = await open(house, directory);
    await accepting(first.log);
    await first.log.included((await first.log.submit(Buffer.from('first'))).index);
    const second = await open(house, backup);
    await until(() => second.log.status().reason?.code === 'log-behind');
    await first.log.included((await first.log.submit(Buffer.from('goes on'))).index);
    await signsNothing(second);
  });

  test('stops at its next checkpoint when both were let in: no two trees find a quorum', async () => {
    const house = await startHouse(3);
    const { directory, backup } = await backedUp(house);
    const first = await open(house, directory);
    const second = await open(house, backup);
    await accepting(first.log);
    await accepting(second.log);
    await first.log.included((await first.log.submit(Buffer.from('first'))).index);
    await second.log.submit(Buffer.from('second'));
    await until(() => second.log.status().reason?.code === 'log-forked');
    expect(second.log.published.size).toBe(11);
    await expect(second.log.submit(Buffer.from('more'))).rejects.toMatchObject({
      code: 'log-stopping',
    });
    await first.log.included((await first.log.submit(Buffer.from('goes on'))).index);
  });

  test('is stopped by the log key on an empty directory too', async () => {
    const house = await startHouse(3);
    const { directory } = await backedUp(house);
    const files = dataFiles(directory);
    for (const lost of [files.database, files.head, files.vkey])
      await rm(lost, { recursive: true });
    const renewed = await open(house, directory);
    await until(() => renewed.log.status().reason?.code === 'log-behind');
    await renewed.log.close();
    expect(await signedSize(directory)).toBeUndefined();
  });
});

describe('a witness that says something else than the others', () => {
  test('that it cosigned another tree stops the log', async () => {
    const house = await startHouse(3);
    const { directory } = await backedUp(house);
    link(house, 'B').interfere = (path) =>
      path === '/add-checkpoint' ? { status: 422, body: '' } : undefined;
    const stopped = await open(house, directory);
    await until(() => stopped.log.status().reason?.code === 'log-forked');
    expect(stopped.log.status().reason?.message).toMatch(/witness B has cosigned another tree/);
    await signsNothing(stopped);
  });

  test('a larger number that it does not show holds the log until it takes it back', async () => {
    const house = await startHouse(3);
    const { directory } = await backedUp(house);
    link(house, 'B').interfere = conflict(1000);
    const held = await open(house, directory);
    await until(() => /B says that it cosigned size 1000/.test(held.reports.join()));
    await delay(500);
    // Silence takes nothing back.
    link(house, 'B').interfere = cut;
    await delay(1500);
    expect(held.log.status()).toMatchObject({ accepting: false });
    expect(await signedSize(directory)).toBe(11);
    link(house, 'B').interfere = undefined;
    await accepting(held.log);
    await held.log.included((await held.log.submit(Buffer.from('new'))).index);
    expect(held.reports.filter((report) => /asks its witnesses/.test(report))).toHaveLength(1);
  });

  test('the operator overrides a number by the name of its witness, and no other one', async () => {
    const house = await startHouse(3);
    const { directory } = await backedUp(house);
    link(house, 'B').interfere = conflict(1000);
    await signsNothing(await open(house, directory, ['A']));
    const overridden = await open(house, directory, ['B']);
    await accepting(overridden.log);
    await overridden.log.included((await overridden.log.submit(Buffer.from('new'))).index);
  });

  test('an override does not pass over the own signature', async () => {
    const house = await startHouse(3);
    const { directory, backup } = await backedUp(house);
    await grow(house, directory, 'later');
    const restored = await open(house, backup, ['A', 'B', 'C']);
    await until(() => restored.log.status().reason?.code === 'log-behind');
    await signsNothing(restored);
  });

  test('a number with a checkpoint that another key signed is a bare number', async () => {
    const house = await startHouse(3);
    const { directory } = await backedUp(house);
    const other = await openWitnessed(house, {
      policy: house.policy('quorum none'),
      unknown: true,
    });
    await accepting(other.log);
    await other.log.submitMany(entries(99));
    await until(() => other.log.published.size === 100);
    const { note } = other.log.published;
    link(house, 'B').interfere = (path) =>
      path === '/add-checkpoint' ? { status: 409, body: '100\n' } : { status: 200, body: note };
    const held = await open(house, directory);
    await until(() => /B says that it cosigned size 100/.test(held.reports.join()));
    await signsNothing(held);
  });

  test('while the log runs, a lie stops nothing', async () => {
    const house = await startHouse(3);
    const { log } = await openWitnessed(house, { policy: house.policy(...twoOfThree) });
    await accepting(log);
    await until(() => log.cosigned.size === 1);
    const lies: Interference[] = [
      conflict(5000),
      conflict(9_007_199_254_740_991),
      () => ({ status: 422, body: '' }),
      () => ({ status: 409, body: 'many\n' }),
      () => ({ status: 200, body: 'yes\n' }),
      () => ({ status: 200, body: '— x AAAAAAAA\n' }),
      () => ({ status: 200, body: `— x ${encodeBase64(new Uint8Array(80_000))}\n` }),
      () => ({ status: 500, body: '', headers: { 'retry-after': 'soon' } }),
    ];
    for (const [i, lie] of lies.entries()) {
      link(house, 'A').interfere = lie;
      const published = await log.included((await log.submit(Buffer.from(`e${i}`))).index);
      expect(await cosigners(house, published)).toBe('BC');
      await delay(60);
    }
    expect(log.status()).toMatchObject({ accepting: true, publishing: true, silent: ['A'] });
  });
});

test('quorum none asks the witnesses too, and waits for none', async () => {
  const house = await startHouse(2);
  const { directory, backup } = await (async () => {
    const made = await openWitnessed(house, { policy: house.policy('quorum none') });
    await accepting(made.log);
    await made.log.submitMany(entries(10));
    await until(() => made.log.cosigned.size === 11);
    await made.log.close();
    const copy = await scratchDirectory();
    await cp(made.directory, copy, { recursive: true });
    return { directory: made.directory, backup: copy };
  })();
  link(house, 'A').interfere = cut;
  link(house, 'B').interfere = cut;
  const alone = await open(house, directory, [], ['quorum none']);
  await accepting(alone.log);
  link(house, 'A').interfere = undefined;
  const { index } = await alone.log.submit(Buffer.from('new'));
  await alone.log.included(index);
  while ((await cosigners(house, alone.log.published)) !== 'A') {
    await delay(100);
    await alone.log.submit(Buffer.from(String(performance.now())));
  }
  await alone.log.close();
  const restored = await open(house, backup, [], ['quorum none']);
  await until(() => restored.log.status().reason?.code === 'log-behind');
});

test('a log that had no witnesses before takes them in', async () => {
  const house = await startHouse(2);
  const directory = await scratchDirectory();
  const before = await Log.open({ directory, admission: 'open', origin: 'log.example/a' });
  await before.submitMany(entries(300));
  await before.close();
  const policy = house.policy('group q all A B', 'quorum q');
  const { log } = await openWitnessed(house, { policy, directory });
  expect(log.published.size).toBe(301);
  await accepting(log);
  while ((await cosigners(house, log.published)) !== 'AB') await delay(20);
});
