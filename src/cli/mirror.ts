/** `daybook mirror`: keeps a full, verified copy of a log as static files, and cosigns what is durable. */
import { join, resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { pino, type Logger } from 'pino';
import { DaybookError } from '../errors.ts';
import { initCosigner } from '../cosigner/directory.ts';
import { createMirrorFace } from '../mirror/face.ts';
import { RunningMirror } from '../mirror/running-mirror.ts';
import { originHash } from '../note/origin-hash.ts';
import { formatVkey } from '../note/vkey.ts';
import { portOption } from './options.ts';
import { print } from './output.ts';
import { listenOn, stopOnSignal } from './running-service.ts';
import { readPolicy } from './trust.ts';

interface InitFlags {
  readonly data: string;
  readonly name: string;
  readonly mlDsa?: true;
}

interface MirrorFlags {
  readonly log?: string;
  readonly policy?: string;
  readonly data?: string;
  readonly port?: string;
  readonly host: string;
  readonly pollMs: string;
  readonly once?: true;
  readonly logLevel: string;
}

export function register(program: Command): void {
  // So that --data behind `init` is the option of `init`.
  const mirror = program
    .enablePositionalOptions()
    .command('mirror')
    .description('Copy a log as static files, verify all of it, and cosign what is durable.')
    .enablePositionalOptions()
    .option('--log <URL>', 'base URL of the log')
    .option(
      '--policy <F>',
      "trust policy: the log's keys, and the quorum that its checkpoints need",
    )
    .option('--data <DIR>', 'directory that `daybook mirror init` made')
    .option('--port <n>', 'serve the files on this TCP port too, 0 for a free one')
    .option('--host <name>', 'address to listen on', '127.0.0.1')
    .option('--poll-ms <n>', 'ask for a new checkpoint so often', '1000')
    .option('--once', 'bring the copy up to date and end')
    .addOption(
      new Option('--log-level <level>', 'what is told on stderr')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .action(run);
  mirror
    .command('init')
    .description('Make the keys and the empty state of a new mirror, in an empty directory.')
    .requiredOption('--data <DIR>', 'directory, which may exist but must be empty')
    .requiredOption('--name <NAME>', 'its name in cosignatures, such as mirror.example/m1')
    .option('--ml-dsa', 'cosign with ML-DSA-44 beside Ed25519')
    .action(init);
}

async function init({ data, name, mlDsa }: InitFlags): Promise<void> {
  const keys = await initCosigner(resolve(data), { name, mlDsa });
  print(
    `New mirror ${name} in ${resolve(data)}`,
    ...keys.map((key) => `  public key  ${formatVkey(key)}`),
    `Next: daybook mirror --log URL --policy FILE --data ${data}`,
  );
}

async function run(flags: MirrorFlags): Promise<void> {
  const { log: url, policy, data } = flags;
  if (url === undefined || policy === undefined || data === undefined) {
    throw new DaybookError('bad-usage', 'want --log <URL>, --policy <F> and --data <DIR>');
  }
  const port = flags.port === undefined ? undefined : portOption(flags.port);
  const pollMs = pollOption(flags.pollMs);
  const logger = pino({ level: flags.logLevel }, pino.destination({ fd: 2, sync: true }));
  const running = await RunningMirror.open({
    directory: resolve(data),
    url,
    policy: await readPolicy(policy),
    report: (message, error) =>
      error === undefined ? logger.warn(message) : logger.error({ err: error }, message),
  });
  try {
    if (flags.once) await running.update();
    else await follow(running, { port, host: flags.host, pollMs, logger });
    print(...stateOf(running));
  } finally {
    await running.close();
  }
}

interface Following {
  readonly port: number | undefined;
  readonly host: string;
  readonly pollMs: number;
  readonly logger: Logger;
}

/** Until a signal comes, or something that no waiting heals. */
async function follow(
  running: RunningMirror,
  { port, host, pollMs, logger }: Following,
): Promise<void> {
  const stopping = new AbortController();
  const face = createMirrorFace(running.publicDirectory, { logger });
  let ended: Promise<void> = Promise.resolve();
  stopOnSignal(async () => {
    stopping.abort();
    await ended;
    await face.stop();
    await running.close();
  });
  const url = port === undefined ? undefined : await listenOn(face, { port, host });
  const served = url === undefined ? [] : [`  served at   ${url}/${originHash(running.origin)}`];
  print(`Daybook mirror of ${running.origin}`, ...served, ...stateOf(running));
  ended = running.follow({ pollMs, signal: stopping.signal });
  try {
    await ended;
  } finally {
    await face.stop();
  }
}

function stateOf({ mirror, publicDirectory, origin, vkeys }: RunningMirror): string[] {
  return [
    `  files       ${join(publicDirectory, originHash(origin))}`,
    `  entries     ${mirror.signed?.size ?? 'none yet'}`,
    ...vkeys.map((vkey) => `  public key  ${vkey}`),
  ];
}

function pollOption(text: string): number {
  const pollMs = /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (pollMs >= 50) return pollMs;
  throw new DaybookError('bad-usage', `wrong --poll-ms: "${text}", want milliseconds from 50 on`);
}
