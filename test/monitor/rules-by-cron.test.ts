/** Rules as an operator runs them: a real log, a config file, `daybook monitor --once`, a webhook. */
import { chmod, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { readPublicKeyFile } from '../../src/keys/key-file.ts';
import type { Alert } from '../../src/monitor/alert.ts';
import type { Ran } from '../cli/daybook.ts';
import { organisations, product } from '../cli/organisations.ts';
import { startHook } from './hook.ts';

test('each alert is told once: by the exit code, on stderr and to the webhook', async () => {
  const org = await organisations();
  onTestFinished(() => org.leave());
  const hook = await startHook();
  const policy = (await readFile(org.path('data/log.policy'), 'utf8')).trimEnd().split('\n');
  const { spki } = await readPublicKeyFile(org.path('agency.pub'));
  const config = {
    data: 'watch',
    logs: [{ policy, url: org.url.href }],
    keys: { agency: encodeBase64(spki) },
    rules: [
      { rule: 'unexpected-release', purls: ['pkg:generic/acme/*'], keys: ['agency'] },
      { rule: 'new-issuer', known: ['agency'] },
      { rule: 'unconfirmed', after: '1s', approvals: { threshold: 1, keys: ['agency'] } },
      { rule: 'withdrawal' },
    ],
    alerts: { webhooks: [{ url: hook.url, secretFile: 'hook.secret' }] },
  };
  await org.write('monitor.json', JSON.stringify(config));
  const check = (): Promise<Ran> => org.run('monitor', 'check', '--config', 'monitor.json');
  expect((await check()).stderr).toContain('hook.secret');
  await org.write('hook.secret', 'a secret of the right length');
  await chmod(org.path('hook.secret'), 0o600);
  const checked = await check();
  expect(checked).toMatchObject({ exit: 0, stderr: '' });
  expect(checked.stdout).toContain('rule withdrawal: notice, on every log');

  expect((await org.run('monitor', 'init', '--data', 'watch')).exit).toBe(0);
  const once = (): Promise<Ran> =>
    org.run('monitor', '--config', 'monitor.json', '--once', '--log-level', 'warn');
  await org.write('scanner', 'a build');
  expect((await org.as('vendor', 'release', 'scanner', '--purl', product)).stderr).toBe('');
  const first = await once();
  expect(first.exit).toBe(42);
  expect(first.stderr).toMatch(/\d new alerts/);
  expect(first.stderr).toContain('The registrar admitted the issuer uni');
  const told = (): string[] =>
    hook.received.map(({ body }) => (JSON.parse(body) as Alert).rule).sort();
  expect(told().filter((rule) => rule !== 'unconfirmed')).toEqual([
    'new-issuer',
    'new-issuer',
    'unexpected-release',
  ]);

  // Longer than `after`: the release is overdue, if it was not at the end of a slow first run.
  await delay(1100);
  await once();
  expect(told()).toContain('unconfirmed');
  expect(
    (await org.as('vendor', 'withdraw', 'scanner', '--purl', product, '--reason', 'bad')).exit,
  ).toBe(0);
  expect((await once()).exit).toBe(42);
  const quiet = await once();
  expect(quiet).toMatchObject({ exit: 0, stderr: '' });
  expect(told().slice(2)).toEqual([
    'unconfirmed',
    'unexpected-release',
    'unexpected-release',
    'withdrawal',
  ]);
  expect(new Set(hook.taken).size).toBe(hook.taken.length);
}, 120_000);
