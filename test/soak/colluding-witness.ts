/**
 * A process that is a witness which cosigns whatever a log shows, on two ports. At its monitoring
 * prefix it shows what came last by the first, and keeps to itself what came by the second.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { utf8 } from '../../src/encoding/bytes.ts';
import { generateKey, signerFromPem } from '../../src/keys/node-signer.ts';
import {
  formatSignatureLines,
  mergeSignatures,
  parseAddCheckpoint,
} from '../../src/note/add-checkpoint.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { signNote } from '../../src/note/sign.ts';
import { formatVkey, verifierKey } from '../../src/note/vkey.ts';
import { answerCalls } from './worker.ts';

const signer = signerFromPem(await generateKey('ed25519'));
const key = verifierKey('colluder.example', 0x04, signer.publicKey);
/** The newest note that it shows of each log, by the hash of its origin. */
const shown = new Map<string, string>();

async function serve(face: 'first' | 'second'): Promise<number> {
  const server = createServer((req, res) => {
    if (req.method === 'POST') void cosign(req, res, face);
    else show(req.url ?? '', res);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

async function cosign(req: IncomingMessage, res: ServerResponse, face: string): Promise<void> {
  const { checkpoint } = parseAddCheckpoint(new Uint8Array(await buffer(req)));
  const note = parseNote(checkpoint);
  const { signatures } = await signNote(
    note.text,
    [{ key, signer }],
    Math.floor(Date.now() / 1000),
  );
  const hash = originHash(parseCheckpoint(note.text).origin);
  if (face === 'first') {
    shown.set(hash, formatNote(mergeSignatures(note, signatures)));
  }
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' });
  res.end(formatSignatureLines(signatures));
}

function show(path: string, res: ServerResponse): void {
  const note = shown.get(path.split('/')[1] ?? '');
  if (note === undefined) res.writeHead(404).end();
  else res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(utf8(note));
}

const ports = { first: await serve('first'), second: await serve('second') };

const calls = {
  async introduce() {
    return { vkey: formatVkey(key), ports };
  },
};

export type ColluderCalls = typeof calls;

answerCalls(calls);
