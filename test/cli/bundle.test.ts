/** `daybook bundle`: from a real log to the file beside the artifact. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { mergeSignatures } from '../../src/note/add-checkpoint.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { signNote } from '../../src/note/sign.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { parsePolicy } from '../../src/verify/index.ts';
import { formatPolicy } from '../../src/verify/policy.ts';
import { showFile, type ShownFile } from '../../src/verify/shown.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { daybook, removeDirectory, temporaryDirectory, type Ran } from './daybook.ts';
import { startLog, type RunningLog } from './running-log.ts';

const purl = 'pkg:generic/acme/scanner@1.2.3';
let directory: string;
let log: RunningLog;
const path = (name: string): string => join(directory, name);
const run = (...args: readonly string[]): Promise<Ran> => daybook(directory, ...args);

beforeAll(async () => {
  directory = await temporaryDirectory();
  log = await startLog(path('data'), ['--interval-ms', '50']);
  await createKeyFile(path('key'), 'ed25519');
  const issuer = ['issuer', 'add', '--data', 'data', '--name', 'acme', '--key', 'key.pub'];
  const scopes = ['pkg:generic/acme/*', 'pkg:channel/acme/*'].flatMap((p) => ['--purl', p]);
  const roles = ['release', 'channel', 'approve'].flatMap((role) => ['--role', role]);
  expect(await run(...issuer, ...scopes, ...roles)).toMatchObject({ exit: 0 });
  await writeFile(path('scanner'), 'the build');
  await release('scanner');
  const verifier = ['--verifier', 'https://acme.example'];
  expect(await run('approve', 'scanner', ...verifier, ...signing())).toMatchObject({ exit: 0 });
});
afterAll(async () => {
  await log.stop();
  await removeDirectory(directory);
});

const signing = (): string[] => ['--log', log.url.href, '--key', 'key', '--purl', purl];
const bundle = (...args: readonly string[]): Promise<Ran> =>
  run('bundle', '--log', log.url.href, '--policy', 'data/log.policy', ...args);

async function release(name: string): Promise<void> {
  expect(await run('release', name, ...signing())).toMatchObject({ exit: 0 });
}

async function shown(file: string): Promise<ShownFile> {
  const policy = parsePolicy(await readFile(path('data/log.policy')));
  return showFile(await readFile(path(file)), policy, Date.now() / 1000, nodeVerifier);
}

test('writes all statements about a file, which verify without the log', async () => {
  const { exit, stdout } = await bundle('scanner');
  expect(exit).toBe(0);
  expect(stdout).toContain('release file: scanner.release');
  const file = await shown('scanner.release');
  expect(file.entries).toHaveLength(2);
  expect(stdout).toContain(`entries ${file.entries.map(({ index }) => index).join(', ')} of`);
});

test('takes the statements of a key alone', async () => {
  expect(await bundle('scanner', '--issuer', 'key.pub')).toMatchObject({ exit: 0 });
  await createKeyFile(path('other'), 'ed25519');
  const none = await bundle('scanner', '--issuer', 'other.pub', '--out', 'none.release');
  expect(none).toMatchObject({ exit: 3 });
  expect(none.stderr).toContain('no statement');
});

test('puts channels in, and writes where it is told', async () => {
  const channel = ['channel', 'publish', 'acme/stable', '--expires', '25h'];
  const current = ['--release', `scanner=${purl}`, '--log', log.url.href, '--key', 'key'];
  expect(await run(...channel, ...current)).toMatchObject({ exit: 0 });
  const options = ['scanner', '--channel', 'acme/stable', '--out', 'offline.release'];
  expect(await bundle(...options)).toMatchObject({ exit: 0 });
  expect((await shown('offline.release')).channels).toHaveLength(1);
});

test('proves against the checkpoint that a monitor cosigned, for a policy that wants it', async () => {
  const auditor = await newNoteSigner('monitor.example/audited', 0x04);
  const vkey = (await readFile(path('data/log.vkey'), 'utf8')).trim();
  const lines = [`log ${vkey}`, `witness audit ${formatVkey(auditor.key)}`, 'quorum audit'];
  const policy = parsePolicy(lines.join('\n'));
  await writeFile(path('audited.policy'), formatPolicy(policy));
  const newest = parseNote(await fetch(new URL('checkpoint', log.url)).then((r) => r.text()));
  const now = Math.floor(Date.now() / 1000);
  const { signatures } = await signNote(newest.text, [auditor], now);
  const cosigned = formatNote(mergeSignatures(newest, signatures));
  const asked: string[] = [];
  const monitor = createServer((req, res) => {
    asked.push(req.url ?? '');
    res.end(cosigned);
  });
  await new Promise<void>((resolve) => monitor.listen(0, '127.0.0.1', resolve));
  const { port } = monitor.address() as AddressInfo;
  const from = ['--log', log.url.href, '--policy', 'audited.policy', '--out', 'audited.release'];
  const channel = ['--channel', 'acme/stable'];
  const without = await run('bundle', 'scanner', ...from);
  expect(without).toMatchObject({ exit: 13 });
  const auditing = ['--auditor', `http://127.0.0.1:${port}/monitoring`];
  const ran = await run('bundle', 'scanner', ...channel, ...from, ...auditing);
  expect(ran).toMatchObject({ exit: 0 });
  const again = ['channel', 'publish', 'acme/stable', '--expires', '25h', '--key', 'key'];
  const current = ['--release', `scanner=${purl}`, '--log', log.url.href];
  expect(await run(...again, ...current)).toMatchObject({ exit: 0 });
  const early = await run('bundle', 'scanner', ...channel, ...from, ...auditing);
  monitor.close();
  expect(early).toMatchObject({ exit: 3 });
  expect(early.stderr).toContain('try again later');
  const { origin } = parseCheckpoint(newest.text);
  expect(new Set(asked)).toEqual(new Set([`/monitoring/${originHash(origin)}/checkpoint`]));
  const bytes = await readFile(path('audited.release'));
  const file = await showFile(bytes, policy, now, nodeVerifier);
  expect(file.entries.length).toBeGreaterThan(0);
  expect(file.channels).toHaveLength(1);
});

test('goes by the manifest of a directory', async () => {
  await mkdir(path('tree'));
  await writeFile(path('tree/a'), 'a');
  await release('tree');
  expect(await bundle('tree')).toMatchObject({ exit: 0 });
  const { entries } = await shown('tree.release');
  const options = ['tree/a', '--manifest', 'tree.SHA256SUMS'];
  expect(await bundle(...options)).toMatchObject({ exit: 0 });
  expect((await shown('tree/a.release')).entries).toEqual(entries);
});

test('leaves the old file where the log has nothing to put in', async () => {
  await writeFile(path('unknown'), 'nobody logged this');
  await writeFile(path('unknown.release'), 'old');
  expect(await bundle('unknown')).toMatchObject({ exit: 3 });
  expect(
    await bundle('scanner', '--channel', 'acme/none', '--out', 'unknown.release'),
  ).toMatchObject({ exit: 3 });
  expect(await readFile(path('unknown.release'), 'utf8')).toBe('old');
  const wrong = await bundle('scanner', '--channel', 'stable');
  expect(wrong).toMatchObject({ exit: 2 });
  expect(wrong.stderr).toContain('--channel');
  expect(await bundle('missing')).toMatchObject({ exit: 3 });
});
