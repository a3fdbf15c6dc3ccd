/** `daybook monitor` as its operators run it: by hand, by cron, for good, and killed. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import type { MemoryLog } from '../client/memory-log.ts';
import { acmeLog, release } from '../monitor/watch-scene.ts';
import { daybook, removeDirectory, temporaryDirectory } from './daybook.ts';

/** The log's URL, until the test ends. */
async function served(log: MemoryLog): Promise<string> {
  const server = createServer((request, response) => {
    void log.fetch(`http://log.example${request.url}`).then(async (answered) => {
      response.writeHead(answered.status);
      response.end(Buffer.from(await answered.arrayBuffer()));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A directory with a monitor in `data` and its `config.json`. */
async function monitorOf(
  log: MemoryLog,
  more: object = {},
): Promise<{ cwd: string; vkey: string }> {
  const cwd = await temporaryDirectory();
  onTestFinished(() => removeDirectory(cwd));
  const made = await daybook(cwd, 'monitor', 'init', '--data', 'data', '--name', 'm.example/m1');
  expect(made).toMatchObject({ exit: 0, stderr: '' });
  const config = {
    data: 'data',
    logs: [{ vkeys: [log.vkey], url: await served(log) }],
    cosign: true,
    pollSeconds: 1,
    ...more,
  };
  await writeFile(join(cwd, 'config.json'), JSON.stringify(config));
  const vkey = /public key {2}(\S+)/.exec(made.stdout)?.[1] ?? '';
  return { cwd, vkey };
}

const run = ['monitor', '--config', 'config.json'];

describe('daybook monitor --once', () => {
  test('ends with 42 when there is something new to tell, and with 0 when not', async () => {
    const { log, issuer } = await acmeLog();
    const { cwd } = await monitorOf(log);
    expect(await daybook(cwd, ...run, '--once')).toMatchObject({ exit: 0, stderr: '' });
    log.entries.push(await release(issuer, 1), Buffer.from('no envelope'));
    const told = await daybook(cwd, ...run, '--once');
    expect(told.exit).toBe(42);
    expect(told.stdout).toContain('4 entries audited, 1 of them should not be there');
    expect(told.stderr).toContain('"rule":"log-misbehaved"');
    expect(await daybook(cwd, ...run, '--once')).toMatchObject({ exit: 0, stderr: '' });
  });

  test('ends with 3 when the log is away, and with 5 when its state is lost', async () => {
    const { log } = await acmeLog();
    const { cwd } = await monitorOf(log);
    const config = { data: 'data', logs: [{ vkeys: [log.vkey], url: 'http://127.0.0.1:9/' }] };
    await writeFile(join(cwd, 'away.json'), JSON.stringify(config));
    expect(await daybook(cwd, 'monitor', '--config', 'away.json', '--once')).toMatchObject({
      exit: 3,
    });
    await rm(join(cwd, 'data', 'state'), { recursive: true });
    const lost = await daybook(cwd, ...run, '--once');
    expect(lost.exit).toBe(5);
    expect(lost.stderr).toContain('state-missing');
  });
});

test('daybook monitor check reads a config without running it', async () => {
  const { log } = await acmeLog();
  const { cwd } = await monitorOf(log);
  const checked = await daybook(cwd, 'monitor', 'check', '--config', 'config.json');
  expect(checked).toMatchObject({ exit: 0, stderr: '' });
  expect(checked.stdout).toContain(log.origin);
  await writeFile(join(cwd, 'config.json'), '{"data":"data"}');
  const refused = await daybook(cwd, 'monitor', 'check', '--config', 'config.json');
  expect(refused.exit).toBe(2);
  expect(refused.stderr).toContain('logs');
});

function start(cwd: string): ChildProcess {
  const child = spawn(process.execPath, [resolve('src/cli/main.ts'), ...run], {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

test('a running monitor serves its cosigned checkpoint, its findings, alerts and metrics', async () => {
  const { log, issuer } = await acmeLog();
  log.entries.push(await release(issuer, 1), Buffer.from('no envelope'));
  const { cwd, vkey } = await monitorOf(log, { listen: { port: 0 } });
  const child = start(cwd);
  const [hello] = (await once(child.stdout!, 'data')) as [Buffer];
  const url = /at (http:\S+)/.exec(hello.toString())?.[1];
  const hash = originHash(log.origin);
  const get = async (path: string): Promise<Response> => fetch(`${url}/${path}`);
  await expect.poll(async () => (await get(`${hash}/checkpoint`)).status).toBe(200);

  const note = parseNote(await (await get(`${hash}/checkpoint`)).text());
  const keys = [log.signer.key, parseVkey(vkey)];
  await expect(openNote(note, keys, nodeVerifier)).resolves.toHaveLength(2);
  expect(await (await get(`${hash}/findings`)).json()).toMatchObject({
    origin: log.origin,
    size: 4,
    findings: [{ index: 3, code: 'bad-entry' }],
  });
  expect(await (await get(`${hash}/findings?from=4`)).json()).toMatchObject({ findings: [] });
  expect((await get(`${hash}/findings?from=-1`)).status).toBe(400);
  expect((await get(`${originHash('other')}/checkpoint`)).status).toBe(404);
  expect(await (await get('logs')).json()).toMatchObject({
    logs: [{ origin: log.origin, originHash: hash, audited: 4, size: 4, findings: 1 }],
  });
  expect(await (await get('metrics')).text()).toMatch(/monitor_findings\{.*\} 1/);
  expect(await (await get('alerts.atom')).text()).toContain('log-misbehaved');
  expect(await (await get(`gossip/heads/${hash}`)).json()).toMatchObject({ origin: log.origin });
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('a monitor that is killed again and again tells of everything, and of nothing twice', async () => {
  const { log, issuer } = await acmeLog();
  const sample = await release(issuer, 1);
  while (log.entries.length < 20_000) {
    log.entries.push(log.entries.length % 1999 === 0 ? Buffer.from(`${log.size}`) : sample);
  }
  const { cwd } = await monitorOf(log);
  const said: string[] = [];
  for (let i = 0; i < 6; i++) {
    const child = start(cwd);
    const told = buffer(child.stderr!);
    setTimeout(() => child.kill('SIGKILL'), 400 + 250 * i);
    await once(child, 'exit');
    said.push((await told).toString());
  }
  const last = await daybook(cwd, ...run, '--once');
  said.push(last.stderr);
  expect(last.stdout).toContain('20000 entries audited, 10 of them should not be there');
  const alerts = said.join('').match(/"title":"entry [^"]*"/g) ?? [];
  const counts = [...new Set(alerts)].map(
    (title) => 1 + Number(/and (\d+) more/.exec(title)?.[1] ?? 0),
  );
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10);
  expect(await daybook(cwd, ...run, '--once')).toMatchObject({ exit: 0, stderr: '' });
});
