/**
 * The same add-checkpoint requests, sent to our witness and to two that others wrote: what each
 * answers, in the order of C2SP tlog-witness. Where a peer answers otherwise than the specification,
 * its status stands beside ours, so that this test also notices when the peer changes.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { mergeSignatures, parseSignatureLines } from '../../src/note/add-checkpoint.ts';
import { formatNote, openNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { proofOf, requestBody } from '../witness/running-witness.ts';
import { BUILD_MS, hasGo } from './go.ts';
import {
  buildWitnesses,
  startDaybookWitness,
  startLitewitness,
  startOmniwitness,
  type Peer,
} from './peers.ts';

const origin = 'example.com/log';
type Name = 'daybook' | 'litewitness' | 'omniwitness';
const names: readonly Name[] = ['daybook', 'litewitness', 'omniwitness'];

let log: MemoryLog;
/** The same log's key, on other entries from index 3 on. */
let fork: MemoryLog;
let unknown: MemoryLog;
/** Logs that have nothing but a first contact. */
let skipping: MemoryLog;
let proving: MemoryLog;

interface Case {
  readonly what: string;
  readonly body: () => Promise<string | Uint8Array>;
  /** What the specification wants, and our witness answers. */
  readonly status: number;
  /** What the others answer when it is not that. */
  readonly otherwise?: Partial<Record<Name, number>>;
  /** The size in a 409's body. */
  readonly size?: number;
}

const changed = async (
  from: number,
  to: number,
  change: (body: string) => string,
): Promise<string> => {
  const body = await requestBody(log, from, to);
  const result = change(body);
  if (result === body) throw new Error('nothing was changed');
  return result;
};

/** One after the other: each witness knows size 0, then 5, then 9. A body that a peer takes
 * although it is malformed asks for what it has cosigned already, so that all stay together. */
const cases: readonly Case[] = [
  {
    what: 'a conflict at first: nothing was cosigned yet',
    body: () => requestBody(skipping, 3, 5),
    status: 409,
    otherwise: { omniwitness: 200 },
    size: 0,
  },
  {
    what: 'a proof from size 0',
    body: async () => requestBody(proving, 0, 5, { proof: await proofOf(proving, 3, 5) }),
    status: 422,
    otherwise: { litewitness: 200, omniwitness: 200 },
  },
  { what: 'a first checkpoint', body: () => requestBody(log, 0, 5), status: 200 },
  { what: 'the same checkpoint again', body: () => requestBody(log, 5, 5), status: 200 },
  {
    what: 'an unknown log',
    body: () => requestBody(unknown, 0, 2),
    status: 404,
    otherwise: { omniwitness: 500 },
  },
  {
    what: 'a signature by nobody known',
    body: async () =>
      requestBody(log, 5, 9, { note: await log.note(9, [await newNoteSigner(origin, 0x01)]) }),
    status: 403,
    otherwise: { omniwitness: 500 },
  },
  {
    what: 'a signature that fails',
    body: async () => {
      const note = parseNote(await log.note(9));
      const signatures = note.signatures.map((line) => {
        const signature = line.signature.slice();
        signature[10]! ^= 1;
        return { ...line, signature };
      });
      return requestBody(log, 5, 9, { note: formatNote({ ...note, signatures }) });
    },
    status: 403,
    otherwise: { omniwitness: 500 },
  },
  {
    what: 'a signature that fails, and a wrong old size',
    body: () => changed(3, 9, (body) => body.replace(/\n9\n/, '\n8\n')),
    status: 403,
    otherwise: { omniwitness: 500 },
  },
  { what: 'an old size above the new one', body: () => requestBody(log, 5, 4), status: 400 },
  {
    what: 'an old size above the new one, and above what was cosigned',
    body: () => requestBody(log, 9, 8),
    status: 400,
  },
  {
    what: 'an old size below what was cosigned',
    body: () => requestBody(log, 3, 9),
    status: 409,
    size: 5,
  },
  { what: 'an old size of 0', body: () => requestBody(log, 0, 9), status: 409, size: 5 },
  {
    what: 'an old size above what was cosigned',
    body: () => requestBody(log, 7, 9),
    status: 409,
    size: 5,
  },
  { what: 'another root at the same size', body: () => requestBody(fork, 5, 5), status: 422 },
  { what: 'a fork', body: () => requestBody(fork, 5, 9), status: 422 },
  { what: 'no proof', body: () => requestBody(log, 5, 9, { proof: [] }), status: 422 },
  {
    what: 'a proof with a hash too many',
    body: async () => {
      const proof = await proofOf(log, 5, 9);
      return requestBody(log, 5, 9, { proof: [...proof, proof[0]!] });
    },
    status: 422,
  },
  {
    what: 'a proof for equal sizes',
    body: async () => requestBody(log, 5, 5, { proof: await proofOf(log, 3, 5) }),
    status: 422,
  },
  {
    what: 'a proof of 64 hashes',
    body: async () => {
      const [hash] = await proofOf(log, 5, 9);
      return requestBody(log, 5, 9, { proof: Array.from({ length: 64 }, () => hash!) });
    },
    status: 400,
    otherwise: { omniwitness: 422 },
  },
  { what: 'no body', body: async () => '', status: 400 },
  {
    what: 'no empty line',
    body: () => changed(5, 9, (body) => body.replaceAll('\n\n', '\n')),
    status: 400,
  },
  {
    what: 'no old line',
    body: () => changed(5, 9, (body) => body.slice(body.indexOf('\n') + 1)),
    status: 400,
  },
  {
    what: 'an old size with a leading zero',
    body: () => changed(5, 5, (body) => body.replace('old 5', 'old 05')),
    status: 400,
    otherwise: { litewitness: 200, omniwitness: 200 },
  },
  {
    what: 'an old size with a plus',
    body: () => changed(5, 5, (body) => body.replace('old 5', 'old +5')),
    status: 400,
    otherwise: { litewitness: 200 },
  },
  {
    what: 'an old size below 0',
    body: () => changed(5, 5, (body) => body.replace('old 5', 'old -5')),
    status: 400,
  },
  {
    what: 'two spaces behind old',
    body: () => changed(5, 5, (body) => body.replace('old 5', 'old  5')),
    status: 400,
    otherwise: { omniwitness: 200 },
  },
  {
    what: 'something behind the old size',
    body: () => changed(5, 5, (body) => body.replace('old 5', 'old 5 x')),
    status: 400,
    otherwise: { omniwitness: 200 },
  },
  {
    what: 'a carriage return behind the old size',
    body: () => changed(5, 5, (body) => body.replace('old 5', 'old 5\r')),
    status: 400,
    otherwise: { omniwitness: 200 },
  },
  {
    what: 'an old size over 64 bits',
    body: () => changed(5, 5, (body) => body.replace('old 5', 'old 18446744073709551621')),
    status: 400,
  },
  {
    what: 'a hash that is too short',
    body: () => changed(5, 9, (body) => body.replace(/\n.{4}/, '\n')),
    status: 400,
    otherwise: { omniwitness: 422 },
  },
  {
    what: 'a hash in base64 of URLs',
    body: () => changed(5, 9, (body) => body.replace(/\n.{4}/, '\n-__-')),
    status: 400,
  },
  {
    what: 'a checkpoint that is no note',
    body: () => requestBody(log, 5, 9, { note: `${origin}\n` }),
    status: 400,
    otherwise: { litewitness: 500, omniwitness: 500 },
  },
  {
    what: 'a note that is no checkpoint',
    body: () => changed(5, 9, (body) => body.replace(/\n9\n/, '\nnine\n')),
    status: 400,
    otherwise: { litewitness: 403, omniwitness: 500 },
  },
  {
    what: 'a note without signatures',
    body: () => changed(5, 9, (body) => body.slice(0, body.indexOf('—'))),
    status: 400,
    otherwise: { litewitness: 500, omniwitness: 500 },
  },
  {
    what: 'nothing behind the empty line',
    body: async () => 'old 5\n\n',
    status: 400,
    otherwise: { litewitness: 404, omniwitness: 500 },
  },
  {
    what: 'bytes that are no UTF-8',
    body: async () => Uint8Array.of(0x6f, 0x6c, 0x64, 0x20, 0x35, 10, 0xff, 10, 10, 0xff),
    status: 400,
  },
  {
    // Stricter than the specification, which says nothing of it.
    what: 'two signatures of one key that nobody knows',
    body: async () => {
      const other = await newNoteSigner('witness.example/other', 0x04);
      const note = await log.note(5, [log.signer, other]);
      return requestBody(log, 5, 5, { note: decodeUtf8(note).replace(/(?:.*\n)$/, '$&$&') });
    },
    status: 400,
    otherwise: { litewitness: 200, omniwitness: 200 },
  },
  {
    what: 'a note of over 16 KiB, by the signatures of others',
    body: async () => {
      const others = Array.from({ length: 6 }, (_, i) => newNoteSigner(`other.example/${i}`, 0x06));
      return requestBody(log, 5, 5, {
        note: await log.note(5, [log.signer, ...(await Promise.all(others))]),
      });
    },
    status: 200,
    otherwise: { litewitness: 500, omniwitness: 400 },
  },
  {
    what: "a next checkpoint, with signatures of others beside the log's",
    body: async () =>
      requestBody(log, 5, 9, {
        note: await log.note(9, [
          await newNoteSigner('witness.example/other', 0x04),
          log.signer,
          await newNoteSigner('witness.example/other', 0x06),
        ]),
      }),
    status: 200,
  },
  { what: 'the one before it once more', body: () => requestBody(log, 5, 9), status: 409, size: 9 },
  {
    what: 'a hash whose last bits are not 0',
    body: () =>
      changed(9, 12, (body) => body.replace(/(.)=\n/, (_, last: string) => `${strayBit(last)}=\n`)),
    status: 400,
    otherwise: { litewitness: 200, omniwitness: 200 },
  },
];

/** The next character of the alphabet: another last bit, in a place where it should be 0. */
function strayBit(last: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  return alphabet[alphabet.indexOf(last) + 1]!;
}

describe.skipIf(!hasGo())('add-checkpoint', () => {
  const directory = mkdtempSync(join(tmpdir(), 'daybook-requests-'));
  const peers: Partial<Record<Name, Peer>> = {};

  beforeAll(async () => {
    log = await MemoryLog.create(numbered(12), origin);
    fork = log.fork(3, ...numbered(9, 'forked'));
    skipping = await MemoryLog.create(numbered(5), 'example.com/skipping');
    proving = await MemoryLog.create(numbered(5), 'example.com/proving');
    unknown = await MemoryLog.create(numbered(2), 'example.com/unknown');
    const programs = await buildWitnesses(directory);
    const settings = (name: Name): Parameters<typeof startDaybookWitness>[0] => ({
      directory: join(directory, `${name}-data`),
      name: `witness.example/${name}`,
      logVkeys: [log, skipping, proving].map(({ vkey }) => vkey),
    });
    peers.daybook = await startDaybookWitness({ ...settings('daybook'), mlDsa: true });
    peers.litewitness = await startLitewitness(programs, settings('litewitness'));
    peers.omniwitness = await startOmniwitness(programs, settings('omniwitness'));
  }, BUILD_MS);

  afterAll(async () => {
    await Promise.all(Object.values(peers).map((peer) => peer.stop()));
    rmSync(directory, { recursive: true });
  });

  test.each(cases)('$what: $status', async ({ body, status, otherwise = {}, size }) => {
    const bytes = await body();
    const statuses: Partial<Record<Name, number>> = {};
    for (const name of names) {
      const { url, vkeys } = peers[name]!;
      const answer = await fetch(`${url}/add-checkpoint`, {
        method: 'POST',
        body: Buffer.from(bytes),
      });
      const text = await answer.text();
      if (answer.status !== status || name === 'daybook') statuses[name] = answer.status;
      if (answer.status === 409) {
        expect.soft(answer.headers.get('content-type'), name).toBe('text/x.tlog.size');
        expect.soft(text, name).toBe(`${size}\n`);
      }
      if (answer.status === 200 && status === 200) await checkCosignatures(bytes, text, vkeys);
    }
    expect(statuses).toEqual({ ...otherwise, daybook: status });
  });

  /** The answer is the cosignatures by exactly these keys, on the checkpoint of the request. */
  async function checkCosignatures(
    body: string | Uint8Array,
    answer: string,
    vkeys: readonly string[],
  ): Promise<void> {
    const request = typeof body === 'string' ? body : decodeUtf8(body);
    const note = parseNote(request.slice(request.indexOf('\n\n') + 2));
    const lines = parseSignatureLines(utf8(answer));
    const opened = await openNote(mergeSignatures(note, lines), vkeys.map(parseVkey), nodeVerifier);
    expect(opened).toHaveLength(lines.length);
    expect(opened).toHaveLength(vkeys.length);
    for (const { timestamp } of opened) {
      expect(Math.abs(timestamp! - Date.now() / 1000)).toBeLessThan(60);
    }
  }

  test('ours alone has a monitoring prefix', async () => {
    const path = `${originHash(origin)}/checkpoint`;
    const statuses = await Promise.all(
      names.map(async (name) => (await fetch(`${peers[name]!.url}/${path}`)).status),
    );
    expect(statuses).toEqual([200, 404, 404]);
  });
});
