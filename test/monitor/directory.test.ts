/** A monitor's directory: made once, never on an empty state again. */
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { parseMonitorConfig, type MonitorConfig } from '../../src/monitor/config.ts';
import { initCosigner } from '../../src/cosigner/directory.ts';
import { Monitor } from '../../src/monitor/monitor.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';
import { acmeLog } from './watch-scene.ts';

const logger = pino({ level: 'silent' });

async function configFor(data: string, cosign: boolean): Promise<MonitorConfig> {
  const { log } = await acmeLog();
  const json = { data, cosign, logs: [{ vkeys: [log.vkey], url: 'http://127.0.0.1:9/' }] };
  return parseMonitorConfig(Buffer.from(JSON.stringify(json)), join(data, 'config.json'));
}

test('is made in an empty directory only', async () => {
  const data = await temporaryDirectory();
  await writeFile(join(data, 'file'), '');
  const options = { name: 'm.example', mlDsa: false };
  await expect(initCosigner(data, options)).rejects.toMatchObject({ code: 'wrong-directory' });
  await rm(join(data, 'file'));
  expect(await initCosigner(data, options)).toHaveLength(1);
  await expect(initCosigner(data, options)).rejects.toMatchObject({ code: 'wrong-directory' });
});

test('with a key and without its state, or with an old one, is refused', async () => {
  const data = await temporaryDirectory();
  await initCosigner(data, { name: 'm.example', mlDsa: true });
  const config = await configFor(data, true);
  const monitor = await Monitor.open({ config, logger });
  expect(monitor.keys.map(({ type }) => type)).toEqual([0x04, 0x06]);
  await monitor.close();
  const state = join(data, 'state');
  const backup = await temporaryDirectory();
  await cp(state, backup, { recursive: true });
  await rm(state, { recursive: true });
  const open = (): Promise<Monitor> => Monitor.open({ config, logger });
  await expect(open()).rejects.toMatchObject({ code: 'state-missing' });
  await mkdir(state);
  await expect(open()).rejects.toMatchObject({ code: 'state-missing' });
  await cp(backup, state, { recursive: true });
  await (await open()).close();
  // LevelDB forgets without a word what is missing of its write-ahead log.
  for (const file of await readdir(join(state, 'db'))) {
    if (/\.(log|ldb)$/.test(file)) await rm(join(state, 'db', file));
  }
  await expect(open()).rejects.toMatchObject({ code: expect.stringMatching(/^store-/) as string });
});

test('with the key of another one is refused', async () => {
  const [data, other] = [await temporaryDirectory(), await temporaryDirectory()];
  await initCosigner(data, { name: 'm.example' });
  await initCosigner(other, { name: 'm.example' });
  await cp(join(other, 'cosigner.key'), join(data, 'cosigner.key'));
  const config = await configFor(data, true);
  await expect(Monitor.open({ config, logger })).rejects.toMatchObject({ code: 'wrong-directory' });
});

test('without a name cannot cosign, and says so', async () => {
  const data = await temporaryDirectory();
  await initCosigner(data, { mlDsa: false });
  const config = await configFor(data, true);
  await expect(Monitor.open({ config, logger })).rejects.toMatchObject({ code: 'bad-usage' });
  const monitor = await Monitor.open({ config: await configFor(data, false), logger });
  await expect(
    Monitor.open({ config: await configFor(data, false), logger }),
  ).rejects.toMatchObject({ code: 'store-locked' });
  await monitor.close();
});
