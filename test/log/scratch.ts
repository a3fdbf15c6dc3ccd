/** Real logs in directories of their own, with issuers to log for. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { readKeyFile } from '../../src/keys/key-file.ts';
import { generateKey, signerFromPem } from '../../src/keys/node-signer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { dataFiles } from '../../src/log/data-directory.ts';
import { Log, type LogOptions } from '../../src/log/log.ts';
import type { Published } from '../../src/log/publisher.ts';
import { parseCheckpoint, type Checkpoint } from '../../src/note/checkpoint.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import type { Signer } from '../../src/signature/port.ts';
import { issuerStatement, type IssuerAction } from '../../src/statement/issuer.ts';
import { envelope } from './statements.ts';

export { channelEntry, envelope, release, sha256 } from './statements.ts';

export async function scratchDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'daybook-log-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A log that is closed when the test ends. */
export async function scratchLog(options: Partial<LogOptions> = {}): Promise<Log> {
  const directory = options.directory ?? (await scratchDirectory());
  const log = await Log.open({ intervalMs: 50, ...options, directory });
  onTestFinished(() => log.close());
  return log;
}

export async function newSigner(): Promise<Signer> {
  return signerFromPem(await generateKey('ed25519'));
}

const admitted = {
  roles: ['release', 'channel'],
  purls: [
    'pkg:generic/acme/*',
    'pkg:channel/acme/*',
    'pkg:channel/acme/*/*',
    'pkg:channel/acme/*/*/*',
  ],
} as const;

/** An admission entry for the log in `directory`, with its own registrar key. */
export async function admission(
  log: Log,
  directory: string,
  issuer: Signer,
  action: IssuerAction = 'admit',
): Promise<Uint8Array> {
  const registrar = await readKeyFile(dataFiles(directory).registrarKey);
  const payload = issuerStatement({
    origin: log.origin,
    sequence: log.admission.nextSequence,
    action,
    name: 'acme',
    key: issuer.publicKey,
    ...(action === 'revoke' ? {} : admitted),
  });
  return envelope(payload, registrar);
}

/** The checkpoint, its signature verified under the log's keys. */
export async function opened(log: Log, { note }: Published): Promise<Checkpoint> {
  const signed = parseNote(note);
  await openNote(signed, log.vkeys.map(parseVkey), nodeVerifier);
  return parseCheckpoint(signed.text);
}

export function entries(count: number, label = 'entry'): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(`${label} ${i}`));
}

/** The directory of a closed open log with so many entries besides its genesis. */
export async function closedLog(count: number, label = 'entry'): Promise<string> {
  const directory = await scratchDirectory();
  const log = await Log.open({
    directory,
    admission: 'open',
    origin: 'log.example/a',
    intervalMs: 50,
  });
  await log.submitMany(entries(count, label));
  await log.close();
  return directory;
}
