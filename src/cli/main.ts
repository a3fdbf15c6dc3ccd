#!/usr/bin/env node
/** The `daybook` command. It loads only the subcommand that is asked for, so that `verify` starts fast. */
import { Command, CommanderError } from 'commander';
import { fail, note } from './output.ts';

interface Subcommand {
  readonly summary: string;
  /** A module whose `register` adds the subcommand to the program. */
  readonly load: () => Promise<{ register(program: Command): void }>;
}

const subcommands: Readonly<Record<string, Subcommand>> = {
  serve: {
    summary: 'run a log',
    load: () => import('./serve.ts'),
  },
  monitor: {
    summary: 'follow logs, audit every entry, and alert by rules',
    load: () => import('./monitor.ts'),
  },
  witness: {
    summary: 'make and run a witness, which cosigns what logs show',
    load: () => import('./witness.ts'),
  },
  keygen: {
    summary: 'make a key pair',
    load: () => import('./keygen.ts'),
  },
  issuer: {
    summary: 'admit, change, revoke and list the issuers of a running log',
    load: () => import('./issuer.ts'),
  },
  release: {
    summary: 'sign and log a release, and write its proof beside it',
    load: () => import('./release.ts'),
  },
  attest: {
    summary: 'log how, from what and where files were built',
    load: () => import('./attest.ts'),
  },
  channel: {
    summary: 'publish or show what is current and what is withdrawn',
    load: () => import('./channel.ts'),
  },
  withdraw: {
    summary: 'log that released files must not be used any more',
    load: () => import('./withdraw.ts'),
  },
  rebuild: {
    summary: 'log what you got from the same source, and compare',
    load: () => import('./rebuild.ts'),
  },
  approve: {
    summary: 'log that files passed your checks',
    load: async () => (await import('./approve.ts')).approve,
  },
  reject: {
    summary: 'log that files failed your checks',
    load: async () => (await import('./approve.ts')).reject,
  },
  source: {
    summary: 'commit to source that stays secret; check, open and review it',
    load: () => import('./source.ts'),
  },
  submit: {
    summary: 'as release, or log an envelope that another tool signed',
    load: () => import('./submit.ts'),
  },
  bundle: {
    summary: 'write all that is logged about a file beside it, with one proof',
    load: () => import('./bundle.ts'),
  },
  verify: {
    summary: 'check a file or directory against its proof, offline',
    load: () => import('./verify.ts'),
  },
  evidence: {
    summary: 'check whom an evidence file convicts, offline',
    load: () => import('./evidence.ts'),
  },
  policy: {
    summary: 'check, explain, sign and update release policies',
    load: () => import('./policy.ts'),
  },
  gate: {
    summary: 'run a command on a file only if the release policy holds',
    load: () => import('./gate.ts'),
  },
  'apt-hook': {
    summary: 'let APT install only packages that pass a release policy',
    load: () => import('./apt-hook.ts'),
  },
  mirror: {
    summary: 'copy a log as static files, and cosign what is durable',
    load: () => import('./mirror.ts'),
  },
  restore: {
    summary: 'bring a log that lost entries forward, from a mirror',
    load: () => import('./restore.ts'),
  },
  fsck: {
    summary: 'recompute a stopped log from its entries, and name all that disagrees',
    load: () => import('./fsck.ts'),
  },
  demo: {
    summary: 'play the whole story on this machine, attacks included',
    load: () => import('./demo.ts'),
  },
};

const USAGE_EXIT = 2;

async function main(program: Command, args: readonly string[]): Promise<void> {
  program
    .description('A transparency log for software vendors, their customers and their watchdogs')
    .exitOverride()
    .showHelpAfterError('(--help lists what is accepted)')
    .showSuggestionAfterError();
  const asked = Object.hasOwn(subcommands, args[0] ?? '') ? args[0] : undefined;
  for (const [name, { summary, load }] of Object.entries(subcommands)) {
    if (name === asked) (await load()).register(program);
    else program.command(name, { hidden: asked !== undefined }).description(summary);
  }
  await program.parseAsync(args, { from: 'user' });
}

// A reader that has seen enough, as in `daybook issuer list | head`, is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

/** What the command that `args` lead to accepts in the place of what it does not know. */
function accepted(program: Command, args: readonly string[], code: string): string | undefined {
  let command = program;
  for (const name of args) {
    const next = command.commands.find((candidate) => candidate.name() === name);
    if (next === undefined) break;
    command = next;
  }
  if (code === 'commander.unknownOption')
    return command.options.map(({ flags }) => flags).join(', ');
  if (code !== 'commander.unknownCommand') return undefined;
  return command.commands.map((subcommand) => subcommand.name()).join(', ');
}

const program = new Command('daybook');
const args = process.argv.slice(2);
try {
  await main(program, args);
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed its message, or the help that was asked for.
    const names = accepted(program, args, error.code);
    if (names !== undefined) note(`accepted: ${names}`);
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT;
  } else {
    fail(error);
  }
}
