import { connect } from 'node:net';
import { Decoder } from 'cbor-x';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { batchAnswerSchema } from '../../src/server/batch.ts';
import { admission, entries, newSigner, release } from '../log/scratch.ts';
import {
  exchange,
  problemIn,
  startServer,
  statusIn,
  type RunningServer,
} from './running-server.ts';

const lines = 'application/x-ndjson';
const sequence = 'application/cbor-seq';

function postBatch(
  { url }: RunningServer,
  type: string,
  body: Uint8Array | string,
  accept = '*/*',
): Promise<Response> {
  const headers = { 'Content-Type': type, Accept: accept };
  return fetch(`${url}/entries/batch`, { method: 'POST', body: Buffer.from(body), headers });
}

async function lineAnswers(response: Response): Promise<unknown[]> {
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe(lines);
  const text = (await response.text()).trimEnd().split('\n');
  return text.map((line) => batchAnswerSchema.decode(JSON.parse(line) as never));
}

async function sequenceAnswers(response: Response): Promise<unknown[]> {
  expect(response.headers.get('content-type')).toBe(sequence);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return new Decoder({ mapsAsObjects: true }).decodeMultiple(bytes) as unknown[];
}

const cborStrings = (list: readonly Uint8Array[]): Uint8Array =>
  Buffer.concat(list.flatMap((each) => [Uint8Array.of(0x59, each.length >> 8, each.length), each]));

describe('POST /entries/batch', () => {
  test('lines in, lines out: an answer for each entry, in order, the exact bytes logged', async () => {
    const server = await startServer();
    const list = entries(3000);
    const body = list.map((entry) => `${new TextDecoder().decode(entry)}\n`).join('');
    const answers = await lineAnswers(await postBatch(server, lines, body));
    expect(answers).toEqual(
      list.map((entry, i) => ({
        index: i + 1,
        leafHash: rfc6962.leaf(entry),
        duplicate: false,
      })),
    );
    expect(await lineAnswers(await postBatch(server, lines, body))).toEqual(
      answers.map((answer) => ({ ...(answer as object), duplicate: true })),
    );
  });

  test('a CBOR sequence in, a CBOR sequence out', async () => {
    const server = await startServer();
    const list = entries(2000);
    const response = await postBatch(server, sequence, cborStrings(list));
    const answers = await sequenceAnswers(response);
    expect(answers).toHaveLength(2000);
    expect(answers[1999]).toEqual({
      index: 2000,
      leafHash: rfc6962.leaf(list[1999]!),
      duplicate: false,
    });
  });

  test('the form of the answers is negotiated apart from that of the entries', async () => {
    const server = await startServer();
    expect(
      await lineAnswers(await postBatch(server, sequence, cborStrings(entries(2)), lines)),
    ).toHaveLength(2);
    expect(await sequenceAnswers(await postBatch(server, lines, 'a\nb\n', sequence))).toHaveLength(
      2,
    );
    const other = await postBatch(server, lines, 'a\n', 'application/json');
    expect((await problemIn(other)).code).toBe('not-acceptable');
  });

  test('an entry that cannot be logged is answered in its place, and the others are logged', async () => {
    const server = await startServer();
    const body = `first\n\n${'x'.repeat(65_536)}\nlast`;
    expect(await lineAnswers(await postBatch(server, lines, body))).toMatchObject([
      { index: 1 },
      { error: { code: 'bad-entry', status: 400 } },
      { error: { code: 'entry-too-large', status: 413 } },
      { index: 2 },
    ]);
  });

  test('statements of issuers are examined one by one', async () => {
    const server = await startServer({ log: { admission: 'issuers' } });
    const [known, stranger] = [await newSigner(), await newSigner()];
    await server.log.submit(await admission(server.log, server.directory, known));
    const list = [
      await release(known, '1.0.0'),
      await release(stranger, '2.0.0'),
      utf8('{"no":"envelope"}'),
      await release(known, '1.0.1'),
    ];
    const answers = await sequenceAnswers(await postBatch(server, sequence, cborStrings(list)));
    expect(answers).toMatchObject([
      { index: 2 },
      { error: { code: 'not-admitted' } },
      { error: { code: 'bad-entry' } },
      { index: 3 },
    ]);
  });

  test('where the framing breaks, what came before is logged and the last answer says so', async () => {
    const server = await startServer();
    const broken = Buffer.concat([cborStrings(entries(3)), Uint8Array.of(0xff, 0x61)]);
    const answers = await sequenceAnswers(await postBatch(server, sequence, broken));
    expect(answers).toMatchObject([
      { index: 1 },
      { index: 2 },
      { index: 3 },
      { error: { code: 'bad-request' } },
    ]);
    const cut = cborStrings(entries(2, 'other')).subarray(0, -1);
    expect(await sequenceAnswers(await postBatch(server, sequence, cut))).toMatchObject([
      { index: 4 },
      { error: { code: 'bad-request' } },
    ]);
  });

  test.for([
    ['an empty body', lines, '', 'bad-request'],
    ['no CBOR byte string', sequence, 'hello', 'bad-request'],
    ['another type', 'application/json', '[]', 'unsupported-media-type'],
  ] as const)('%s is refused as a whole', async ([, type, body, code]) => {
    const server = await startServer();
    expect((await problemIn(await postBatch(server, type, body))).code).toBe(code);
    expect(server.log.status().size).toBe(1);
  });

  test('more entries or bytes than allowed are refused from there on', async () => {
    const server = await startServer({ server: { maxBatchEntries: 5, maxBatchBytes: 1000 } });
    const answers = await lineAnswers(await postBatch(server, lines, '1\n2\n3\n4\n5\n6\n7\n'));
    expect(answers).toHaveLength(6);
    expect(answers[5]).toMatchObject({ error: { code: 'request-too-large' } });
    const declared = await postBatch(server, lines, 'x'.repeat(1001));
    expect((await problemIn(declared)).code).toBe('request-too-large');

    const head = `POST /entries/batch HTTP/1.1\r\nHost: a\r\nContent-Type: ${lines}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const chunk = `3e8\r\n${'y'.repeat(1000)}\r\n`;
    const received = await exchange(server.port, head, chunk, chunk, '0\r\n\r\n');
    expect(statusIn(received)).toBe(413);
  });

  test('a client that sends everything before it reads anything is not held up', async () => {
    const server = await startServer();
    const count = 10_000;
    const body = Array.from({ length: count }, () => '\n').join('');
    const answers = await lineAnswers(await postBatch(server, lines, body));
    expect(answers).toHaveLength(count);
  });

  test('what came whole before the connection broke is logged, what was cut is not', async () => {
    const server = await startServer();
    const head = `POST /entries/batch HTTP/1.1\r\nHost: a\r\nContent-Type: ${lines}\r\nContent-Length: 100\r\n\r\n`;
    await new Promise<void>((resolve) => {
      const socket = connect(server.port, '127.0.0.1');
      socket.on('close', () => resolve());
      socket.write(`${head}whole\ncut`, () => setTimeout(() => socket.destroy(), 50));
    });
    await expect.poll(() => server.log.status().size).toBe(2);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  });
});
