/** `daybook channel`: publishes the next statement of a channel, or shows the newest one. */
import { Option, type Command } from 'commander';
import { pause } from '../http/outbound.ts';
import { DaybookError } from '../errors.ts';
import { readPublicKeyFile } from '../keys/key-file.ts';
import type { Signer } from '../signature/port.ts';
import {
  channelKinds,
  channelStatement,
  checkChannelName,
  type ChannelKind,
} from '../statement/channel.ts';
import { formatTime } from '../statement/timestamp.ts';
import { parseDuration } from '../verify/duration.ts';
import {
  changed,
  contentOf,
  noContent,
  readContent,
  releaseOption,
  targetOption,
  type ChannelChanges,
} from './channel-content.ts';
import {
  logEntry,
  readSigner,
  reportLogged,
  signPayload,
  withLogOptions,
  withSigningOptions,
  withTrustedLog,
  type LogOptions,
  type SigningOptions,
  type TrustedLog,
} from './log-statement.ts';
import { newestChannel } from './newest-channel.ts';
import { checkOptions, collect, withMirrorOption } from './options.ts';
import { note, print, printJson } from './output.ts';

interface PublishOptions extends SigningOptions {
  readonly expires: string;
  readonly kind?: ChannelKind;
  readonly previousKey?: string;
  readonly current?: string;
  readonly release?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
  readonly withdraw?: readonly string[];
  readonly reason?: string;
}

interface ShowOptions extends LogOptions {
  readonly issuer?: readonly string[];
  readonly json?: true;
}

/** Another pipeline may publish at the same time; more often than this in a row is no coincidence. */
const MAX_TRIES = 5;
const RETRY_MS = 500;

export function register(program: Command): void {
  const channel = program
    .command('channel')
    .description('Channels: all that is current and all that is withdrawn, until it expires.');
  withSigningOptions(
    channel
      .command('publish')
      .description(
        'Publish the next statement of a channel: the newest one with these changes, or the same anew.',
      )
      .argument('<NAME>', 'channel, such as acme/stable')
      .requiredOption('--expires <DURATION>', 'how long it holds, such as 25h'),
  )
    .addOption(new Option('--kind <kind>', 'what it lists').choices(channelKinds))
    .option('--release <FILE=PURL>', 'what is current, and nothing else; may be repeated', collect)
    .option('--add <FILE=PURL>', 'current as well; may be repeated', collect)
    .option('--remove <FILE|HEX|PURL>', 'no longer current; may be repeated', collect)
    .option('--withdraw <FILE|HEX|PURL>', 'withdrawn, or rejected; may be repeated', collect)
    .option('--reason <R>', 'why it is withdrawn')
    .option('--current <F.json>', 'all that it lists, as `channel show --json` prints it')
    .option('--previous-key <F.pub>', 'key that signed the newest statement, where it is another')
    .action(publish);
  const shown = channel
    .command('show')
    .description('Show the newest statement of a channel, verified against the log.')
    .argument('<NAME>', 'channel, such as acme/stable');
  withMirrorOption(withLogOptions(shown))
    .option('--issuer <KEY.pub>', 'key that must have signed it; may be repeated', collect)
    .option('--json', 'print it as JSON')
    .action(show);
}

async function publish(name: string, options: PublishOptions): Promise<void> {
  checkOptions({ NAME: () => checkChannelName(name) });
  const validity = parseDuration(options.expires);
  const signer = await readSigner(options);
  const changes = await readChanges(options);
  await withTrustedLog(options, async (log) => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await publishNext(log, name, validity, changes, signer, options);
      } catch (error) {
        const conflict = error instanceof DaybookError && error.code === 'channel-conflict';
        // What replaces the whole list would undo what somebody else has just published.
        const mayRepeat = changes.content === undefined && changes.current === undefined;
        if (!conflict || !mayRepeat || attempt === MAX_TRIES) throw error;
        await pause(RETRY_MS);
      }
    }
  });
}

async function publishNext(
  log: TrustedLog,
  name: string,
  validity: number,
  changes: ChannelChanges,
  signer: Signer,
  { kind, previousKey }: PublishOptions,
): Promise<void> {
  const keys = [signer.publicKey];
  if (previousKey !== undefined) keys.push(await readPublicKeyFile(previousKey));
  const before = await newestChannel(log, name, keys);
  const known = before?.state;
  if (kind !== undefined && known !== undefined && kind !== known.kind) {
    throw new DaybookError('bad-usage', `the channel ${name} lists ${known.kind}, not ${kind}`);
  }
  const issued = Math.floor(Date.now() / 1000);
  const sequence = (known?.sequence ?? 0) + 1;
  const content = changed(known === undefined ? noContent : contentOf(known), changes);
  const payload = channelStatement({
    ...content,
    origin: (await log.client.checkpoint()).origin,
    channel: name,
    kind: kind ?? known?.kind ?? 'releases',
    sequence,
    previous: before?.index,
    issued,
    expires: issued + validity,
  });
  const submitted = await logEntry(log, await signPayload(payload, signer), signer.publicKey);
  const { current, withdrawn } = content;
  reportLogged(submitted, `statement ${sequence} of the channel ${name}`);
  print(
    `it lists ${current.length} current and ${withdrawn.length} withdrawn, until ${formatTime(issued + validity)}`,
  );
}

async function readChanges(options: PublishOptions): Promise<ChannelChanges> {
  const { current, release, add = [], remove = [], withdraw = [], reason } = options;
  if (current !== undefined && release !== undefined) {
    throw new DaybookError('bad-usage', 'give either --current or --release: each says all');
  }
  if (withdraw.length > 0 !== (reason !== undefined)) {
    throw new DaybookError('bad-usage', '--withdraw and --reason go together');
  }
  const releases = (option: string, texts: readonly string[]): Promise<ChannelChanges['add']> =>
    Promise.all(texts.map((text) => releaseOption(option, text)));
  return {
    content: current === undefined ? undefined : await readContent(current),
    current: release === undefined ? undefined : await releases('--release', release),
    add: await releases('--add', add),
    remove: await Promise.all(remove.map(targetOption)),
    withdraw: await Promise.all(withdraw.map(targetOption)),
    reason,
  };
}

async function show(name: string, options: ShowOptions): Promise<void> {
  checkOptions({ NAME: () => checkChannelName(name) });
  const { issuer, json } = options;
  const keys = issuer && (await Promise.all(issuer.map((path) => readPublicKeyFile(path))));
  const newest = await withTrustedLog(options, (log) => newestChannel(log, name, keys));
  if (newest === undefined) {
    throw new DaybookError('not-found', `the log has no statement of the channel ${name}`);
  }
  if (keys === undefined) note('Whose signature it has was not checked: give --issuer.');
  const { index, state } = newest;
  const { origin, kind, sequence, issued, expires } = state;
  const times = { issued: formatTime(issued), expires: formatTime(expires) };
  const content = contentOf(state);
  if (json) return printJson({ channel: name, kind, sequence, index, ...times, ...content });
  print(
    `${name} (${kind}), statement ${sequence}, entry ${index} of ${origin}`,
    `issued   ${times.issued}`,
    `expires  ${times.expires}${expires * 1000 < Date.now() ? ' (EXPIRED)' : ''}`,
  );
  for (const { purl, sha256 } of content.current) print(`current    ${purl}  ${sha256.join(' ')}`);
  for (const { purl, sha256, reason } of content.withdrawn) {
    print(`withdrawn  ${purl ?? 'no purl'}  ${sha256}: ${reason}`);
  }
}
