/** APT's configuration for `daybook apt-hook`: it runs this very program, with absolute paths. */
import { resolve } from 'node:path';
import { utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';

export interface AptHookOptions {
  readonly policy: string;
  readonly releases?: string;
  readonly channel?: readonly string[];
  readonly log?: string;
  readonly state: string;
}

/**
 * A file for /etc/apt/apt.conf.d. Protocol version 3 is asked for by the first word of the command, as
 * apt.conf(5) has it. Throws `bad-usage` for a path that neither APT nor a shell would read as it is.
 */
export function aptConfiguration(options: AptHookOptions): Uint8Array {
  const { policy, releases, channel = [], log, state } = options;
  const words = [
    ...[process.execPath, resolve(process.argv[1] ?? ''), 'apt-hook'],
    ...['--policy', resolve(policy), '--state', resolve(state)],
    ...(releases === undefined ? [] : ['--releases', resolve(releases)]),
    ...channel.flatMap((path) => ['--channel', resolve(path)]),
    ...(log === undefined ? [] : ['--log', log]),
  ];
  for (const word of words) requirePlain(word);
  return utf8(
    [
      '// Written by `daybook apt-hook --install`. Remove this file to install without it.',
      `DPkg::Pre-Install-Pkgs { "${words.join(' ')}"; };`,
      `DPkg::Tools::Options::${process.execPath}::Version "3";`,
      '',
    ].join('\n'),
  );
}

function requirePlain(word: string): void {
  if (/^[A-Za-z0-9_./:@%+=,-]+$/.test(word)) return;
  throw new DaybookError(
    'bad-usage',
    `${JSON.stringify(word)} cannot stand in APT's configuration: want letters, digits and _./:@%+=,- only`,
  );
}
