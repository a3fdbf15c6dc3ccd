import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { dataFiles } from '../../src/log/data-directory.ts';
import { Log } from '../../src/log/log.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { HeadFile } from '../../src/store/head-file.ts';
import { checkCheckpoint } from '../../src/verify/policy.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { cut, slow, type Link } from './link.ts';
import { entries, opened } from './scratch.ts';
import {
  accepting,
  cosigners,
  openWitnessed,
  startHouse,
  until,
  type House,
  type LinkedWitness,
} from './witnessed.ts';

const twoOfThree = ['group q 2 A B C', 'quorum q'];

function link(house: House, index: number): Link {
  return (house.witnesses[index] as LinkedWitness).link;
}

describe('a log with witnesses', () => {
  test('publishes what a quorum has cosigned, and proofs that the policy accepts', async () => {
    const house = await startHouse(3);
    const policy = house.policy(...twoOfThree);
    const { log } = await openWitnessed(house, { policy });
    await accepting(log);
    for (let i = 0; i < 5; i++) {
      const published = await log.included((await log.submit(Buffer.from(`build ${i}`))).index);
      const logs = log.vkeys.map((vkey) => ({ key: parseVkey(vkey) }));
      const { cosignatures } = await checkCheckpoint(
        published.note,
        { ...policy, logs },
        nodeVerifier,
      );
      expect(cosignatures.length).toBeGreaterThanOrEqual(2);
    }
    expect(log.status()).toMatchObject({ publishing: true, accepting: true, silent: [] });
  });

  test('shows nothing before its first quorum', async () => {
    const house = await startHouse(1);
    const { log } = await openWitnessed(house, { policy: house.policy('quorum A'), unknown: true });
    await accepting(log);
    await until(() => !log.status().publishing);
    expect(log.published).toMatchObject({ size: 0, note: new Uint8Array(0) });
    await expect(log.entry(0 as never)).rejects.toMatchObject({ code: 'not-found' });
    house.known.logs.set(log.origin, log.vkeys.map(parseVkey));
    await until(() => log.published.size === 1);
    expect(await cosigners(house, log.published)).toBe('A');
  });

  test('adds the cosignatures that come after the quorum, to what it keeps too', async () => {
    const house = await startHouse(3);
    const policy = house.policy('group q any A B C', 'quorum q');
    link(house, 1).interfere = slow(100);
    link(house, 2).interfere = slow(200);
    const { log, directory } = await openWitnessed(house, { policy });
    await accepting(log);
    await log.included((await log.submit(Buffer.from('x'))).index);
    expect(await cosigners(house, log.published)).not.toBe('ABC');
    for (const shown of ['published', 'cosigned'] as const) {
      while ((await cosigners(house, log[shown])) !== 'ABC') await delay(10);
    }
    await log.close();
    const again = await Log.open({ directory });
    expect(await cosigners(house, again.published)).toBe('ABC');
    await again.close();
  });

  test('shows monitors the newest checkpoint that all witnesses were asked for', async () => {
    const house = await startHouse(3);
    const { log } = await openWitnessed(house, { policy: house.policy(...twoOfThree) });
    await accepting(log);
    while ((await cosigners(house, log.cosigned)) !== 'ABC') await delay(10);
    link(house, 2).interfere = slow(400);
    let behind = 0;
    for (let i = 0; i < 30; i++) {
      await log.included((await log.submit(Buffer.from(`e${i}`))).index);
      expect(log.cosigned.size).toBeLessThanOrEqual(log.published.size);
      expect(await cosigners(house, log.cosigned)).toBe('ABC');
      if (log.cosigned.size < log.published.size) behind += 1;
    }
    expect(behind).toBeGreaterThan(10);
    await until(() => log.cosigned.size === log.published.size);
  });

  test('a witness that is slow, drips or is away delays nobody', async () => {
    const house = await startHouse(3);
    const { log, reports } = await openWitnessed(house, {
      policy: house.policy(...twoOfThree),
      witnesses: { policy: house.policy(...twoOfThree), timeoutMs: 5000 },
    });
    await accepting(log);
    await until(() => log.published.size === 1);
    for (const interfere of [slow(2000), () => 'drip' as const, cut]) {
      link(house, 0).interfere = interfere;
      for (let i = 0; i < 3; i++) {
        const started = performance.now();
        const label = `${interfere.name} ${String(interfere)} ${i}`;
        await log.included((await log.submit(Buffer.from(label))).index);
        expect(performance.now() - started).toBeLessThan(1500);
      }
    }
    expect(await cosigners(house, log.published)).toBe('BC');
    await until(() => reports.length > 0);
    expect(reports[0]).toMatch(/witness A does not cosign/);
  });

  test('catches up a witness that lags, and one that lost its state', async () => {
    const house = await startHouse(2);
    const [, b] = house.witnesses;
    link(house, 1).interfere = cut;
    const { log } = await openWitnessed(house, {
      policy: house.policy('group q any A B', 'quorum q'),
      witnesses: { policy: house.policy('group q any A B', 'quorum q'), heartbeatMs: 200 },
    });
    await accepting(log);
    await log.submitMany(entries(700));
    await until(() => log.published.size === 701);
    expect(await cosigners(house, log.published)).toBe('A');
    link(house, 1).interfere = undefined;
    await until(() => log.published.note.length > 400);
    expect(await cosigners(house, log.published)).toBe('AB');
    // The witness says that it has never seen the log.
    let lies = 1;
    link(house, 1).interfere = () =>
      lies-- > 0
        ? { status: 409, body: '0\n', headers: { 'content-type': 'text/x.tlog.size' } }
        : undefined;
    await log.included((await log.submit(Buffer.from('more'))).index);
    await until(() => log.cosigned.size === 702);
    expect(await cosigners(house, log.cosigned)).toBe('AB');
    expect(b?.link.asked.at(-2)).toMatch(/^old 0\n\n/);
  });

  test('never believes a cosignature that does not verify or is from the future', async () => {
    const house = await startHouse(2, { now: () => Date.now() / 1000 + 3600 });
    const { log, reports } = await openWitnessed(house, {
      policy: house.policy('group q any A B', 'quorum q'),
    });
    await accepting(log);
    await until(() => reports.length >= 3);
    expect(reports.join('\n')).toMatch(/witness A does not cosign: .*its clock or ours is wrong/);
    expect(log.published.size).toBe(0);
    const [a] = house.witnesses;
    const line = `— ${a?.keys[0]?.name} ${Buffer.alloc(76, 1).toString('base64')}\n`;
    link(house, 0).interfere = () => ({ status: 200, body: line });
    await delay(700);
    expect(log.published.size).toBe(0);
  });
});

test('a witness sees nothing that the log could forget', async () => {
  const house = await startHouse(1);
  const policy = house.policy('quorum A');
  const { log, directory } = await openWitnessed(house, { policy });
  await accepting(log);
  await until(() => log.published.size === 1);
  const kept: boolean[] = [];
  link(house, 0).interfere = async (_path, body) => {
    const head = await HeadFile.peek(dataFiles(directory).head);
    kept.push(head !== undefined && body.endsWith(`\n\n${Buffer.from(head.note).toString()}`));
    return undefined;
  };
  for (let i = 0; i < 10; i++) await log.included((await log.submit(Buffer.from(`${i}`))).index);
  expect(kept.length).toBeGreaterThanOrEqual(10);
  expect(kept.every((whole) => whole)).toBe(true);
});

describe('without a quorum', () => {
  test('entries are taken up to a bound, the operator is told once, and all recovers by itself', async () => {
    const house = await startHouse(3);
    const { log, reports } = await openWitnessed(house, {
      policy: house.policy(...twoOfThree),
      maxUnpublished: 20,
    });
    await accepting(log);
    await until(() => log.published.size === 1);
    for (const { link } of house.witnesses.slice(1)) link.interfere = cut;
    await log.submit(Buffer.from('first'));
    await until(() => !log.status().publishing);
    expect(log.status()).toMatchObject({ accepting: true, silent: ['B', 'C'] });
    for (let i = 0; i < 19; i++) await log.submit(Buffer.from(`more ${i}`));
    await expect(log.submit(Buffer.from('too many'))).rejects.toMatchObject({
      code: 'quorum-away',
      status: 503,
    });
    expect(log.status()).toMatchObject({ accepting: false, publishing: false, size: 21 });
    expect(log.published.size).toBe(1);
    for (const { link } of house.witnesses.slice(1)) link.interfere = undefined;
    await until(() => log.published.size === 21);
    await until(() => log.status().publishing);
    await log.included((await log.submit(Buffer.from('again'))).index);
    const told = reports.filter((report) => /too few witnesses|enough witnesses/.test(report));
    expect(told).toHaveLength(2);
    expect(told[0]).toMatch(/too few witnesses cosign.* B, C do/);
  });

  test('closing does not wait for it, and the next start publishes what was taken', async () => {
    const house = await startHouse(1);
    const policy = house.policy('quorum A');
    const { log, directory } = await openWitnessed(house, { policy });
    await accepting(log);
    await until(() => log.published.size === 1);
    link(house, 0).interfere = slow(60_000);
    await log.submitMany(entries(10));
    const started = performance.now();
    await log.close();
    expect(performance.now() - started).toBeLessThan(5000);
    link(house, 0).interfere = undefined;
    const { log: again } = await openWitnessed(house, { policy, directory });
    await until(() => again.published.size === 11);
    expect(await cosigners(house, again.published)).toBe('A');
  });
});

test('an idle log has its checkpoint cosigned anew at each heartbeat', async () => {
  let time = 1_700_000_000;
  const house = await startHouse(2, { now: () => time });
  const policy = house.policy('group q all A B', 'quorum q');
  const { log } = await openWitnessed(house, { policy, witnesses: { policy, heartbeatMs: 100 } });
  await accepting(log);
  await until(() => log.published.size === 1);
  const { text } = parseNote(log.published.note);
  time += 1000;
  const newer = async (): Promise<boolean> => {
    const note = parseNote(log.published.note);
    expect(note.text).toBe(text);
    const keys = house.witnesses.flatMap(({ keys: each }) => each);
    const signatures = await openNote(note, keys, nodeVerifier);
    return signatures.length === 2 && signatures.every(({ timestamp }) => timestamp === time);
  };
  while (!(await newer())) await delay(20);
  expect(house.witnesses[0]?.link.asked.at(-1)).toMatch(/^old 1\n\n/);
  await until(() => log.cosigned === log.published || log.cosigned.note.length > 0);
  expect(await opened(log, log.cosigned)).toMatchObject({ size: 1 });
});

test('a witness with two keys is asked once, and both its cosignatures count', async () => {
  const house = await startHouse(1, { mlDsa: true });
  const policy = house.policy('group q all A A1', 'quorum q');
  const { log } = await openWitnessed(house, { policy });
  await accepting(log);
  await until(() => log.published.size === 1);
  const asked = house.witnesses[0]?.link.asked.length as number;
  await log.included((await log.submit(Buffer.from('x'))).index);
  expect(house.witnesses[0]?.link.asked.length).toBe(asked + 1);
  expect(parseNote(log.published.note).signatures).toHaveLength(3);
});
