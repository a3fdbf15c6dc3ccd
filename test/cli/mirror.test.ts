/** `daybook mirror` and `daybook restore`: a log is lost, its mirror stands in, and brings it back. */
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { daybook, removeDirectory, temporaryDirectory, type Ran } from './daybook.ts';
import { startLog, type RunningLog } from './running-log.ts';

const purl = 'pkg:generic/acme/scanner@1.2.3';
let directory: string;
let log: RunningLog;
let vkey: string;
const path = (name: string): string => join(directory, name);
const run = (...args: readonly string[]): Promise<Ran> => daybook(directory, ...args);
const mirrorOnce = (): Promise<Ran> =>
  run('mirror', '--log', log.url.href, '--policy', 'policy', '--data', 'mirror', '--once');
const restore = (...args: readonly string[]): Promise<Ran> =>
  run('restore', '--data', 'data', '--from', 'mirror', ...args);

async function release(name: string, text: string): Promise<void> {
  await writeFile(path(name), text);
  const signing = ['--log', log.url.href, '--key', 'key', '--purl', purl];
  expect(await run('release', name, ...signing)).toMatchObject({ exit: 0 });
}

beforeAll(async () => {
  directory = await temporaryDirectory();
  log = await startLog(path('data'), ['--interval-ms', '50']);
  await createKeyFile(path('key'), 'ed25519');
  const issuer = ['issuer', 'add', '--data', 'data', '--name', 'acme', '--key', 'key.pub'];
  const scope = ['--purl', 'pkg:generic/acme/*', '--role', 'release'];
  expect(await run(...issuer, ...scope)).toMatchObject({ exit: 0 });
  await release('scanner', 'the build');
  vkey = (await readFile(path('data/log.vkey'), 'utf8')).trim();
  await cp(path('data/log.policy'), path('policy'));
});
afterAll(() => removeDirectory(directory));

test('a mirror is made with a name, and copies the log', async () => {
  const init = await run('mirror', 'init', '--data', 'mirror', '--name', 'mirror.example/m1');
  expect(init).toMatchObject({ exit: 0 });
  expect(init.stdout).toMatch(/^ {2}public key {2}mirror\.example\/m1\+[0-9a-f]{8}\+/m);
  const again = await run('mirror', 'init', '--data', 'mirror', '--name', 'mirror.example/m1');
  expect(again).toMatchObject({ exit: 5 });
  expect(again.stderr).toContain('wrong-directory');
  const copied = await mirrorOnce();
  expect(copied).toMatchObject({ exit: 0 });
  expect(copied.stdout).toMatch(/entries {5}3\n/);
});

test('what a mirror wants is told', async () => {
  expect(await run('mirror', '--data', 'mirror')).toMatchObject({ exit: 2 });
  const poll = ['--log', log.url.href, '--policy', 'policy', '--data', 'mirror', '--poll-ms', '3'];
  const wrong = await run('mirror', ...poll);
  expect(wrong).toMatchObject({ exit: 2 });
  expect(wrong.stderr).toContain('--poll-ms');
  const none = await run('mirror', '--log', log.url.href, '--policy', 'policy', '--data', 'none');
  expect(none.stderr).toContain('state-missing');
});

test('while the log is away, its mirror gives release files', async () => {
  expect(await log.stop()).toBe(0);
  const hash = originHash(parseVkey(vkey).name);
  const mirror = spawn(
    process.execPath,
    ['src/cli/main.ts', 'mirror', '--log', log.url.href, '--policy', path('policy')].concat([
      ...['--data', path('mirror'), '--port', '0', '--log-level', 'silent'],
    ]),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  onTestFinished(() => void mirror.kill('SIGKILL'));
  let url: string | undefined;
  for await (const chunk of mirror.stdout as AsyncIterable<Buffer>) {
    url = /served at\s+(http:\S+)/.exec(String(chunk))?.[1];
    if (url !== undefined) break;
  }
  expect(url).toContain(hash);
  const trust = ['--log', log.url.href, '--policy', 'policy'];
  const away = await run('bundle', 'scanner', ...trust, '--out', 'away.release');
  expect(away).toMatchObject({ exit: 3 });
  const bundled = await run('bundle', 'scanner', ...trust, '--mirror', url!);
  expect(bundled).toMatchObject({ exit: 0 });
  expect(bundled.stdout).toContain('bundled: entries 2 of');
  mirror.kill('SIGTERM');
  const [code] = (await once(mirror, 'exit')) as [number | null];
  expect(code).toBe(0);
}, 60_000);

test('a log that lost its newest entries is brought forward from the mirror', async () => {
  await cp(path('data'), path('backup'), { recursive: true });
  log = await startLog(path('data'), ['--interval-ms', '50']);
  await release('scanner2', 'the next build');
  expect(await mirrorOnce()).toMatchObject({ exit: 0 });
  await log.stop();
  await rm(path('data'), { recursive: true });
  await cp(path('backup'), path('data'), { recursive: true });

  const unsaid = await restore();
  expect(unsaid).toMatchObject({ exit: 2 });
  expect(unsaid.stderr).toContain('--newest-there-is');
  expect(await restore('--witnesses', 'policy')).toMatchObject({ exit: 2 });
  const restored = await restore('--newest-there-is');
  expect(restored).toMatchObject({ exit: 0 });
  expect(restored.stdout).toContain('entries 3 to 3 are restored and verified');
  expect(await run('fsck', '--data', 'data')).toMatchObject({ exit: 0 });
  expect((await restore('--newest-there-is')).stdout).toContain('nothing was missing');

  log = await startLog(path('data'), ['--interval-ms', '50']);
  await release('scanner3', 'one more build');
  expect(await mirrorOnce()).toMatchObject({ exit: 0 });
  await log.stop();
}, 60_000);

test('a log of which only the keys are left is made anew', async () => {
  await rm(path('data/db'), { recursive: true });
  await rm(path('data/head'));
  const without = await restore('--newest-there-is');
  expect(without.stderr).toContain('wrong-directory');
  expect(await restore('--newest-there-is', '--vkey', vkey)).toMatchObject({ exit: 0 });
  expect(await run('fsck', '--data', 'data')).toMatchObject({ exit: 0 });
  log = await startLog(path('data'));
  expect(await log.stop()).toBe(0);
}, 60_000);

test('what is no mirror of the log is refused', async () => {
  const nothing = await run('restore', '--data', 'data', '--from', '.', '--newest-there-is');
  expect(nothing).toMatchObject({ exit: 3 });
  expect(nothing.stderr).toContain('holds no mirror of');
});
