import { Decoder } from 'cbor-x';
import { describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { verifyInclusion } from '../../src/merkle/inclusion.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { includedSchema, sequencedSchema } from '../../src/server/submit.ts';
import { admission, envelope, newSigner, opened, release } from '../log/scratch.ts';
import { postEntry, problemIn, startServer, type RunningServer } from './running-server.ts';

/** Checks the proof against the log's own keys; gives the entry that it is about. */
async function entryProven({ log }: RunningServer, proofText: string): Promise<Uint8Array> {
  const { extra, index, hashes, checkpoint } = parseTlogProof(utf8(proofText));
  const { size, root } = await opened(log, { ...log.published, note: checkpoint });
  const leafHash = rfc6962.leaf(extra!);
  verifyInclusion({ index, size, leafHash, proof: hashes, root });
  return extra!;
}

describe('POST /entries', () => {
  test('answers with a proof that verifies, and again with the first index', async () => {
    const server = await startServer();
    const entry = utf8('a build');
    const first = await postEntry(server, entry);
    expect(first.status).toBe(201);
    expect(first.headers.get('location')).toBe('/entries/1');
    const answer = includedSchema.decode((await first.json()) as never);
    expect(answer).toMatchObject({ index: 1, duplicate: false });
    expect(answer.leafHash).toEqual(rfc6962.leaf(entry));
    expect(await entryProven(server, answer.proof)).toEqual(entry);

    const again = await postEntry(server, entry);
    expect(again.status).toBe(200);
    const known = includedSchema.decode((await again.json()) as never);
    expect(known).toMatchObject({ index: 1, duplicate: true });
    expect(await entryProven(server, known.proof)).toEqual(entry);
  });

  test('wait=sequenced answers without a proof', async () => {
    const server = await startServer();
    for (const [status, duplicate] of [
      [201, false],
      [200, true],
    ] as const) {
      const response = await postEntry(server, 'a build', '?wait=sequenced');
      expect(response.status).toBe(status);
      const answer = sequencedSchema.decode((await response.json()) as never);
      expect(answer).toMatchObject({ index: 1, duplicate });
    }
  });

  test('after the deadline answers 202 with the place where the proof will be', async () => {
    const server = await startServer({
      log: { intervalMs: 3_600_000 },
      server: { includedTimeoutMs: 30 },
    });
    expect((await postEntry(server, 'first', '?wait=sequenced')).status).toBe(201);
    const response = await postEntry(server, 'second');
    expect(response.status).toBe(202);
    expect(sequencedSchema.decode((await response.json()) as never).index).toBe(2);
    const location = response.headers.get('location');
    expect(location).toBe('/proofs/entry/2');
    expect((await problemIn(await fetch(server.url + location))).code).toBe('not-found');
  });

  test('answers in CBOR where asked, hashes as byte strings', async () => {
    const server = await startServer();
    const response = await postEntry(server, 'a build', '', { Accept: 'application/cbor' });
    expect(response.headers.get('content-type')).toBe('application/cbor');
    const answer = new Decoder({ mapsAsObjects: true }).decode(
      new Uint8Array(await response.arrayBuffer()),
    ) as { index: number; leafHash: Uint8Array; proof: string };
    expect(answer.index).toBe(1);
    expect(new Uint8Array(answer.leafHash)).toEqual(rfc6962.leaf(utf8('a build')));
    expect(await entryProven(server, answer.proof)).toEqual(utf8('a build'));
  });

  test('gives distinct indexes to many at once', async () => {
    const server = await startServer();
    const answers = await Promise.all(
      Array.from({ length: 300 }, async (_, i) => {
        const response = await postEntry(server, `build ${i}`, '?wait=sequenced');
        return sequencedSchema.decode((await response.json()) as never).index;
      }),
    );
    expect(new Set(answers).size).toBe(300);
    expect(Math.max(...answers)).toBe(300);
  });

  test('takes entries of every size up to 65,535 bytes', async () => {
    const server = await startServer();
    for (const length of [1, 255, 256, 65_535]) {
      const entry = new Uint8Array(length).fill(length % 251);
      const response = await postEntry(server, entry);
      expect(response.status).toBe(201);
      const { proof } = includedSchema.decode((await response.json()) as never);
      expect(await entryProven(server, proof)).toEqual(entry);
    }
  });
});

describe('POST /entries where issuers are admitted', () => {
  test('says why it refuses, and logs what an admitted issuer signed', async () => {
    const server = await startServer({ log: { admission: 'issuers' } });
    const { log, directory } = server;
    const issuer = await newSigner();
    const statement = await release(issuer, '1.2.3');
    const post = (entry: Uint8Array): Promise<Response> =>
      postEntry(server, entry, '', { 'Content-Type': 'application/vnd.dsse.envelope.v1+json' });

    const stranger = await post(statement);
    expect(stranger.status).toBe(403);
    expect(await problemIn(stranger)).toMatchObject({
      code: 'not-admitted',
      type: 'urn:daybook:error:not-admitted',
    });

    expect((await post(await admission(log, directory, issuer))).status).toBe(201);
    const response = await post(statement);
    expect(response.status).toBe(201);
    const { index, proof } = includedSchema.decode((await response.json()) as never);
    expect(await entryProven(server, proof)).toEqual(statement);

    // The same statement in other white space is the same statement: the first envelope counts.
    const spaced = utf8(` ${new TextDecoder().decode(statement)}`);
    const again = await post(spaced);
    expect(again.status).toBe(200);
    const known = includedSchema.decode((await again.json()) as never);
    expect(known.index).toBe(index);
    expect(await entryProven(server, known.proof)).toEqual(statement);
  });

  test.for([
    ['no JSON', 'hello', 400],
    ['an array', '[]', 400],
    ['deep nesting', '['.repeat(30_000), 400],
    ['a truncated envelope', '{"payload":"', 400],
    ['a duplicate member', '{"payload":"","payload":""}', 400],
    ['a wrong type', '{"payload":1,"payloadType":"a","signatures":[]}', 400],
    ['no signature', '{"payload":"","payloadType":"a","signatures":[]}', 400],
    ['a prototype', '{"__proto__":{"payload":""},"payloadType":"a","signatures":[]}', 400],
    ['broken UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400],
  ] as const)('refuses %s', async ([, body, status]) => {
    const server = await startServer({ log: { admission: 'issuers' } });
    const response = await postEntry(server, body, '', { 'Content-Type': 'application/json' });
    expect(response.status).toBe(status);
    expect((await problemIn(response)).detail).not.toBe('');
    expect(server.log.status().size).toBe(1);
  });

  test('refuses a payload under a signature of another one', async () => {
    const server = await startServer({ log: { admission: 'issuers' } });
    const issuer = await newSigner();
    await server.log.submit(await admission(server.log, server.directory, issuer));
    const text = new TextDecoder().decode(await release(issuer, '1.2.3'));
    const other = new TextDecoder().decode(await release(issuer, '6.6.6'));
    const payload = /"payload":"[^"]*"/;
    const forged = text.replace(payload, payload.exec(other)![0]);
    const response = await postEntry(server, forged);
    expect(response.status).toBe(403);
    expect((await problemIn(response)).code).toBe('signature-invalid');
    const unscoped = await envelope(utf8('{}'), issuer);
    expect((await postEntry(server, unscoped)).status).toBe(400);
  });
});

describe('POST /add', () => {
  test('answers with the decimal index where admission is open', async () => {
    const { url } = await startServer();
    for (const index of ['1', '2', '1']) {
      const body = index === '1' ? 'first' : 'second';
      const response = await fetch(`${url}/add`, { method: 'POST', body });
      expect(response.status).toBe(200);
      expect(await response.text()).toBe(index);
    }
  });

  test('is not there where issuers are admitted', async () => {
    const { url } = await startServer({ log: { admission: 'issuers' } });
    const response = await fetch(`${url}/add`, { method: 'POST', body: 'first' });
    expect((await problemIn(response)).code).toBe('not-found');
  });
});
