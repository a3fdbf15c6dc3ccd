/** `daybook monitor`: follows logs, audits every entry, alerts by rules. */
import { resolve } from 'node:path';
import { Option, type Command } from 'commander';
import { pino, type Logger } from 'pino';
import { DaybookError } from '../errors.ts';
import { initCosigner } from '../cosigner/directory.ts';
import type { MonitorConfig } from '../monitor/config.ts';
import { createMonitorFace } from '../monitor/face.ts';
import { Monitor } from '../monitor/monitor.ts';
import { formatVkey, type VerifierKey } from '../note/vkey.ts';
import { addCheck, readMonitorConfig } from './monitor-config.ts';
import { print } from './output.ts';
import { listenOn, stopOnSignal } from './running-service.ts';

interface InitOptions {
  readonly data: string;
  readonly name?: string;
  readonly mlDsa?: true;
}

interface RunOptions {
  readonly config?: string;
  readonly once?: true;
  readonly logLevel: string;
}

export function register(program: Command): void {
  // So that an option behind `init` or `check` is theirs.
  const monitor = program
    .enablePositionalOptions()
    .command('monitor')
    .description('Run a monitor: it reads every entry of its logs, checks it, and alerts by rules.')
    .enablePositionalOptions()
    .option('--config <file>', 'what to watch, by which rules; see docs/monitor.md')
    .option('--once', 'catch up, deliver the alerts and end: 0, or 42 when there are new alerts')
    .addOption(
      new Option('--log-level <level>', 'what is told on stderr; alerts are warnings and errors')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('warn'),
    )
    .action(run);
  monitor
    .command('init')
    .description('Make the empty state of a new monitor, and its keys, in an empty directory.')
    .requiredOption('--data <dir>', 'directory, which may exist but must be empty')
    .option(
      '--name <name>',
      'its name in cosignatures, such as monitor.example/m1; else it has no key',
    )
    .option('--ml-dsa', 'cosign with ML-DSA-44 beside Ed25519')
    .action(init);
  addCheck(monitor);
}

async function init({ data, name, mlDsa }: InitOptions): Promise<void> {
  if (name === undefined && mlDsa) throw new DaybookError('bad-usage', '--ml-dsa wants a --name');
  const directory = resolve(data);
  const keys = await initCosigner(directory, { name, mlDsa });
  print(
    `New monitor${name === undefined ? '' : ` ${name}`} in ${directory}`,
    ...publicKeys(keys),
    'Should its state be lost or damaged: tell so, make a new monitor, and audit all anew.',
    'Next: daybook monitor --config FILE',
  );
}

async function run({ config: path, once, logLevel }: RunOptions): Promise<void> {
  if (path === undefined) throw new DaybookError('bad-usage', 'want --config <file>');
  const config = await readMonitorConfig(path);
  const logger = pino({ level: logLevel }, pino.destination({ fd: 2, sync: true }));
  const monitor = await Monitor.open({ config, logger });
  if (once) await runOnce(monitor);
  else await runOn(monitor, config, logger);
}

async function runOnce(monitor: Monitor): Promise<void> {
  const outcome = await monitor.once().finally(() => monitor.close());
  const { logs, alerts, delivered, problem } = outcome;
  for (const { origin, audited, findings, problem: reason } of logs) {
    const failed = findings > 0 ? `, ${findings} of them should not be there` : '';
    print(
      `${origin}: ${audited} ${audited === 1 ? 'entry' : 'entries'} audited${failed}${reason ? `; ${reason}` : ''}`,
    );
  }
  if (alerts > 0) {
    const waiting = delivered ? '' : '; not all could be delivered, the next run tries again';
    throw new DaybookError('alerts-raised', `${alerts} new alerts${waiting}`);
  }
  if (problem) throw problem;
}

async function runOn(monitor: Monitor, config: MonitorConfig, logger: Logger): Promise<void> {
  const face = createMonitorFace(monitor, logger);
  const close = async (): Promise<void> => {
    if (config.listen) await face.stop();
    await monitor.close();
  };
  stopOnSignal(close);
  try {
    const url = config.listen && (await listenOn(face, config.listen));
    print(
      `Daybook monitor of ${config.logs.length} logs${url ? `, at ${url}` : ''}`,
      `  data        ${config.data}`,
      ...publicKeys(monitor.keys),
    );
    await monitor.run();
  } catch (error) {
    await close();
    throw error;
  }
}

function publicKeys(keys: readonly VerifierKey[]): string[] {
  return keys.map((key) => `  public key  ${formatVkey(key)}`);
}
