/**
 * A process with logs that have two faces. Each is two real logs on copies of one data directory, with
 * one key, that went apart; each face has a port of its own. Cosignatures are gathered here and not by the log, which would
 * stop at a fork.
 */
import { cp, mkdir } from 'node:fs/promises';
import { createServer as createHttp, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pino } from 'pino';
import { leafIndex, treeSize } from '../../src/encoding/integer.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { Http } from '../../src/http/outbound.ts';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { dataFiles } from '../../src/log/data-directory.ts';
import { Log } from '../../src/log/log.ts';
import {
  formatAddCheckpoint,
  mergeSignatures,
  parseSignatureLines,
} from '../../src/note/add-checkpoint.ts';
import { formatNote, parseNote } from '../../src/note/note.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { createServer } from '../../src/server/index.ts';
import { answerCalls } from './worker.ts';

/**
 * What a port shows: one branch; the forked one's checkpoints without its tiles; or the honest one's
 * checkpoints with the forked one's tiles, by which a larger forked head looks as if it were to come.
 */
export type Face = Side | 'withholding' | 'explaining';
type Side = 'honest' | 'forked';

interface Branch {
  readonly log: Log;
  /** Of the keys that sign what is shown; all of them where there is none. */
  readonly keyType: 0x01 | 0x06 | undefined;
  /** As it is shown: with the cosignatures that were gathered. */
  note: Uint8Array;
}

interface TwoFaced {
  readonly branches: Readonly<Record<Side, Branch>>;
  readonly faces: Readonly<Record<Face, Server>>;
}

const logger = pino({ level: 'silent' });
const logs = new Map<number, TwoFaced>();
const INTERVAL_MS = 50;

const calls = {
  /** Makes a log with `forkSize` entries and copies it. */
  async open(given: {
    id: number;
    directory: string;
    origin: string;
    forkSize: number;
    keysApart: boolean;
  }) {
    const { id, directory, origin, forkSize, keysApart } = given;
    const [first, second] = [join(directory, 'honest'), join(directory, 'forked')];
    await mkdir(first, { recursive: true });
    if (keysApart) await createKeyFile(dataFiles(first).mlDsaKey, 'ml-dsa-44');
    const made = await Log.open({
      directory: first,
      admission: 'open',
      origin,
      intervalMs: INTERVAL_MS,
    });
    await append(made, forkSize - made.status().size, 'common');
    await made.close();
    await cp(first, second, { recursive: true });
    const [honest, forked] = await Promise.all([
      openBranch(first, keysApart ? 0x01 : undefined),
      openBranch(second, keysApart ? 0x06 : undefined),
    ]);
    const faces = {
      honest: await listen(face(honest, serverOf(honest))),
      forked: await listen(face(forked, serverOf(forked))),
      withholding: await listen(
        face(
          forked,
          createHttp((_, res) => res.writeHead(404).end()),
        ),
      ),
      explaining: await listen(face(honest, serverOf(forked))),
    };
    logs.set(id, { branches: { honest, forked }, faces });
    const port = (face: Face): number => (faces[face].address() as AddressInfo).port;
    return {
      vkeys: honest.log.vkeys,
      ports: {
        honest: port('honest'),
        forked: port('forked'),
        withholding: port('withholding'),
        explaining: port('explaining'),
      } satisfies Record<Face, number>,
    };
  },

  /** Appends to one branch, asks these witnesses to cosign it, and shows it. Gives its size and who cosigned. */
  async grow(given: { id: number; side: Side; by: number; witnesses: readonly string[] }) {
    const { id, side, by, witnesses } = given;
    const branch = (logs.get(id) as TwoFaced).branches[side];
    await append(branch.log, by, side);
    const { size } = branch.log.published;
    const note = ownNote(branch);
    const lines = await Promise.all(witnesses.map((url) => cosign(branch.log, note, size, url)));
    const cosigned = lines.flat();
    branch.note = utf8(formatNote(mergeSignatures(parseNote(note), cosigned)));
    return { size, cosigners: cosigned.map(({ name }) => name) };
  },

  async close({ id }: { id: number }) {
    const { branches, faces } = logs.get(id) as TwoFaced;
    logs.delete(id);
    for (const face of Object.values(faces)) {
      face.close();
      face.closeAllConnections();
    }
    await Promise.all(Object.values(branches).map(({ log }) => log.close()));
  },
};

export type ForkingLogCalls = typeof calls;

async function openBranch(directory: string, keyType: Branch['keyType']): Promise<Branch> {
  const log = await Log.open({ directory, intervalMs: INTERVAL_MS });
  const branch = { log, keyType, note: log.published.note };
  branch.note = ownNote(branch);
  return branch;
}

/** The newest checkpoint, with the signatures that this branch is to have. */
function ownNote({ log, keyType }: Branch): Uint8Array {
  const { text, signatures } = parseNote(log.published.note);
  const key = log.vkeys.map(parseVkey).find(({ type }) => type === keyType);
  const own = signatures.filter(({ keyId }) => key === undefined || keyId === key.keyId);
  return utf8(formatNote({ text, signatures: own }));
}

async function append(log: Log, count: number, label: string): Promise<void> {
  const start = log.status().size;
  const entries = Array.from({ length: count }, (_, i) => utf8(`${label} ${start + i}`));
  await log.submitMany(entries);
  await log.included(leafIndex(start + count - 1));
}

function serverOf({ log }: Branch): Server {
  return createServer(log, { logger }).http;
}

/** Shows the checkpoint of `branch`; everything else is for `rest` to answer. */
function face(branch: Branch, rest: Server): Server {
  return createHttp((req, res) => {
    if (req.url === '/checkpoint') answerNote(res, branch);
    else rest.emit('request', req, res);
  });
}

function answerNote(res: ServerResponse, { note }: Branch): void {
  res.writeHead(200, { 'Content-Type': 'text/plain; charset=utf-8' }).end(note);
}

async function listen(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

type Lines = ReturnType<typeof parseSignatureLines>;

/** Signature lines of the witness at `url`; none when it refuses or is away. */
async function cosign(log: Log, checkpoint: Uint8Array, size: number, url: string): Promise<Lines> {
  const http = new Http(url, { timeoutMs: 5000 });
  let oldSize = treeSize(0);
  for (let attempt = 0; attempt < 3; attempt++) {
    const consistent = oldSize === 0 || oldSize === size;
    const proof = consistent ? [] : await log.consistency(oldSize, treeSize(size));
    const body = formatAddCheckpoint({ oldSize, proof, checkpoint });
    const call = { method: 'POST', body, maxBytes: 65_536 } as const;
    const answer = await http.once('add-checkpoint', call).catch(() => undefined);
    if (answer?.status === 200) return parseSignatureLines(answer.body);
    if (answer?.status !== 409) return [];
    oldSize = treeSize(Number(Buffer.from(answer.body).toString()));
    if (oldSize > size) return [];
  }
  return [];
}

answerCalls(calls);
