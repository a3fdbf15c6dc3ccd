/** `daybook witness`: makes and runs a witness (C2SP tlog-witness). */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { pino } from 'pino';
import { DaybookError } from '../errors.ts';
import { formatVkey, type VerifierKey } from '../note/vkey.ts';
import { initCosigner } from '../cosigner/directory.ts';
import { createWitnessFace } from '../witness/face.ts';
import { LogList } from '../witness/log-list.ts';
import { openWitness } from '../witness/witness.ts';
import { portOption } from './options.ts';
import { print } from './output.ts';
import { listenOn, stopOnSignal } from './running-service.ts';

interface InitOptions {
  readonly data: string;
  readonly name: string;
  readonly mlDsa?: true;
  readonly key?: string;
}

interface RunOptions {
  readonly data?: string;
  readonly logs?: string;
  readonly port: string;
  readonly host: string;
  readonly logLevel: string;
}

export function register(program: Command): void {
  // So that --data behind `init` is the option of `init`.
  const witness = program
    .enablePositionalOptions()
    .command('witness')
    .description('Run a witness: it cosigns what its logs show, as long as it only ever grows.')
    .enablePositionalOptions()
    .option('--data <dir>', 'directory that `daybook witness init` made')
    .option('--logs <file>', 'the logs, as lines of a trust policy; read again when it changes')
    .option('--port <n>', 'TCP port, 0 for a free one', '8081')
    .option('--host <name>', 'address to listen on', '127.0.0.1')
    .addOption(
      new Option('--log-level <level>', 'what is told on stderr')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .action(run);
  witness
    .command('init')
    .description('Make the keys and the empty state of a new witness, in an empty directory.')
    .requiredOption('--data <dir>', 'directory, which may exist but must be empty')
    .requiredOption('--name <name>', 'its name in cosignatures, such as witness.example/w1')
    .option('--ml-dsa', 'cosign with ML-DSA-44 beside Ed25519')
    .option(
      '--key <file>',
      'copy this Ed25519 private key, which must never have cosigned, and make none',
    )
    .action(init);
}

async function init({ data, name, mlDsa, key }: InitOptions): Promise<void> {
  const directory = resolve(data);
  const keys = await initCosigner(directory, {
    name,
    mlDsa: mlDsa === true,
    ...(key === undefined ? {} : { keyFile: key }),
  });
  print(
    `New witness ${name} in ${directory}`,
    ...publicKeys(keys),
    'Give the public keys to those who write policies. Never bring the directory back from a backup:',
    'on an old state the witness could cosign a second history. Should it be lost, make a new witness.',
    `Next: daybook witness --data ${data} --logs FILE`,
  );
}

async function run({ data, logs, port, host, logLevel }: RunOptions): Promise<void> {
  if (data === undefined || logs === undefined) {
    throw new DaybookError('bad-usage', 'want --data <dir> and --logs <file>');
  }
  const portNumber = portOption(port);
  const logger = pino({ level: logLevel }, pino.destination({ fd: 2, sync: true }));
  const report = (message: string, error?: unknown): void =>
    error === undefined ? logger.warn(message) : logger.error({ err: error }, message);
  const list = new LogList(logs, report);
  process.on('SIGHUP', () => list.reload());
  const witness = await openWitness(resolve(data), { list, report });
  const face = createWitnessFace(witness, { logger });
  stopOnSignal(async () => {
    await face.stop();
    await witness.close();
  });
  const url = await listenOn(face, { port: portNumber, host }).catch(async (error: unknown) => {
    await witness.close();
    throw error;
  });
  print(
    `Daybook witness ${witness.keys[0]?.name}, ${list.logs.size} logs, at ${url}`,
    `  data        ${resolve(data)}`,
    ...publicKeys(witness.keys),
  );
}

function publicKeys(keys: readonly VerifierKey[]): string[] {
  return keys.map((key) => `  public key  ${formatVkey(key)}`);
}
