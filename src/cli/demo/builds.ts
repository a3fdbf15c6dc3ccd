/** Real builds that are on every machine where Daybook is: nothing is made up for the demo, or downloaded. */
import { execFile } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { copyFile, cp, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DaybookError } from '../../errors.ts';

/** Folder of an installed package, as `from` (a file) would import it. */
function packageFolder(name: string, from: string): string {
  let folder = dirname(createRequire(from).resolve(name));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** Node's own binary, as `directory`/node. */
export async function nodeBinary(directory: string): Promise<void> {
  await copyFile(process.execPath, join(directory, 'node'), constants.COPYFILE_FICLONE);
}

/** The addons of LevelDB, built for eight platforms, as `directory`/addons. */
export async function prebuiltAddons(directory: string): Promise<void> {
  const level = join(packageFolder('level', import.meta.filename), 'package.json');
  const prebuilds = join(packageFolder('classic-level', level), 'prebuilds');
  await cp(prebuilds, join(directory, 'addons'), { recursive: true });
}

/** Two installed npm packages, packed as npm publishes them. Returns the files' paths from `directory`. */
export async function packedPackages(directory: string): Promise<string[]> {
  await mkdir(join(directory, 'packages'));
  const folders = ['koa', 'pino'].map((name) => packageFolder(name, import.meta.filename));
  const options = ['--ignore-scripts', '--json', '--pack-destination', 'packages'];
  try {
    const { stdout } = await promisify(execFile)('npm', ['pack', ...options, ...folders], {
      cwd: directory,
    });
    const packed = JSON.parse(stdout) as { filename: string }[];
    return packed.map(({ filename }) => join('packages', filename));
  } catch (cause) {
    throw new DaybookError(
      'file-unreadable',
      'the demo packs two packages with npm, which did not work: is npm on the PATH?',
      { cause },
    );
  }
}
