/** `daybook restore`: brings a log that lost entries up to a checkpoint of its own that a mirror kept. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { LogClient } from '../client/log-client.ts';
import { DaybookError } from '../errors.ts';
import { nodeTreeHasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { restoreLog, type RestoreSource } from '../log/restore.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import { originHash } from '../note/origin-hash.ts';
import type { TrustPolicy } from '../verify/policy.ts';
import { isThere, readBytes } from './files.ts';
import { print } from './output.ts';
import { readPolicy } from './trust.ts';

interface Options {
  readonly data: string;
  readonly from: string;
  readonly vkey?: string;
  readonly witnesses?: string;
  readonly newestThereIs?: true;
}

const MAX_FILE_BYTES = TILE_WIDTH * (2 + MAX_ENTRY_BYTES);

export function register(program: Command): void {
  program
    .command('restore')
    .description(
      'Bring a stopped log that lost entries, as after a restored backup, up to the checkpoint of a mirror: verified, and proven to continue what the log holds.',
    )
    .requiredOption('--data <DIR>', 'the data directory of the log')
    .requiredOption(
      '--from <URL|DIR>',
      'mirror of the log: its URL with the origin hash, or the directory of its files',
    )
    .option('--vkey <V>', "the log's public key, where its database is lost as a whole")
    .option(
      '--witnesses <F>',
      'the policy that the log is served with: its witnesses will be asked whether anything newer was signed',
    )
    .option(
      '--newest-there-is',
      'take your word that the log signed nothing newer than what the mirror has',
    )
    .action(restore);
}

async function restore(options: Options): Promise<void> {
  const witnesses =
    options.witnesses === undefined ? undefined : await readPolicy(options.witnesses);
  checkNewest(options, witnesses);
  const directory = resolve(options.data);
  const { origin, from, to } = await restoreLog({
    directory,
    ...(options.vkey === undefined ? {} : { vkeys: [options.vkey] }),
    cosigners: (witnesses?.witnesses ?? []).map(({ key }) => key),
    connect: (log) => connect(options.from, log),
  });
  print(
    from < to
      ? `${origin}: entries ${from} to ${to - 1} are restored and verified`
      : `${origin}: nothing was missing, all ${to} entries are there`,
    `Next: daybook fsck --data ${options.data}, then serve it as before`,
  );
}

/** What was signed after the mirror's checkpoint only its witnesses know, or the operator. */
function checkNewest({ newestThereIs }: Options, witnesses: TrustPolicy | undefined): void {
  if (newestThereIs) return;
  if (witnesses !== undefined && witnesses.quorum !== 'none') return;
  throw new DaybookError(
    'bad-usage',
    'without witnesses nothing can show what this log signed last, and a log that signs after less signs a fork: ' +
      'give --witnesses <F> with a quorum, or compare all mirrors, monitors and clients and say --newest-there-is',
  );
}

async function connect(
  from: string,
  { origin, vkeys }: { readonly origin: string; readonly vkeys: readonly string[] },
): Promise<RestoreSource> {
  const local = await mirrorDirectory(from, origin);
  const client = new LogClient({
    ...(local === undefined
      ? { url: from }
      : { url: 'http://mirror.invalid/', fetch: fetchFrom(local), attempts: 1 }),
    vkeys,
    verifier: nodeVerifier,
    hasher: nodeTreeHasher,
  });
  const head = await client.checkpoint();
  return {
    note: head.note,
    consistency: (size) => client.consistency(size, head),
    bundles: (bundle) => client.bundles(bundle, head),
  };
}

/** The folder that holds `checkpoint`, for a mirror's data directory as well; undefined for a URL. */
async function mirrorDirectory(from: string, origin: string): Promise<string | undefined> {
  if (/^https?:\/\//.test(from)) return undefined;
  const directory = resolve(from);
  const folders = [directory, join(directory, originHash(origin))];
  folders.push(join(directory, 'public', originHash(origin)));
  for (const folder of folders) {
    if (await isThere(join(folder, 'checkpoint'))) return folder;
  }
  throw new DaybookError('file-unreadable', `${directory} holds no mirror of ${origin}`);
}

/** Answers for the files below a folder as a web server would. */
function fetchFrom(folder: string): typeof fetch {
  return async (input) => {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    const path = join(folder, pathname);
    if (!(await isThere(path))) return new Response(null, { status: 404 });
    return new Response(new Uint8Array(await readBytes(path, MAX_FILE_BYTES)));
  };
}
