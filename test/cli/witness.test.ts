/** `daybook witness`, as its operator types it, behind a reverse proxy too. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFile, cp, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer, request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { post, requestBody } from '../witness/running-witness.ts';
import { startWitnessProcess } from '../witness/witness-process.ts';
import { daybook, removeDirectory, temporaryDirectory } from './daybook.ts';

async function folder(): Promise<string> {
  const path = await temporaryDirectory();
  onTestFinished(() => removeDirectory(path));
  return path;
}

/** Passes on what is below `prefix`, without it, as bastions and web servers do. */
async function reverseProxy(target: string, prefix: string): Promise<string> {
  const server = createServer((req, res) => {
    if (!req.url?.startsWith(`${prefix}/`)) {
      res.writeHead(404).end();
      return;
    }
    const headers = { ...req.headers, host: 'backend.internal', 'x-forwarded-for': '192.0.2.1' };
    const { method } = req;
    const onward = request(`${target}${req.url.slice(prefix.length)}`, { method, headers });
    onward.on('response', (answer: IncomingMessage) => {
      res.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(res);
    });
    req.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}${prefix}`;
}

describe('daybook witness init', () => {
  test('makes keys that only their owner may read, and prints the public ones', async () => {
    const cwd = await folder();
    const ran = await daybook(
      cwd,
      'witness',
      'init',
      '--data',
      'w',
      '--name',
      'w.example/1',
      '--ml-dsa',
    );
    expect(ran.exit).toBe(0);
    const vkeys = [...ran.stdout.matchAll(/public key {2}(\S+)/g)].map(([, vkey]) =>
      parseVkey(vkey!),
    );
    expect(vkeys.map(({ name, type }) => [name, type])).toEqual([
      ['w.example/1', 0x04],
      ['w.example/1', 0x06],
    ]);
    for (const name of ['cosigner.key', 'cosigner-mldsa.key']) {
      expect((await stat(join(cwd, 'w', name))).mode & 0o077).toBe(0);
    }
  });

  test('refuses a directory with anything in it, and leaves it as it was', async () => {
    const cwd = await folder();
    await writeFile(join(cwd, 'note'), '');
    const ran = await daybook(cwd, 'witness', 'init', '--data', '.', '--name', 'w');
    expect([ran.exit, await readdir(cwd)]).toEqual([5, ['note']]);
    expect(ran.stderr).toContain('wants an empty directory');
  });

  test.each([
    [['--data', 'w'], "required option '--name <name>'"],
    [['--name', 'w'], "required option '--data <dir>'"],
  ])('wants both of its options: %j', async (options, said) => {
    const ran = await daybook(await folder(), 'witness', 'init', ...options);
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toContain(said);
  });
});

describe('daybook witness', () => {
  test.each([
    [['--data', 'w'], 2, /want --data <dir> and --logs <file>/],
    [['--data', 'w', '--logs', 'logs', '--port', '65536'], 2, /wrong --port: "65536"/],
    [['--data', 'none', '--logs', 'logs'], 5, /state-missing/],
    [['--data', 'w', '--logs', 'none'], 3, /no such file/],
    [['--data', 'w', '--logs', 'broken'], 11, /policy line 2/],
  ] as const)('%j: exit %i', async (options, exit, said) => {
    const cwd = await folder();
    await daybook(cwd, 'witness', 'init', '--data', 'w', '--name', 'w');
    await writeFile(join(cwd, 'logs'), '');
    await writeFile(join(cwd, 'broken'), '# logs\nlog\n');
    const ran = await daybook(cwd, 'witness', ...options);
    expect(ran.exit).toBe(exit);
    expect(ran.stderr).toMatch(said);
  });

  test('an existing key with an empty state does not start', async () => {
    const cwd = await folder();
    for (const name of ['old', 'new']) {
      await daybook(cwd, 'witness', 'init', '--data', name, '--name', 'w');
    }
    for (const file of ['cosigner.key', 'cosigner.key.pub']) {
      await cp(join(cwd, 'old', file), join(cwd, 'new', file));
    }
    await writeFile(join(cwd, 'logs'), '');
    const ran = await daybook(cwd, 'witness', '--data', 'new', '--logs', 'logs');
    expect(ran.exit).toBe(5);
    expect(ran.stderr).toMatch(/not those that its state belongs to/);
  });

  test('cosigns behind a reverse proxy, learns of new logs without a restart, and stops with 0', async () => {
    const cwd = await folder();
    const [a, b, c] = await Promise.all(
      ['a.example', 'b.example', 'c.example'].map((origin) =>
        MemoryLog.create(numbered(9), origin),
      ),
    );
    const [data, logs] = [join(cwd, 'w'), join(cwd, 'logs')];
    await daybook(cwd, 'witness', 'init', '--data', data, '--name', 'w.example');
    await writeFile(logs, `# our logs\nlog ${a!.vkey} https://a.example/\n`);
    const running = await startWitnessProcess(data, logs);
    const url = await reverseProxy(running.url, '/w1');
    const status = async (log: MemoryLog, old: number, size: number): Promise<number> =>
      (await post(url, await requestBody(log, old, size))).status;
    expect([await status(a!, 0, 5), await status(a!, 5, 9), await status(a!, 5, 9)]).toEqual([
      200, 200, 409,
    ]);
    const hash = createHash('sha256').update('a.example').digest('hex');
    const note = parseNote(await (await fetch(`${url}/${hash}/checkpoint`)).text());
    const keys = [a!.signer.key, ...running.vkeys.map(parseVkey)];
    expect(await openNote(note, keys, nodeVerifier)).toHaveLength(2);

    expect(await status(b!, 0, 9)).toBe(404);
    await appendFile(logs, `log ${b!.vkey}\n`);
    await vi.waitFor(async () => expect(await status(b!, 0, 9)).toBe(200), 10_000);
    await appendFile(logs, `log ${c!.vkey}\n`);
    running.child.kill('SIGHUP');
    await vi.waitFor(async () => expect(await status(c!, 0, 9)).toBe(200), 10_000);
    expect(running.output()).toContain('was read again: 3 logs');

    expect(await running.end('SIGTERM')).toBe(0);
    const again = await startWitnessProcess(data, logs);
    expect(again.vkeys).toEqual(running.vkeys);
    expect((await post(again.url, await requestBody(a!, 5, 9))).status).toBe(409);
    expect((await post(again.url, await requestBody(a!, 9, 9))).status).toBe(200);
  });
});
