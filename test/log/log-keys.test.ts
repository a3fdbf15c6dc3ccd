import { readFile, rm } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { leafIndex } from '../../src/encoding/integer.ts';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { dataFiles } from '../../src/log/data-directory.ts';
import { fsck } from '../../src/log/fsck.ts';
import { Log } from '../../src/log/log.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { openGenesis } from '../../src/statement/admission.ts';
import { checkCheckpoint, parsePolicy } from '../../src/verify/policy.ts';
import { closedLog, scratchDirectory, scratchLog } from './scratch.ts';
import { accepting, cosigners, openWitnessed, startHouse, until } from './witnessed.ts';

describe('an ML-DSA-44 key beside the Ed25519 one', () => {
  test('of a new log is named in genesis, served, and signs every checkpoint', async () => {
    const directory = await scratchDirectory();
    const files = dataFiles(directory);
    await createKeyFile(files.mlDsaKey, 'ml-dsa-44');
    const log = await scratchLog({ directory, admission: 'open', origin: 'log.example/pq' });
    expect(log.vkeys.map((vkey) => parseVkey(vkey).type)).toEqual([0x01, 0x06]);
    const genesis = await openGenesis(await log.entry(leafIndex(0)), nodeVerifier);
    expect(genesis.logKeys).toEqual(log.vkeys);
    expect(await readFile(files.vkey, 'utf8')).toBe(`${log.vkeys.join('\n')}\n`);
    const published = await log.included((await log.submit(Buffer.from('x'))).index);
    for (const vkey of log.vkeys) {
      const policy = parsePolicy(`log ${vkey}\nquorum none\n`);
      expect(await checkCheckpoint(published.note, policy, nodeVerifier)).toMatchObject({
        log: { type: parseVkey(vkey).type },
      });
    }
    const policy = parsePolicy(await readFile(files.policy));
    expect(policy.logs).toHaveLength(2);
    await log.close();
    expect((await fsck(directory)).disagreements).toEqual([]);
    await rm(files.mlDsaKey);
    await expect(Log.open({ directory })).rejects.toMatchObject({ code: 'bad-key' });
    await rm(`${files.mlDsaKey}.pub`);
    await createKeyFile(files.mlDsaKey, 'ml-dsa-44');
    await expect(Log.open({ directory })).rejects.toThrow(
      /is not a key of the log log.example\/pq/,
    );
  });

  test('of an old log signs from then on, though genesis does not name it', async () => {
    const directory = await closedLog(10);
    await createKeyFile(dataFiles(directory).mlDsaKey, 'ml-dsa-44');
    const log = await scratchLog({ directory });
    const published = await log.included((await log.submit(Buffer.from('x'))).index);
    const opened = await openNote(
      parseNote(published.note),
      log.vkeys.map(parseVkey),
      nodeVerifier,
    );
    expect(opened.map(({ key }) => key.type)).toEqual([0x01, 0x06]);
    await log.close();
    expect((await fsck(directory)).disagreements).toEqual([]);
  });

  test('and the other one are both verified by a witness that knows both', async () => {
    const house = await startHouse(1, { mlDsa: true });
    const directory = await scratchDirectory();
    await createKeyFile(dataFiles(directory).mlDsaKey, 'ml-dsa-44');
    const policy = house.policy('group q all A A1', 'quorum q');
    const { log } = await openWitnessed(house, { policy, directory });
    await accepting(log);
    await until(() => log.published.size === 1);
    expect(await cosigners(house, log.published)).toBe('A');
    expect(parseNote(log.published.note).signatures).toHaveLength(4);
    const written = parsePolicy(await readFile(dataFiles(directory).policy));
    expect(written).toMatchObject({ quorum: 'q', witnesses: [{ name: 'A' }, { name: 'A1' }] });
    expect(await checkCheckpoint(log.published.note, written, nodeVerifier)).toMatchObject({
      quorum: 'q',
    });
  });
});
