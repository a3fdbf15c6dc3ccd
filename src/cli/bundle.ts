/** `daybook bundle`: writes the release file of a file, made from what the log shows about it. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { readPublicKeyFile } from '../keys/key-file.ts';
import { nodeSha256 } from '../keys/node-hasher.ts';
import { parseReleaseFile } from '../proof/release-file.ts';
import { checkChannelName } from '../statement/channel.ts';
import { MAX_MANIFEST_BYTES } from '../verify/manifest.ts';
import { isDirectory } from './directory.ts';
import { hashFile } from './file-hash.ts';
import { readBytes, writeAtomically } from './files.ts';
import { withLogOptions, withTrustedLog, type LogOptions } from './log-statement.ts';
import { checkOptions, collect, withMirrorOption } from './options.ts';
import { print } from './output.ts';

interface Options extends LogOptions {
  readonly channel?: readonly string[];
  readonly issuer?: readonly string[];
  readonly auditor?: string;
  readonly manifest?: string;
  readonly out?: string;
}

export function register(program: Command): void {
  const command = program
    .command('bundle')
    .description(
      'Write FILE.release: all statements in the log about FILE and its source, with one proof. Anyone may make it anew at any time: whoever verifies it trusts the policy, not the file.',
    )
    .argument('<FILE>', 'file, or directory with its manifest');
  withMirrorOption(withLogOptions(command))
    .option(
      '--channel <N>',
      'channel to put in, for clients without a network; repeatable',
      collect,
    )
    .option('--issuer <KEY.pub>', 'only statements by this key; repeatable', collect)
    .option(
      '--auditor <URL>',
      'prove against the checkpoint that this monitor, mirror or witness cosigned last (its monitoring prefix)',
    )
    .option('--manifest <F>', 'manifest that names FILE (default for a directory: FILE.SHA256SUMS)')
    .option('--out <F>', 'where to write it (default: FILE.release)')
    .action(bundle);
}

async function bundle(path: string, options: Options): Promise<void> {
  const { channel: channels = [], auditor } = options;
  checkOptions({ '--channel': () => channels.forEach((name) => checkChannelName(name)) });
  const issuers =
    options.issuer && (await Promise.all(options.issuer.map((key) => readPublicKeyFile(key))));
  const directory = await isDirectory(path);
  // "." and "dir/" have no name to put an ending to.
  const base = directory ? resolve(path) : path;
  const manifest = options.manifest ?? (directory ? `${base}.SHA256SUMS` : undefined);
  const digest =
    manifest === undefined
      ? await hashFile(path)
      : nodeSha256(await readBytes(manifest, MAX_MANIFEST_BYTES));
  const out = options.out ?? `${base}.release`;
  await withTrustedLog(options, async ({ client }) => {
    const bytes = await client.releaseFile(digest, { channels, issuers, auditor });
    await writeAtomically(out, bytes);
    const { entries } = parseReleaseFile(bytes);
    const places = entries.map(({ index }) => index).join(', ');
    print(`bundled: entries ${places} of ${options.log}, ${bytes.length} bytes`);
    print(`release file: ${out}`, ...channels.map((name) => `channel: ${name}`));
  });
}
