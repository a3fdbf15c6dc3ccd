/** The hook under the real apt-get and dpkg, which work on a system of their own. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFile,
  chmod,
  chown,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { aptRoot, type AptRoot } from './apt-root.ts';
import { gateScene, type Scene } from './gate-scene.ts';

let scene: Scene;
let root: AptRoot;
const debs = new Map<string, string>();

/** In the policy beside the vendor: who answers for the distribution's packages. */
async function admitDistribution(): Promise<void> {
  const { publicKey } = await createKeyFile(scene.path('distribution'), 'ed25519');
  const scope = ['--role', 'release', '--purl', 'pkg:deb/debian/*'];
  const named = ['--name', 'distribution', '--key', 'distribution.pub'];
  await scene.must(scene.run('issuer', 'add', '--data', 'data', ...named, ...scope));
  const policy = JSON.parse(await readFile(scene.path('policy.json'), 'utf8')) as {
    keys: Record<string, unknown>;
    products: unknown[];
  };
  policy.keys.distribution = { key: encodeBase64(publicKey.spki) };
  policy.products.push({ purl: 'pkg:deb/debian/*', issuers: ['distribution'] });
  await writeFile(scene.path('policy.json'), JSON.stringify(policy));
}

async function build(name: string, version: string): Promise<string> {
  const deb = await root.build(name, version);
  debs.set(`${name} ${version}`, deb);
  return deb;
}

const containing = (text: string): unknown => expect.stringContaining(text);
const deb = (named: string): string => debs.get(named) ?? '';
/** Released, current beside the others, and with its release file in the repository. */
async function release(named: string): Promise<void> {
  const purl = `pkg:generic/acme/${named.replace(' ', '@')}`;
  const path = deb(named);
  await scene.must(scene.as('vendor', 'release', path, '--purl', purl));
  const listing = ['--add', `${path}=${purl}`, '--expires', '24h'];
  await scene.must(scene.as('vendor', 'channel', 'publish', 'acme/stable', ...listing));
  await scene.must(scene.ask('bundle', path, '--channel', 'acme/stable'));
}
const setUp = (...options: string[]): ReturnType<Scene['run']> =>
  scene.run(
    ...['apt-hook', '--policy', 'policy.json', '--state', 'apt-state', ...options],
    ...['--install', `${root.path}/etc/apt/apt.conf.d/05daybook`],
  );

beforeAll(async () => {
  scene = await gateScene();
  await admitDistribution();
  root = await aptRoot(scene.path('root'));
  for (const named of ['scanner 1.0', 'scanner 1.1', 'rules 1.0', 'stray 1.0']) {
    const [name = '', version = ''] = named.split(' ');
    await build(name, version);
  }
  await release('scanner 1.0');
  await release('rules 1.0');
  await root.publish(deb('scanner 1.0'), deb('rules 1.0'), deb('stray 1.0'));
  await scene.must(setUp('--releases', root.repository));
});
afterAll(() => scene.leave());

describe('apt-get install', () => {
  test('installs nothing at all when one package of the run is not in the log', async () => {
    const { exit, stderr } = await root.apt('install', 'scanner', 'stray');
    expect({ exit, stderr }).toMatchObject({
      exit: 100,
      stderr: containing('REFUSED  stray 1.0'),
    });
    expect(stderr).toContain('1 of 2 packages are refused, so APT installs none');
    expect(await root.installed()).toBe('');
    expect(await readdir(root.path)).not.toContain('usr');
  });

  test('installs what the policy lets through', async () => {
    const { exit, stderr } = await root.apt('install', 'scanner', 'rules');
    expect({ exit, stderr }).toMatchObject({
      exit: 0,
      stderr: containing('2 packages pass'),
    });
    expect(await root.installed()).toBe('rules 1.0\nscanner 1.0');
  });

  test('finds a release file by the digest of the package too', async () => {
    const named = `${deb('rules 1.0')}.release`;
    const sha256 = createHash('sha256').update(await readFile(deb('rules 1.0')));
    const byDigest = join(root.repository, `${sha256.digest('hex')}.release`);
    await root.apt('remove', 'rules');
    await rename(named, byDigest);
    expect(await root.apt('install', 'rules')).toMatchObject({ exit: 0 });
    expect(await root.installed()).toContain('rules 1.0');
    await rename(byDigest, named);
  });

  test('removes without asking', async () => {
    expect(await root.apt('remove', 'rules')).toMatchObject({ exit: 0, stderr: '' });
    expect(await root.installed()).toBe('scanner 1.0');
  });

  test('upgrades to a newer release, and does not go back to an older one', async () => {
    await release('scanner 1.1');
    await root.publish(deb('scanner 1.0'), deb('scanner 1.1'));
    expect(await root.apt('upgrade')).toMatchObject({ exit: 0 });
    expect(await root.installed()).toBe('scanner 1.1');
    const back = await root.apt('install', '--allow-downgrades', 'scanner=1.0');
    expect(back).toMatchObject({ exit: 100, stderr: containing('downgrade') });
    expect(await root.installed()).toBe('scanner 1.1');
  });

  test('refuses a package that was exchanged together with the index of its repository', async () => {
    await root.apt('remove', 'scanner');
    const good = await readFile(deb('scanner 1.1'));
    const usual = join(root.path, 'build/scanner-1.1/usr/bin/scanner');
    await appendFile(usual, 'echo evil\n');
    await root.build('scanner', '1.1');
    await root.publish(deb('scanner 1.1'));
    const { exit, stderr } = await root.apt('install', 'scanner');
    expect({ exit, stderr }).toMatchObject({
      exit: 100,
      stderr: containing('(artifact-mismatch'),
    });
    expect(await root.installed()).toBe('');
    await writeFile(deb('scanner 1.1'), good);
  });

  test('refuses a local file that another user may exchange', async () => {
    for (const [spoil, heal] of [
      [() => chmod(deb('scanner 1.1'), 0o666), () => chmod(deb('scanner 1.1'), 0o644)],
      [() => chown(root.repository, 1234, 0), () => chown(root.repository, 0, 0)],
    ] as const) {
      await spoil();
      const { exit, stderr } = await root.apt('install', deb('scanner 1.1'));
      expect({ exit, stderr }).toMatchObject({
        exit: 100,
        stderr: containing('after the check'),
      });
      await heal();
    }
    expect(await root.apt('install', deb('scanner 1.1'))).toMatchObject({ exit: 0 });
  });
});

describe('packages of the distribution', () => {
  const names = ['media-types', 'netbase'];

  test('are refused until somebody whom the policy names has logged them', async () => {
    const download = join(root.path, 'build');
    const apt = (...args: string[]): Promise<unknown> =>
      promisify(execFile)('apt-get', args, { cwd: download });
    await apt('download', ...names).catch(async () => {
      await apt('update');
      await apt('download', ...names);
    });
    const found = (await readdir(download)).filter((name) => name.endsWith('.deb'));
    expect(found).toHaveLength(names.length);
    for (const name of found) await rename(join(download, name), join(root.repository, name));
    const paths = found.map((name) => join(root.repository, name));
    await root.publish(...paths);
    await scene.must(setUp('--log', scene.url.href));
    const refused = await root.apt('install', ...names);
    expect(refused).toMatchObject({
      exit: 100,
      stderr: containing('2 of 2 packages are refused'),
    });
    for (const path of paths) {
      const [name, version] = basename(path).split('_');
      const purl = `pkg:deb/debian/${name}@${decodeURIComponent(version ?? '')}`;
      await scene.must(scene.as('distribution', 'release', path, '--purl', purl));
    }
    const installed = await root.apt('install', ...names);
    expect({ ...installed, stdout: '' }).toMatchObject({ exit: 0 });
    expect(await root.installed()).toMatch(/^media-types .*\nnetbase /m);
  });
});

describe('what makes the hook fail makes APT stop', () => {
  test.each<[string, () => Promise<unknown>, () => Promise<unknown>]>([
    [
      'a damaged memory',
      () => writeFile(scene.path('apt-state/trust.json'), '{'),
      () => rm(scene.path('apt-state/trust.json')),
    ],
    [
      'a policy that is gone',
      () => rename(scene.path('policy.json'), scene.path('gone.json')),
      () => rename(scene.path('gone.json'), scene.path('policy.json')),
    ],
    [
      'an older protocol',
      () =>
        writeFile(
          `${root.path}/etc/apt/apt.conf.d/06`,
          `DPkg::Tools::Options::${process.execPath}::Version "2";\n`,
        ),
      () => rm(`${root.path}/etc/apt/apt.conf.d/06`),
    ],
  ])('%s', async (_, spoil, heal) => {
    await root.publish(deb('rules 1.0'));
    await scene.must(setUp('--releases', root.repository, '--log', scene.url.href));
    await spoil();
    expect(await root.apt('install', 'rules')).toMatchObject({ exit: 100 });
    expect(await root.installed()).not.toContain('rules');
    await heal();
  });

  test('a path that APT or the shell would read otherwise is not written down', async () => {
    const { exit, stderr } = await setUp('--releases', 'a"; evil');
    expect({ exit, stderr }).toMatchObject({ exit: 2, stderr: containing('evil') });
  });
});

test('three commands of docs/apt.md set it up', async () => {
  const document = await readFile('docs/apt.md', 'utf8');
  const commands = /^```text\n(install .*?)^```$/ms.exec(document)?.[1]?.trim().split('\n') ?? [];
  expect(commands).toHaveLength(3);
  const state = join(root.path, 'var/lib/daybook');
  await rm(`${root.path}/etc/apt/apt.conf.d/05daybook`);
  await root.apt('remove', 'scanner');
  await root.publish(deb('scanner 1.1'));
  const script = commands
    .join('\n')
    .replaceAll(' /etc/', ` ${root.path}/etc/`)
    .replaceAll('/var/lib/daybook', state)
    .replaceAll('https://log.acme.example', scene.url.href)
    .replaceAll(/^daybook/gm, `"${process.execPath}" "${process.cwd()}/src/cli/main.ts"`)
    .replaceAll(/^apt-get/gm, 'apt-get -y');
  const env = { ...process.env, APT_CONFIG: join(root.path, 'apt.conf') };
  await promisify(execFile)('sh', ['-euc', script], { cwd: scene.directory, env });
  expect(await root.installed()).toContain('scanner 1.1');
  expect(await readdir(state)).toContain('trust.json');
});

test('the configuration that docs/apt.md writes by hand works, and not without its second line', async () => {
  const document = await readFile('docs/apt.md', 'utf8');
  const snippet = /^```text\n(DPkg::Pre.*?)^```$/ms.exec(document)?.[1] ?? '';
  const program = scene.path('daybook');
  const main = `exec "${process.execPath}" "${process.cwd()}/src/cli/main.ts" "$@"`;
  await writeFile(program, `#!/bin/sh\n${main}\n`, { mode: 0o755 });
  const text = snippet
    .replaceAll('/usr/bin/daybook', program)
    .replaceAll('/etc/daybook/policy.json', scene.path('policy.json'))
    .replaceAll('/var/lib/daybook', join(root.path, 'var/lib/daybook'))
    .replaceAll('https://log.acme.example', scene.url.href);
  const configuration = `${root.path}/etc/apt/apt.conf.d/05daybook`;
  await root.apt('remove', 'scanner');
  await writeFile(configuration, text.split('\n')[0] ?? '');
  expect(await root.apt('install', 'scanner')).toMatchObject({
    exit: 100,
    stderr: containing('VERSION 3'),
  });
  expect(await root.installed()).not.toContain('scanner');
  await writeFile(configuration, text);
  expect(await root.apt('install', 'scanner')).toMatchObject({
    exit: 0,
    stderr: containing('1 packages pass'),
  });
});
