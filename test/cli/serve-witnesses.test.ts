import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { formatVkey, parseVkey, verifierKey } from '../../src/note/vkey.ts';
import { parsePolicy } from '../../src/verify/policy.ts';
import { startWitness } from '../witness/running-witness.ts';
import type { VerifierKey } from '../../src/note/vkey.ts';
import { daybook, removeDirectory, temporaryDirectory } from './daybook.ts';
import { startLog } from './running-log.ts';

async function scratch(): Promise<string> {
  const directory = await temporaryDirectory();
  onTestFinished(() => removeDirectory(directory));
  return directory;
}

const list = { logs: new Map<string, VerifierKey[]>() };

describe('serve --witnesses', () => {
  test('publishes with its quorum, and gives out a policy that asks for it', async () => {
    const directory = await scratch();
    const data = join(directory, 'data');
    await mkdir(data);
    const ran = await daybook(
      directory,
      ...['keygen', '--algorithm', 'ml-dsa-44', '--out', join('data', 'log-mldsa.key')],
    );
    expect(ran.exit).toBe(0);
    const witness = await startWitness({ list });
    const vkey = formatVkey(witness.keys[0] as VerifierKey);
    await writeFile(join(directory, 'witnesses'), `witness w ${vkey} ${witness.url}/\nquorum w\n`);
    const log = await startLog(data, [
      ...['--admission', 'open', '--origin', 'log.example/w', '--interval-ms', '50'],
      ...['--witnesses', join(directory, 'witnesses')],
    ]);
    onTestFinished(async () => void (await log.stop()));
    const vkeys = (await readFile(join(data, 'log.vkey'), 'utf8')).trim().split('\n');
    expect(vkeys).toHaveLength(2);
    list.logs.set('log.example/w', vkeys.map(parseVkey));
    const ready = async (): Promise<boolean> => (await fetch(new URL('readyz', log.url))).ok;
    while (!(await ready())) await delay(50);
    const posted = await fetch(new URL('entries', log.url), {
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream' },
      body: 'a build',
    });
    const { proof } = (await posted.json()) as { proof: string };
    expect(proof).toContain('— witness.example/w1 ');
    const policy = parsePolicy(await readFile(join(data, 'log.policy')));
    expect(policy).toMatchObject({ quorum: 'w', witnesses: [{ name: 'w' }] });
    expect(policy.logs.map(({ key }) => formatVkey(key))).toEqual(vkeys);
    expect(await log.stop()).toBe(0);
    const { exit, stderr } = await daybook(directory, 'serve', '--data', 'data', '--port', '0');
    expect(`${exit} ${stderr}`).toMatch(/^2 .*has the witnesses w: .*--witnesses/);
  });

  test('refuses files and options that cannot be used, by their names', async () => {
    const directory = await scratch();
    const key = await createKeyFile(join(directory, 'k'), 'ed25519');
    const vkey = formatVkey(verifierKey('w.example', 0x04, key.publicKey));
    const file = join(directory, 'witnesses');
    const serve = async (text: string, ...more: string[]): Promise<string> => {
      await writeFile(file, text);
      const args = ['serve', '--data', 'data', '--port', '0', '--witnesses', file, ...more];
      const { exit, stderr } = await daybook(directory, ...args);
      return `${exit} ${stderr}`;
    };
    expect(await serve('')).toMatch(/^11 .*witnesses: policy has no quorum line/);
    expect(await serve(`witness w ${vkey}\nquorum w\n`)).toMatch(/^11 .*witness w has no URL/);
    expect(await serve(`witness w ${vkey} ftp://w\nquorum w\n`)).toMatch(/^11 .*the URL ftp:\/\/w/);
    const good = `witness w ${vkey} http://127.0.0.1:9\nquorum w\n`;
    expect(await serve(good, '--override-witness', 'x')).toMatch(/^2 .*override-witness x/);
    expect(await serve(good, '--heartbeat-ms', '5')).toMatch(/^2 .*heartbeat-ms/);
    const { exit, stderr } = await daybook(directory, 'serve', '--auditors', file);
    expect(`${exit} ${stderr}`).toMatch(/^2 .*--witnesses/);
  });
});
