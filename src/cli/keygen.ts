/** `daybook keygen`: a key pair for a pipeline, or a second key for a log. */
import { Option, type Command } from 'commander';
import { createKeyFile } from '../keys/key-file.ts';
import { print } from './output.ts';

interface Options {
  readonly out: string;
  readonly algorithm: 'ed25519' | 'ecdsa-p256' | 'ml-dsa-44';
}

export function register(program: Command): void {
  program
    .command('keygen')
    .description('Make a private key in the new file F (mode 0600) and its public key in F.pub.')
    .requiredOption('--out <F>', 'file of the private key; it must not exist yet')
    .addOption(
      new Option('--algorithm <name>', 'kind of key')
        .choices(['ed25519', 'ecdsa-p256', 'ml-dsa-44'])
        .default('ed25519'),
    )
    .action(async ({ out, algorithm }: Options) => {
      const { publicKey } = await createKeyFile(out, algorithm);
      print(
        `private key  ${out} (keep it secret)`,
        `public key   ${out}.pub`,
        `fingerprint  ${publicKey.fingerprint}`,
        `next         daybook issuer add --data DIR --name NAME --key ${out}.pub --purl 'pkg:generic/NAME/*'`,
      );
    });
}
