import { rm, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { closedPort, daybook, removeDirectory, temporaryDirectory, type Ran } from './daybook.ts';
import { startLog, type RunningLog } from './running-log.ts';

let directory: string;
let log: RunningLog;
beforeAll(async () => {
  directory = await temporaryDirectory();
  log = await startLog(join(directory, 'data'), ['--interval-ms', '50']);
  for (const name of ['a', 'b', 'c', 'stranger'])
    await createKeyFile(join(directory, name), 'ed25519');
});
afterAll(async () => {
  await log.stop();
  await removeDirectory(directory);
});

const issuer = (action: string, ...args: readonly string[]): Promise<Ran> =>
  daybook(directory, 'issuer', action, '--data', 'data', ...args);

interface Listed {
  readonly name: string;
  readonly roles: string[];
  readonly purls: string[];
  readonly revoked: boolean;
}

async function listed(): Promise<Listed[]> {
  const { stdout } = await issuer('list', '--json');
  const issuers = JSON.parse(stdout) as Listed[];
  return issuers.map(({ name, roles, purls, revoked }) => ({ name, roles, purls, revoked }));
}

const add = (name: string, ...more: readonly string[]): Promise<Ran> =>
  issuer('add', '--name', name, '--key', `${name}.pub`, '--purl', `pkg:generic/${name}/*`, ...more);

test('admits, changes and revokes issuers of the running log', async () => {
  expect((await issuer('list')).stdout).toContain('no issuer');
  expect(await add('a')).toMatchObject({
    exit: 0,
    stdout: expect.stringContaining('entry 1') as string,
  });
  const expected = { name: 'a', roles: ['release'], purls: ['pkg:generic/a/*'], revoked: false };
  expect(await listed()).toEqual([expected]);

  // Repeated, as after a lost answer, it finds its work done.
  expect(await add('a')).toMatchObject({
    exit: 0,
    stdout: expect.stringContaining('nothing to do') as string,
  });

  const change = await issuer(
    'change',
    '--name',
    'a',
    '--role',
    'release',
    'provenance',
    '--purl',
    'pkg:generic/a/x',
    'pkg:npm/a',
  );
  expect(change.exit).toBe(0);
  const changed = {
    ...expected,
    roles: ['release', 'provenance'],
    purls: ['pkg:generic/a/x', 'pkg:npm/a'],
  };
  expect(await listed()).toEqual([changed]);
  expect((await issuer('change', '--key', 'a.pub', '--name', 'renamed')).exit).toBe(0);
  expect(await listed()).toEqual([{ ...changed, name: 'renamed' }]);

  expect((await issuer('revoke', '--name', 'renamed')).exit).toBe(0);
  expect(await listed()).toMatchObject([{ name: 'renamed', revoked: true }]);
  expect((await issuer('revoke', '--key', 'a.pub')).stdout).toContain('nothing to do');
  expect((await issuer('list')).stdout).toContain('renamed (revoked)');
  // A revoked key never comes back.
  expect(await add('a')).toMatchObject({
    exit: 4,
    stderr: expect.stringContaining('not-admitted') as string,
  });
});

test('does its work though others admit at the same time', async () => {
  const before = (await listed()).length;
  const outcomes = await Promise.all([add('b'), add('c')]);
  expect(outcomes.map(({ exit }) => exit)).toEqual([0, 0]);
  expect((await listed()).length).toBe(before + 2);
});

test.each([
  ['a key that is not the registrar’s', ['--registrar', 'stranger'], 4, 'none of this log'],
  ['a scope that is a glob over text', ['--purl', 'pkg:generic/ac*'], 16, '* must be the whole'],
])('refuses %s', async (_, more, exit, reason) => {
  const ran = await issuer(
    'add',
    '--name',
    'x',
    '--key',
    'stranger.pub',
    '--purl',
    'pkg:generic/x/*',
    ...more,
  );
  expect(ran).toMatchObject({ exit, stderr: expect.stringContaining(reason) as string });
});

test('asks which issuer is meant', async () => {
  expect(await issuer('revoke')).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('--name or --key') as string,
  });
  expect(await issuer('revoke', '--name', 'nobody')).toMatchObject({
    exit: 2,
    stderr: expect.stringContaining('0 issuers') as string,
  });
});

test('says how to start the log when none runs, and how to find the right one', async () => {
  const none = await daybook(directory, 'issuer', 'list', '--data', 'elsewhere');
  expect(none).toMatchObject({
    exit: 3,
    stderr: expect.stringContaining('daybook serve --data elsewhere') as string,
  });

  const file = join(directory, 'data', 'server.json');
  const server = await readFile(file, 'utf8');
  await writeFile(file, server.replace(/"origin":"[^"]*"/, '"origin":"other.example"'));
  expect((await issuer('list')).stderr).toContain('wrong-directory');
  await writeFile(file, server.replace(/localhost:\d+/, `127.0.0.1:${await closedPort()}`));
  expect(await issuer('list')).toMatchObject({
    exit: 3,
    stderr: expect.stringContaining('daybook serve') as string,
  });
  await rm(file);
  expect((await issuer('list')).exit).toBe(3);
  await writeFile(file, server);
});
