/** An AV vendor's update of 10,000 signature files, from release to gate; then one in which 200 changed. */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { gateScene, type Scene } from '../cli/gate-scene.ts';

const FILES = 10_000;
const CHANGED = 200;
let scene: Scene;
// Thousands of files on a busy machine.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

beforeAll(async () => {
  scene = await gateScene();
  await scene.policy({
    channels: [{ channel: 'acme/stable', keys: ['vendor'], maxAge: '25h', grace: '7d' }],
  });
  for (let folder = 0; folder < 100; folder++) {
    await mkdir(scene.path(`bases/${folder}`), { recursive: true });
  }
  await write(FILES, 'first');
});
afterAll(() => scene.leave());

/** The first `count` files. */
async function write(count: number, edition: string): Promise<void> {
  for (let i = 0; i < count; i++) {
    await writeFile(scene.path(`bases/${i % 100}/${i}.sig`), `signature ${i} of the ${edition}\n`);
  }
}

async function update(version: string): Promise<void> {
  const purl = `pkg:generic/acme/av-bases@${version}`;
  const kind = ['--kind', 'av-update'];
  await scene.must(scene.as('vendor', 'release', 'bases', '--purl', purl, ...kind));
  const listing = ['--release', `bases.SHA256SUMS=${purl}`, '--expires', '24h'];
  await scene.must(scene.as('vendor', 'channel', 'publish', 'acme/stable', ...listing));
  await scene.must(scene.ask('bundle', 'bases', '--channel', 'acme/stable'));
}

const install = 'mkdir -p installed && cp -r {}/. installed/';

test('all of the first update is checked, and installed as it was checked', async () => {
  await update('2026.11.24-01');
  const { exit, stderr } = await scene.gate('bases', ['sh', '-c', install]);
  expect({ exit, stderr }).toMatchObject({ exit: 0 });
  expect(stderr).toContain(`${FILES} of ${FILES} files were read`);
  const names = await readdir(scene.path('installed'), { recursive: true, withFileTypes: true });
  expect(names.filter((name) => name.isFile())).toHaveLength(FILES);
});

test('of the second update only what changed is read', async () => {
  await write(CHANGED, 'second');
  await update('2026.11.24-02');
  const { exit, stderr } = await scene.gate('bases', ['sh', '-c', `rm -rf installed; ${install}`]);
  expect({ exit, stderr }).toMatchObject({ exit: 0 });
  expect(stderr).toContain(`${CHANGED} of ${FILES} files were read`);
  expect(await readFile(scene.path('installed/99/199.sig'), 'utf8')).toContain('second');
  expect(await readFile(scene.path('installed/0/200.sig'), 'utf8')).toContain('first');
});

test('what a command did to its copy is not taken for verified the next time', async () => {
  const spoil = await scene.gate('bases', [
    'sh',
    '-c',
    'chmod u+w {}/7/7.sig; echo evil > {}/7/7.sig',
  ]);
  expect(spoil).toMatchObject({ exit: 0 });
  const { stdout, stderr } = await scene.gate('bases', ['sh', '-c', 'cat {}/7/7.sig']);
  expect(stdout).toBe('signature 7 of the second\n');
  expect(stderr).toContain(`1 of ${FILES} files were read`);
});

test.each<[string, (path: string) => Promise<void>, number]>([
  ['changed', (path) => writeFile(join(path, '5/5.sig'), 'evil'), 18],
  ['added', (path) => writeFile(join(path, '5/new.sig'), 'evil'), 18],
  ['missing', (path) => rm(join(path, '9/9.sig')), 18],
])('a file that is %s refuses the whole update', async (_, spoil, exit) => {
  await rm(scene.path('client/files'), { recursive: true, force: true });
  await spoil(scene.path('bases'));
  expect(await scene.gate('bases', ['sh', '-c', 'echo ran'])).toMatchObject({ exit, stdout: '' });
  await rm(scene.path('bases/5/new.sig'), { force: true });
  await write(CHANGED, 'second');
});
