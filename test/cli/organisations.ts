/** A running log and the organisations that it admitted, each with a key file of its name. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { parseStatement, type Statement } from '../../src/statement/in-toto.ts';
import { daybook, removeDirectory, temporaryDirectory, type Ran } from './daybook.ts';
import { startLog } from './running-log.ts';

export const product = 'pkg:generic/acme/scanner@1.2.3';
export const commit = `git+https://git.acme.example/scanner@${'0123456789'.repeat(4)}`;

const admitted: Readonly<Record<string, readonly string[]>> = {
  vendor: [
    '--role',
    'release',
    'provenance',
    'channel',
    'withdraw',
    '--purl',
    'pkg:generic/acme/*',
    'pkg:channel/acme/*',
  ],
  uni: ['--role', 'rebuild', '--purl', 'pkg:generic/acme/*'],
  agency: ['--role', 'approve', 'channel', '--purl', 'pkg:generic/acme/*', 'pkg:channel/agency/*'],
};

export interface Organisations {
  readonly directory: string;
  readonly url: URL;
  path(name: string): string;
  write(name: string, content: string): Promise<void>;
  /** Runs a command in the directory, without a log to talk to. */
  run(...args: readonly string[]): Promise<Ran>;
  /** Runs a command that talks to the log, by its policy. */
  ask(...args: readonly string[]): Promise<Ran>;
  /** The same, with the key of this organisation. */
  as(organisation: string, ...args: readonly string[]): Promise<Ran>;
  /** The entry that a command says to have logged. */
  logged(ran: Ran): Promise<Statement & { readonly index: number }>;
  leave(): Promise<void>;
}

export async function organisations(): Promise<Organisations> {
  const directory = await temporaryDirectory();
  const log = await startLog(join(directory, 'data'), ['--interval-ms', '50']);
  const path = (name: string): string => join(directory, name);
  const run: Organisations['run'] = (...args) => daybook(directory, ...args);
  const trusted = ['--log', log.url.href, '--policy', 'data/log.policy'];
  for (const [name, options] of Object.entries(admitted)) {
    await createKeyFile(path(name), name === 'vendor' ? 'ecdsa-p256' : 'ed25519');
    const added = await run(
      ...['issuer', 'add', '--data', 'data', '--name', name, '--key', `${name}.pub`, ...options],
    );
    if (added.exit !== 0) throw new Error(added.stderr);
  }
  const ask: Organisations['ask'] = (...args) => run(...args, ...trusted);
  return {
    directory,
    url: log.url,
    path,
    write: (name, content) => writeFile(path(name), content),
    run,
    ask,
    as: (organisation, ...args) => ask(...args, '--key', organisation),
    async logged({ stdout, stderr }) {
      const [, index] = /is entry (\d+) of /.exec(stdout) ?? [];
      if (index === undefined) throw new Error(`nothing was logged: ${stdout}${stderr}`);
      const headers = { accept: 'application/octet-stream' };
      const answer = await fetch(new URL(`entries/${index}`, log.url), { headers });
      const { payload } = parseEnvelope(new Uint8Array(await answer.arrayBuffer()));
      return { ...parseStatement(payload), index: Number(index) };
    },
    async leave() {
      await log.stop();
      await removeDirectory(directory);
    },
  };
}
