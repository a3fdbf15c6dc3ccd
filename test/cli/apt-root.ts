/** A Debian system of its own in a directory, that the real apt-get and dpkg work on; and a repository. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Ran } from './daybook.ts';

/** The real apt-get's `DPkg::Pre-Install-Pkgs` comes from its etc/apt/apt.conf.d. */
export interface AptRoot {
  readonly path: string;
  readonly repository: string;
  /** Builds a package with one program of its name in the repository; gives the path of the .deb. */
  build(name: string, version: string): Promise<string>;
  /** Makes the repository's index anew from these, and has APT read it. */
  publish(...debs: readonly string[]): Promise<void>;
  apt(...args: readonly string[]): Promise<Ran>;
  /** Installed packages and versions, as dpkg has it. */
  installed(): Promise<string>;
}

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Promise((done) => {
    const options = {
      env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', ...env },
    };
    execFile(program, args, options, (error, stdout, stderr) => {
      const exit = error === null ? 0 : typeof error.code === 'number' ? error.code : null;
      done({ exit, stdout, stderr });
    });
  });
}

async function must(running: Promise<Ran>): Promise<string> {
  const { exit, stdout, stderr } = await running;
  if (exit !== 0) throw new Error(stderr + stdout);
  return stdout;
}

/** The package's control file and the lines that an index has beside it. */
async function indexed(deb: string): Promise<string> {
  const control = await must(run('dpkg-deb', ['--field', deb]));
  const sha256 = createHash('sha256')
    .update(await readFile(deb))
    .digest('hex');
  const { size } = await stat(deb);
  return `${control.trim()}\nFilename: ./${basename(deb)}\nSize: ${size}\nSHA256: ${sha256}\n`;
}

export async function aptRoot(path: string): Promise<AptRoot> {
  const repository = join(path, 'repository');
  for (const folder of [
    'repository',
    'build',
    'etc/apt/apt.conf.d',
    'etc/apt/preferences.d',
    'var/lib/dpkg/info',
    'var/lib/dpkg/updates',
    'var/lib/dpkg/triggers',
    'var/lib/apt/lists/partial',
    'var/cache/apt/archives/partial',
    'var/log/apt',
  ]) {
    await mkdir(join(path, folder), { recursive: true });
  }
  await writeFile(join(path, 'var/lib/dpkg/status'), '');
  await writeFile(join(path, 'var/lib/dpkg/available'), '');
  await writeFile(join(path, 'etc/apt/sources.list'), `deb [trusted=yes] file:${repository} ./\n`);
  const configuration = join(path, 'apt.conf');
  await writeFile(
    configuration,
    [
      `Dir "${path}";`,
      `Dir::State::status "${path}/var/lib/dpkg/status";`,
      `Dir::Bin::methods "/usr/lib/apt/methods";`,
      `DPkg::Options { "--root=${path}"; "--force-not-root"; "--force-script-chrootless"; "--log=${path}/var/log/dpkg.log"; };`,
      'APT::Sandbox::User "";',
      'APT::Install-Recommends "false";',
      '',
    ].join('\n'),
  );
  const apt: AptRoot['apt'] = (...args) =>
    run('apt-get', ['-y', ...args], { APT_CONFIG: configuration });
  return {
    path,
    repository,
    apt,
    async build(name, version) {
      const tree = join(path, 'build', `${name}-${version}`);
      await mkdir(join(tree, 'DEBIAN'), { recursive: true });
      await mkdir(join(tree, 'usr/bin'), { recursive: true });
      await writeFile(join(tree, 'usr/bin', name), `#!/bin/sh\necho ${name} ${version}\n`);
      await chmod(join(tree, 'usr/bin', name), 0o755);
      const control = [
        `Package: ${name}`,
        `Version: ${version}`,
        'Architecture: all',
        'Maintainer: Acme <release@acme.example>',
        `Description: the ${name} of a test`,
        '',
      ];
      await writeFile(join(tree, 'DEBIAN/control'), control.join('\n'));
      const deb = join(repository, `${name}_${version}_all.deb`);
      await must(run('dpkg-deb', ['--root-owner-group', '--build', tree, deb]));
      return deb;
    },
    async publish(...debs) {
      const entries = await Promise.all(debs.map(indexed));
      await writeFile(join(repository, 'Packages'), entries.join('\n'));
      await must(apt('update'));
    },
    async installed() {
      const format = '${db:Status-Abbrev}${Package} ${Version}\n';
      const args = [`--admindir=${path}/var/lib/dpkg`, '--show', '--showformat', format];
      const { stdout } = await run('dpkg-query', args);
      return stdout.replace(/^ii +/gm, '').trim();
    },
  };
}
