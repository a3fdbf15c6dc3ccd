/**
 * What APT tells a `DPkg::Pre-Install-Pkgs` hook on its standard input, protocol version 3 (apt.conf(5)):
 *
 *     VERSION 3
 *     APT::Architecture=amd64
 *     <empty line>
 *     scanner - - none < 1.2 amd64 none /var/cache/apt/archives/scanner_1.2_amd64.deb
 *     oldtool 1.0 all none > - - none **REMOVE**
 */
import { decodeUtf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';

/** What dpkg is about to unpack. */
export interface AptInstall {
  readonly name: string;
  readonly version: string;
  /** The .deb, absolute or relative to APT's working directory. */
  readonly path: string;
}

/** A whole upgrade of a distribution, with APT's configuration, takes far less. */
export const MAX_APT_INPUT_BYTES = 16 * 1024 * 1024;

const FIELDS = 8;

/**
 * The packages that are to be unpacked, in APT's order; what is only configured or removed is none of them.
 * Throws `bad-usage` for all that is not exactly this protocol: what the hook does not understand must
 * not be installed.
 */
export function parseAptInput(bytes: Uint8Array): AptInstall[] {
  const [version, ...lines] = decodeUtf8(bytes).split('\n');
  if (version !== 'VERSION 3') {
    throw wrong(
      `APT's input begins with ${shown(version)}, want "VERSION 3": DPkg::Tools::Options must set it for this command, as --install does`,
    );
  }
  const configuration = lines.indexOf('');
  if (configuration === -1) throw wrong('the empty line after its configuration is missing');
  const actions = lines.slice(configuration + 1);
  if (actions.pop() !== '') throw wrong('its last line is cut off');
  return actions.flatMap((line) => installOf(line) ?? []);
}

function installOf(line: string): AptInstall | undefined {
  const fields = line.split(' ');
  const [name = '', , , , , version = ''] = fields;
  const path = fields.slice(FIELDS).join(' ');
  if (path === '' || name === '') throw wrong(`wrong line ${shown(line)}, want nine fields`);
  if (path === '**CONFIGURE**' || path === '**REMOVE**') return undefined;
  if (path.startsWith('**')) throw wrong(`APT has no file for ${name} ${version}: ${path}`);
  return { name, version, path };
}

function shown(line: string | undefined): string {
  return JSON.stringify((line ?? '').slice(0, 200));
}

function wrong(message: string): DaybookError {
  return new DaybookError('bad-usage', message);
}
