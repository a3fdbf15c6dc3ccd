/** A vendor's key is replaced, then revoked: by admission entries of the log, and by the index in a policy. */
import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { createKeyFile, readPublicKeyFile } from '../../src/keys/key-file.ts';
import { gateScene, scriptText, type Scene } from '../cli/gate-scene.ts';

let scene: Scene;
/** Index of the entry that revokes the old key. */
let revokedAt: number;

beforeAll(async () => {
  scene = await gateScene();
  await createKeyFile(scene.path('successor'), 'ed25519');
});
afterAll(() => scene.leave());

const issuer = (...args: string[]): ReturnType<Scene['run']> =>
  scene.run('issuer', ...args, '--data', 'data');

async function policy(until?: number): Promise<void> {
  await scene.policy({ issuers: ['vendor', 'successor'], channels: [] });
  const json = JSON.parse(await readFile(scene.path('policy.json'), 'utf8')) as {
    keys: Record<string, object>;
  };
  const successor = await readPublicKeyFile(scene.path('successor.pub'));
  json.keys.successor = { key: encodeBase64(successor.spki) };
  if (until !== undefined) json.keys.vendor = { ...json.keys.vendor, until };
  await writeFile(scene.path('policy.json'), JSON.stringify(json));
}

async function file(name: string): Promise<void> {
  await writeFile(scene.path(name), scriptText(name));
}

test('both keys release while one takes over from the other', async () => {
  await file('old');
  const purl = (version: string): string[] => ['--purl', `pkg:generic/acme/scanner@${version}`];
  await scene.must(scene.as('vendor', 'release', 'old', ...purl('10')));
  const admitted = ['--name', 'vendor', '--key', 'successor.pub', '--purl', 'pkg:generic/acme/*'];
  await scene.must(issuer('add', ...admitted));
  await file('new');
  await scene.must(scene.as('successor', 'release', 'new', ...purl('11')));
  await policy();
  for (const name of ['old', 'new']) {
    const proof = ['--proof', `${name}.tlog-proof`];
    expect(await scene.gate(name, ['sh', '{}'], ...proof)).toMatchObject({
      exit: 0,
      stdout: `${name}\n`,
    });
  }
});

test('a revoked key logs nothing more, and what it logged before still counts', async () => {
  const { stdout } = await scene.must(issuer('revoke', '--key', 'vendor.pub'));
  revokedAt = Number(/entry (\d+) of/.exec(stdout)?.[1]);
  await file('stolen');
  const stolen = await scene.as(
    'vendor',
    'release',
    'stolen',
    '--purl',
    'pkg:generic/acme/scanner@12',
  );
  expect({ exit: stolen.exit, says: stolen.stderr.includes('was revoked') }).toEqual({
    exit: 4,
    says: true,
  });
  await policy(revokedAt);
  const fresh = ['--state', 'other-client'];
  expect(
    await scene.gate('old', ['sh', '{}'], '--proof', 'old.tlog-proof', ...fresh),
  ).toMatchObject({ exit: 0 });
});

test('an older entry of a key that counts only before an index is refused from that index on', async () => {
  const verify = [
    'verify',
    'old',
    '--policy',
    'policy.json',
    '--proof',
    'old.tlog-proof',
    '--json',
  ];
  const { stdout } = await scene.run(...verify, '--state', 'third-client');
  const { facts } = JSON.parse(stdout) as { facts: { index: number } };
  await policy(facts.index + 1);
  expect(await scene.run(...verify, '--state', 'third-client')).toMatchObject({ exit: 0 });
  await policy(facts.index);
  expect(await scene.run(...verify, '--state', 'third-client')).toMatchObject({ exit: 17 });
});

test('a key that the log never admitted gets nothing into it', async () => {
  await createKeyFile(scene.path('thief'), 'ed25519');
  await copyFile(scene.path('new'), scene.path('mine'));
  const ran = await scene.as('thief', 'release', 'mine', '--purl', 'pkg:generic/acme/scanner@13');
  expect({ exit: ran.exit, says: ran.stderr.includes('no issuer') }).toEqual({
    exit: 4,
    says: true,
  });
});
