import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { bytesOf, keyOf, product, sound, type Json } from '../verify/policy-drafts.ts';
import { daybook, removeDirectory, temporaryDirectory, type Ran } from './daybook.ts';

let directory: string;
let keys: Json;
beforeAll(async () => {
  directory = await temporaryDirectory();
  const made = await Promise.all(
    ['alice', 'bob', 'eve', 'mallory'].map(async (name) => {
      const signer = await createKeyFile(join(directory, name), 'ed25519');
      return [name, keyOf(signer)] as const;
    }),
  );
  const [, , , [, mallory]] = made as [unknown, unknown, unknown, (typeof made)[0]];
  keys = { ...(sound.keys as Json), ...(Object.fromEntries(made) as Json), mallory };
  await mkdir(join(directory, 'updates'));
});
afterAll(() => removeDirectory(directory));

const policy = (...args: readonly string[]): Promise<Ran> => daybook(directory, 'policy', ...args);
const path = (name: string): string => join(directory, name);
const containing = (text: string): string => expect.stringContaining(text) as string;

async function draft(name: string, members: Json = {}): Promise<void> {
  await writeFile(path(name), bytesOf({ ...sound, keys, ...members }));
}

async function sign(version: number, out: string, ...by: string[]): Promise<Ran> {
  await draft('draft.json', { version });
  return policy('sign', 'draft.json', '--key', ...by, '--out', out);
}

test('check says what a policy demands, and what is weak', async () => {
  await draft('weak.json', { products: [{ ...product, downgrade: 'allow' }] });
  const weak = await policy('check', 'weak.json');
  expect(weak).toMatchObject({ exit: 0, stdout: containing('must be released by release (Acme)') });
  expect(weak.stdout).toMatch(/^warning +downgrade-allowed +pkg:generic\/acme\/\*: an old/m);
  expect(weak.stdout).toMatch(/^warning +key-unused +the key mallory/m);

  await draft('wrong.json', {
    products: [{ ...product, rebuilds: { threshold: 1, keys: ['ci'] } }],
  });
  const wrong = await policy('check', 'wrong.json', '--json');
  expect(wrong.exit).toBe(11);
  expect(JSON.parse(wrong.stdout)).toMatchObject({
    ok: false,
    version: 3,
    findings: expect.arrayContaining([expect.objectContaining({ code: 'own-key' })]) as unknown,
  });

  const signed = await policy('sign', 'wrong.json', '--key', 'alice', '--out', 'wrong.policy');
  expect(signed).toMatchObject({ exit: 0, stderr: containing('error  own-key') });

  const none = await policy('check', 'alice.pub');
  expect(none).toMatchObject({ exit: 11, stderr: containing('release policy refused') });
});

test('sign takes one signature after the other, and check counts them', async () => {
  expect((await sign(3, 'one.policy', 'alice')).stdout).toContain(
    'version 3, signed by alice of its own root keys, which need 2',
  );
  expect(await policy('check', 'one.policy')).toMatchObject({
    exit: 11,
    stdout: containing('policy-unsigned'),
  });
  const again = await policy('sign', 'one.policy', '--key', 'alice', 'eve', '--out', 'two.policy');
  expect(again.stdout).toContain('signed by alice, eve of');
  const { signatures } = JSON.parse(await readFile(path('two.policy'), 'utf8')) as Json;
  expect(signatures).toHaveLength(2);
  expect((await policy('check', 'two.policy')).exit).toBe(0);

  const stranger = await createKeyFile(path('stranger'), 'ed25519');
  const more = await policy('sign', 'one.policy', '--key', 'stranger', '--out', 'x.policy');
  expect(more.stderr).toContain(`${stranger.publicKey.fingerprint} is not in this policy`);
});

test('update walks to the newest version, and never back', async () => {
  await sign(3, 'client.policy', 'alice', 'bob');
  await sign(4, 'updates/4.policy', 'bob', 'eve');
  await sign(5, 'updates/5.policy', 'alice', 'eve');
  await copyFile(path('client.policy'), path('old.policy'));
  const update = (name = 'client.policy', from = 'updates'): Promise<Ran> =>
    policy('update', '--policy', name, '--from', from);
  expect((await update()).stdout).toContain('updated from version 3 to 5');
  expect(await readFile(path('client.policy'))).toEqual(await readFile(path('updates/5.policy')));
  expect((await update()).stdout).toContain('has version 5, the newest in updates');

  // Signed by too few: what verified before it is kept.
  await sign(6, 'updates/6.policy', 'alice', 'bob');
  await sign(7, 'updates/7.policy', 'alice', 'mallory');
  expect(await update()).toMatchObject({
    exit: 36,
    stderr: containing('7.policy: policy is signed by alice'),
  });
  expect(await readFile(path('client.policy'))).toEqual(await readFile(path('updates/6.policy')));
  await rm(path('updates/7.policy'));

  // An old policy in the place of the new one, with its updates withheld.
  await mkdir(path('empty'));
  expect(await update('old.policy', 'empty')).toMatchObject({
    exit: 37,
    stderr: containing('has version 3, but version 6 was used before'),
  });
  await copyFile(path('updates/5.policy'), path('updates/7.policy'));
  expect(await update()).toMatchObject({ exit: 37, stderr: containing('version 5, want 7') });
  await rm(path('updates/7.policy'));
  expect(await update('client.policy', 'nowhere')).toMatchObject({ exit: 3 });
  expect(await update('client.policy', 'alice.pub')).toMatchObject({ exit: 2 });
});

test('update reads from a web server too', async () => {
  const server: Server = createServer((request, response) => {
    readFile(path(`updates${request.url?.replace('/policies', '')}`)).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/policies`;
  await sign(3, 'web.policy', 'alice', 'bob');
  const ran = await policy('update', '--policy', 'web.policy', '--from', url, '--state', 'web');
  server.close();
  expect(ran).toMatchObject({ exit: 0, stdout: containing('updated from version 3 to 6') });
});
