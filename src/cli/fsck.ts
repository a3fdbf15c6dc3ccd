/** `daybook fsck`: recomputes a log from its entries and names all that disagrees. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { errorKinds } from '../errors.ts';
import { fsck } from '../log/fsck.ts';
import { print, printJson } from './output.ts';

interface FsckFlags {
  readonly data: string;
  readonly json?: true;
}

export function register(program: Command): void {
  program
    .command('fsck')
    .description('recompute a stopped log from its entries, and name every byte that disagrees')
    .option('--data <dir>', 'the data directory of the log', './data')
    .option('--json', 'print a report for machines')
    .action(run);
}

async function run({ data, json }: FsckFlags): Promise<void> {
  const directory = resolve(data);
  const report = await fsck(directory);
  const { origin, size, disagreements } = report;
  if (json) printJson({ ok: disagreements.length === 0, ...report });
  else {
    for (const { where, what } of disagreements) print(`${where}: ${what}`);
    print(
      disagreements.length === 0
        ? `${origin}: all ${size} entries, their tree, keys and checkpoints agree`
        : `${directory}: ${disagreements.length} disagreements in ${size} entries; keep a copy, and restore a backup`,
    );
  }
  if (disagreements.length > 0) process.exitCode = errorKinds['store-corrupt'].exit;
}
