/** A client with a release policy, and a vendor who releases to it: what the tests of the gate start from. */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { readPublicKeyFile } from '../../src/keys/key-file.ts';
import type { Ran } from './daybook.ts';
import { organisations, product, type Organisations } from './organisations.ts';

export interface Scene extends Organisations {
  /** Releases `file`, lists it as current, and bundles it; throws when a step fails. */
  release(file: string, version: string): Promise<void>;
  gate(file: string, command: readonly string[], ...options: string[]): Promise<Ran>;
  /** Writes policy.json with these changes to its one product rule. */
  policy(change?: Readonly<Record<string, unknown>>): Promise<void>;
  must(ran: Promise<Ran>): Promise<Ran>;
}

export const scriptText = (says: string): string => `#!/bin/sh\necho ${says} "$@"\n`;

export async function gateScene(): Promise<Scene> {
  const org = await organisations();
  const must: Scene['must'] = async (running) => {
    const ran = await running;
    if (ran.exit !== 0) throw new Error(ran.stderr + ran.stdout);
    return ran;
  };
  const key = async (name: string): Promise<{ key: string; organisation: string }> => ({
    key: encodeBase64((await readPublicKeyFile(org.path(`${name}.pub`))).spki),
    organisation: name,
  });
  const scene: Scene = {
    ...org,
    must,
    async policy(change = {}) {
      const trust = (await readFile(org.path('data/log.policy'), 'utf8')).trim().split('\n');
      const rule = {
        purl: 'pkg:generic/acme/*',
        issuers: ['vendor'],
        channels: [{ channel: 'acme/stable', keys: ['vendor'], maxAge: '25h' }],
        ...change,
      };
      const keys = {
        vendor: await key('vendor'),
        uni: await key('uni'),
        agency: await key('agency'),
      };
      const policy = { version: 1, trust, keys, products: [rule] };
      await writeFile(org.path('policy.json'), JSON.stringify(policy));
    },
    async release(file, version) {
      const purl = product.replace(/@.*/, `@${version}`);
      await must(org.as('vendor', 'release', file, '--purl', purl));
      const listing = ['--release', `${file}=${purl}`, '--expires', '24h'];
      await must(org.as('vendor', 'channel', 'publish', 'acme/stable', ...listing));
      await must(org.ask('bundle', file, '--channel', 'acme/stable'));
    },
    gate: (file, command, ...options) =>
      org.run(
        'gate',
        '--policy',
        'policy.json',
        '--state',
        'client',
        ...options,
        file,
        '--',
        ...command,
      ),
  };
  await scene.policy();
  await writeFile(org.path('tool'), scriptText('one'));
  await chmod(org.path('tool'), 0o755);
  await scene.release('tool', '1');
  return scene;
}
