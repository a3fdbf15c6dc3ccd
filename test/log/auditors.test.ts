import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Log } from '../../src/log/log.ts';
import { mergeSignatures } from '../../src/note/add-checkpoint.ts';
import { formatNote, openNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { signNote, type NoteSigner } from '../../src/note/sign.ts';
import { verifierKey } from '../../src/note/vkey.ts';
import { newSigner } from './scratch.ts';
import { accepting, cosigners, openWitnessed, startHouse, until, type House } from './witnessed.ts';

interface Auditor {
  readonly signer: NoteSigner;
  readonly url: string;
  /** What it shows of the log. */
  shown: string | undefined;
  asked: number;
  cosign(note: Uint8Array, timestamp?: number): Promise<void>;
}

async function startAuditor(): Promise<Auditor> {
  const key = await newSigner();
  const signer = { key: verifierKey('auditor.example', 0x04, key.publicKey), signer: key };
  const server = createServer((request, response) => {
    auditor.asked += 1;
    const found = request.url === `/${originHash('log.example/a')}/checkpoint`;
    response.writeHead(found && auditor.shown !== undefined ? 200 : 404);
    response.end(auditor.shown);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  onTestFinished(() => void server.close());
  const auditor: Auditor = {
    signer,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    shown: undefined,
    asked: 0,
    async cosign(note, timestamp = Math.floor(Date.now() / 1000)) {
      const opened = parseNote(note);
      const { signatures } = await signNote(opened.text, [signer], timestamp);
      auditor.shown = formatNote(mergeSignatures(opened, signatures));
    },
  };
  return auditor;
}

async function scene(
  options: { now?: () => number } = {},
): Promise<{ house: House; auditor: Auditor; log: Log }> {
  const house = await startHouse(1, options);
  const auditor = await startAuditor();
  const policy = house.policy('quorum A');
  const auditors = [{ name: 'audit', key: auditor.signer.key, url: auditor.url }];
  const { log } = await openWitnessed(house, {
    policy,
    witnesses: { policy, auditors, auditorPollMs: 100, heartbeatMs: 500 },
  });
  await accepting(log);
  await until(() => log.published.size === 1);
  return { house, auditor, log };
}

async function isAudited({ signer }: Auditor, note: Uint8Array): Promise<boolean> {
  return openNote(parseNote(note), [signer.key], nodeVerifier).then(
    () => true,
    () => false,
  );
}

/** Until it was asked twice from now on, so that what it shows now was dealt with. */
async function askedAgain(auditor: Auditor): Promise<void> {
  const { asked } = auditor;
  await until(() => auditor.asked >= asked + 2);
  await delay(50);
}

describe("an auditor's cosignature", () => {
  test('is added to the checkpoint that it is for, beside those of the witnesses', async () => {
    const { house, auditor, log } = await scene();
    await auditor.cosign(log.published.note);
    while (!(await isAudited(auditor, log.published.note))) await delay(50);
    expect(await isAudited(auditor, log.cosigned.note)).toBe(true);
    expect(await cosigners(house, log.published)).toBe('A');
  });

  test('is taken anew after a while, and not at each of its changes', async () => {
    const { auditor, log } = await scene();
    const now = Math.floor(Date.now() / 1000);
    const time = async (): Promise<number | undefined> => {
      const keys = [auditor.signer.key];
      return openNote(parseNote(log.published.note), keys, nodeVerifier).then(
        ([own]) => own?.timestamp,
        () => undefined,
      );
    };
    await auditor.cosign(log.published.note, now - 600);
    while ((await time()) !== now - 600) await delay(20);
    await auditor.cosign(log.published.note, now - 590);
    await askedAgain(auditor);
    expect(await time()).toBe(now - 600);
    await auditor.cosign(log.published.note, now);
    while ((await time()) !== now) await delay(20);
  });

  test('brings no older cosignatures of others with it', async () => {
    let time = 1_700_000_000;
    const { house, auditor, log } = await scene({ now: () => time });
    await auditor.cosign(log.published.note);
    while (!(await isAudited(auditor, log.published.note))) await delay(20);
    time += 1000;
    await log.included((await log.submit(Buffer.from('x'))).index);
    const older = log.published.note;
    time += 1000;
    const timeOf = async (note: Uint8Array): Promise<number | undefined> => {
      const keys = house.witnesses.flatMap(({ keys: each }) => each);
      return (await openNote(parseNote(note), keys, nodeVerifier))[0]?.timestamp;
    };
    while ((await timeOf(log.published.note)) !== time) await delay(20);
    await auditor.cosign(older);
    while (!(await isAudited(auditor, log.published.note))) await delay(20);
    expect(await timeOf(log.published.note)).toBe(time);
  });

  test('of a checkpoint that is no longer the newest changes nothing that is', async () => {
    const { auditor, log } = await scene();
    const first = log.published.note;
    await log.included((await log.submit(Buffer.from('x'))).index);
    await until(() => log.cosigned.size === 2);
    await auditor.cosign(first);
    await askedAgain(auditor);
    expect(log.cosigned.size).toBe(2);
    expect(await isAudited(auditor, log.published.note)).toBe(false);
  });

  test('that does not verify, is from the future or is for a text of its own is not shown', async () => {
    const { auditor, log } = await scene();
    const { note } = log.published;
    const tomorrow = Math.floor(Date.now() / 1000) + 86_400;
    await auditor.cosign(note, tomorrow);
    await askedAgain(auditor);
    await auditor.cosign(note);
    auditor.shown = auditor.shown?.replace(/.{8}==?\n$/, 'AAAAAAA=\n');
    await askedAgain(auditor);
    await auditor.cosign(Buffer.from(Buffer.from(note).toString().replace('\n1\n', '\n2\n')));
    await askedAgain(auditor);
    auditor.shown = 'nonsense';
    await askedAgain(auditor);
    expect(parseNote(log.published.note).text).toBe(parseNote(note).text);
    for (const shown of [log.published, log.cosigned]) {
      expect(parseNote(shown.note).signatures.map(({ name }) => name)).not.toContain(
        auditor.signer.key.name,
      );
    }
    expect(log.status()).toMatchObject({ accepting: true, publishing: true });
  });
});
