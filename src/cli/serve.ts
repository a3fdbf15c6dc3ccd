/** `daybook serve`: runs a log on an embedded LevelDB. */
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { pino } from 'pino';
import { dataFiles } from '../log/data-directory.ts';
import { Log } from '../log/log.ts';
import { createServer } from '../server/index.ts';
import { writeAtomically } from './files.ts';
import { print } from './output.ts';
import { listenOn, stopOnSignal } from './running-service.ts';
import { readWitnesses } from './serve-witnesses.ts';
import { serveConfig, type ServeConfig, type ServeFlags } from './serve-config.ts';

export function register(program: Command): void {
  program
    .command('serve')
    .description('run a log: made on first start, and verified at each')
    .option('--port <n>', 'TCP port, 0 for a free one (DAYBOOK_PORT; default 8080)')
    .option('--host <name>', 'address to listen on (DAYBOOK_HOST; default 127.0.0.1)')
    .option('--data <dir>', 'where the log keeps all it has (DAYBOOK_DATA; default ./data)')
    .option('--origin <name>', "the log's name, of a new log only (DAYBOOK_ORIGIN)")
    .option(
      '--interval-ms <n>',
      'at most one checkpoint in this time, from 50 on (DAYBOOK_INTERVAL_MS; default 1000)',
    )
    .option(
      '--admission <mode>',
      'issuers: only admitted keys may log; open: anybody, any bytes; of a new log only (DAYBOOK_ADMISSION; default issuers)',
    )
    .option(
      '--witnesses <file>',
      'policy with witness lines, their URLs and the quorum (DAYBOOK_WITNESSES)',
    )
    .option(
      '--heartbeat-ms <n>',
      'while idle, have the checkpoint cosigned anew so often (DAYBOOK_HEARTBEAT_MS; default 600000)',
    )
    .option(
      '--max-unpublished <n>',
      'entries to take without a quorum (DAYBOOK_MAX_UNPUBLISHED; default 1000000)',
    )
    .option(
      '--auditors <file>',
      'policy whose witness lines are monitors and their monitoring prefixes (DAYBOOK_AUDITORS)',
    )
    .option(
      '--override-witness <name...>',
      'start although this witness claims a larger checkpoint that it does not show (DAYBOOK_OVERRIDE_WITNESS)',
    )
    .option(
      '--log-level <level>',
      'debug, info, warn, error or silent (DAYBOOK_LOG_LEVEL; default warn)',
    )
    .addOption(
      new Option(
        '--config <file>',
        'JSON object with these settings, as in intervalMs (DAYBOOK_CONFIG)',
      ),
    )
    .addHelpText(
      'after',
      '\nFlags come before environment variables, and those before the config file.',
    )
    .action(async (flags: ServeFlags) => serve(serveConfig(flags, process.env)));
}

async function serve(config: ServeConfig): Promise<void> {
  const logger = pino({ level: config.logLevel }, pino.destination({ fd: 2, sync: true }));
  const directory = resolve(config.data);
  const log = await Log.open({
    directory,
    origin: config.origin,
    admission: config.admission,
    intervalMs: config.intervalMs,
    maxUnpublished: config.maxUnpublished,
    witnesses: await readWitnesses(config),
    report: (message, error) =>
      error ? logger.error({ err: error }, message) : logger.warn(message),
  });
  let url: string;
  try {
    const server = createServer(log, { logger });
    // Before anybody can see that it runs, and ask it to stop.
    stopOnSignal(async () => {
      await server.stop();
      await rm(dataFiles(directory).server, { force: true });
      await log.close();
    });
    url = await listenOn(server, config);
    const running = { url, pid: process.pid, origin: log.origin };
    await writeAtomically(dataFiles(directory).server, Buffer.from(`${JSON.stringify(running)}\n`));
  } catch (error) {
    await log.close();
    throw error;
  }
  welcome(log, url, directory, config);
}

function welcome(log: Log, url: string, directory: string, config: ServeConfig): void {
  const { size } = log.status();
  print(
    `Daybook log ${log.origin}, ${size} ${size === 1 ? 'entry' : 'entries'}, at ${url}`,
    `  data        ${directory}`,
    `  public key  ${log.vkeys.join(' ')}`,
    `  admission   ${log.admission.mode}`,
    ...witnessLines(log, config),
    ...(size === 1 ? newKeys(directory) : []),
    ...nextStep(log, url, config),
  );
}

function witnessLines(log: Log, { witnesses }: ServeConfig): string[] {
  if (witnesses === undefined) return [];
  const { reason } = log.status();
  return [`  witnesses   ${witnesses}${reason ? ` (${reason.message})` : ''}`];
}

function newKeys(directory: string): string[] {
  const { logKey, registrarKey } = dataFiles(directory);
  return [
    `  log key     ${logKey} (signs checkpoints; keep a copy)`,
    `  registrar   ${registrarKey} (admits issuers; keep a copy, best on another machine)`,
  ];
}

function nextStep({ admission }: Log, url: string, { data }: ServeConfig): string[] {
  if (admission.mode === 'open') {
    return ['Next, log something:', `  curl --data-binary @FILE ${url}/add`];
  }
  const active = [...admission.issuers.values()].find(({ revoked }) => !revoked);
  if (!active) {
    return [
      'Next, admit a pipeline:',
      '  npx daybook keygen --out pipeline.key',
      `  npx daybook issuer add --data ${data} --name acme --key pipeline.key.pub --purl 'pkg:generic/acme/*'`,
    ];
  }
  return [
    'Next, log a build:',
    `  npx daybook submit FILE --log ${url} --key pipeline.key --purl pkg:generic/acme/scanner@1.2.3`,
  ];
}
