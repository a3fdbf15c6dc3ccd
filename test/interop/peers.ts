/** Witnesses as processes: two that others wrote in Go, and our own. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { concatBytes } from '../../src/encoding/bytes.ts';
import { decodeHex } from '../../src/encoding/hex.ts';
import { mlDsa44Pkcs8 } from '../../src/keys/ml-dsa.ts';
import { signerFromPem } from '../../src/keys/node-signer.ts';
import { formatVkey, verifierKey, type NoteKeyType } from '../../src/note/vkey.ts';
import { closedPort, daybook } from '../cli/daybook.ts';
import { buildGo } from './go.ts';

export interface Peer {
  /** Submission prefix, without a slash at its end. */
  readonly url: string;
  /** Ed25519 first, then ML-DSA-44 if it has one. */
  readonly vkeys: readonly string[];
  /** What it said so far. */
  output(): string;
  /** Resolves when it has ended. */
  stop(signal?: NodeJS.Signals): Promise<void>;
}

export interface PeerSettings {
  /** Keys and state; what is there already is taken up again. */
  readonly directory: string;
  readonly name: string;
  readonly logVkeys: readonly string[];
  /** A free one unless given. */
  readonly port?: number;
}

export type Programs = Readonly<Record<'litewitness' | 'runLitewitness' | 'omniwitness', string>>;

/** Builds the witnesses from the module versions that go.mod pins. */
export async function buildWitnesses(directory: string): Promise<Programs> {
  return {
    litewitness: await buildGo('filippo.io/torchwood/cmd/litewitness', directory),
    runLitewitness: await buildGo('./run-litewitness', directory),
    omniwitness: await buildGo('github.com/transparency-dev/witness/cmd/omniwitness', directory),
  };
}

/** litewitness: Ed25519, state in SQLite. */
export async function startLitewitness(programs: Programs, settings: PeerSettings): Promise<Peer> {
  const { directory, name, logVkeys, port = await closedPort() } = settings;
  mkdirSync(directory, { recursive: true });
  const running = start(programs.runLitewitness, [
    ...['-program', programs.litewitness, '-dir', directory, '-name', name],
    ...['-listen', `127.0.0.1:${port}`, '-logs', logVkeys.join(' ')],
  ]);
  const [vkey] = await running.said(/^\S+\+[0-9a-f]{8}\+\S+$/m);
  return { ...running, url: `http://127.0.0.1:${port}`, vkeys: [vkey] };
}

/** omniwitness: Ed25519 and ML-DSA-44, state in SQLite. */
export async function startOmniwitness(programs: Programs, settings: PeerSettings): Promise<Peer> {
  const { directory, name, logVkeys, port = await closedPort() } = settings;
  mkdirSync(directory, { recursive: true });
  const keys = [noteKey(directory, name, 0x04), noteKey(directory, name, 0x06)];
  const logs = join(directory, 'logs.yaml');
  const known = logVkeys.map((vkey) => {
    const [origin] = vkey.split('+');
    return `  - {Origin: ${origin}, PublicKey: ${vkey}, URL: 'http://localhost/'}\n`;
  });
  writeFileSync(logs, `Logs:\n${known.join('')}`);
  const running = start(programs.omniwitness, [
    ...['-listen', `127.0.0.1:${port}`, '-metrics_listen', ''],
    ...['-db_file', join(directory, 'db'), '-additional_logs', logs],
    ...keys.flatMap(({ path }) => ['-private_key_path', path]),
  ]);
  await listening(port, running);
  return { ...running, url: `http://127.0.0.1:${port}`, vkeys: keys.map(({ vkey }) => vkey) };
}

/** `daybook witness`, made first where there is none. */
export async function startDaybookWitness(
  settings: PeerSettings & { readonly mlDsa?: boolean },
): Promise<Peer> {
  const { directory, name, logVkeys, port = 0, mlDsa = false } = settings;
  const data = join(directory, 'witness');
  mkdirSync(directory, { recursive: true });
  if (!existsSync(data)) {
    const made = await daybook(
      directory,
      ...['witness', 'init', '--data', data, '--name', name],
      ...(mlDsa ? ['--ml-dsa'] : []),
    );
    if (made.exit !== 0) throw new Error(made.stderr);
  }
  const logs = join(directory, 'logs');
  writeFileSync(logs, logVkeys.map((vkey) => `log ${vkey}\n`).join(''));
  const running = start(process.execPath, [
    resolve('src/cli/main.ts'),
    ...['witness', '--data', data, '--logs', logs, '--port', String(port)],
  ]);
  const [, found] = await running.said(/at http:\/\/localhost:(\d+)/);
  await running.said(mlDsa ? /(public key .*\n\s*){2}/ : /public key .*\n/);
  const vkeys = [...running.output().matchAll(/public key +(\S+)/g)].map(([, vkey]) => vkey!);
  return { ...running, url: `http://127.0.0.1:${found}`, vkeys };
}

/** A secret key as Go's note package writes it, kept in a file for the next run. */
function noteKey(
  directory: string,
  name: string,
  type: Exclude<NoteKeyType, 0x01>,
): { path: string; vkey: string } {
  const path = join(directory, `key-${type}`);
  if (!existsSync(path)) writeFileSync(path, randomBytes(32));
  const seed = new Uint8Array(readFileSync(path));
  const pkcs8 =
    type === 0x06
      ? mlDsa44Pkcs8(seed)
      : concatBytes(decodeHex('302e020100300506032b657004220420'), seed);
  const { publicKey } = signerFromPem(
    `-----BEGIN PRIVATE KEY-----\n${encodeBase64(pkcs8)}\n-----END PRIVATE KEY-----\n`,
  );
  const vkey = formatVkey(verifierKey(name, type, publicKey));
  const [, id] = vkey.split('+');
  const secret = encodeBase64(concatBytes(Uint8Array.of(type), seed));
  const note = `${path}.note`;
  writeFileSync(note, `PRIVATE+KEY+${name}+${id}+${secret}`);
  return { path: note, vkey };
}

interface Running extends Pick<Peer, 'output' | 'stop'> {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when its output matches; rejects when it ends before. */
  said(pattern: RegExp): Promise<RegExpExecArray>;
}

/** Starts a program that runs until it is stopped. */
function start(program: string, args: readonly string[]): Running {
  const child = spawn(program, args);
  const ended = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
      child.emit('said');
    });
  }
  return {
    child,
    output: () => output,
    stop: async (signal = 'SIGTERM') => {
      child.kill(signal);
      await ended;
    },
    said: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(output);
          if (found === null) return;
          child.off('said', look);
          resolve(found);
        };
        child.on('said', look);
        child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${output}`)));
        look();
      }),
  };
}

async function listening(port: number, { child, output }: Running): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (child.exitCode !== null) break;
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch {
      await sleep(20);
    } finally {
      socket.destroy();
    }
  }
  throw new Error(`nothing listens on port ${port}: ${output()}`);
}
