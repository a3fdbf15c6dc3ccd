import { describe, expect, test } from 'vitest';
import { LogClient } from '../../src/client/log-client.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { newSigner } from '../note/new-signer.ts';
import { releaseOf, signed } from '../verify/released.ts';
import { MemoryLog, numbered, problem } from './memory-log.ts';

function clientOf(log: MemoryLog): LogClient {
  const fetch: typeof globalThis.fetch = (input, init) => log.fetch(input, init);
  return new LogClient({
    url: 'http://log.example',
    vkeys: [log.vkey],
    fetch,
    verifier: nodeVerifier,
    backoffMs: 1,
  });
}

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;
const entry = utf8('an entry');

/** Answers a submission with the proof of another entry, or of another log. */
async function answering(log: MemoryLog, proof: Uint8Array): Promise<void> {
  log.intercept = (_, request) =>
    request.method === 'POST'
      ? Response.json({
          index: 0,
          leafHash: '',
          duplicate: true,
          proof: Buffer.from(proof).toString(),
        })
      : undefined;
}

test('gives the proof that the log holds the entry', async () => {
  const log = await MemoryLog.create(numbered(300));
  const submitted = await clientOf(log).submit(entry);
  expect(submitted).toMatchObject({ index: 300, duplicate: false, entry, head: { size: 301 } });
  expect(submitted.proof).toEqual(await log.proof(300));
});

test('waits for the proof where the log says that it will be', async () => {
  const log = await MemoryLog.create(numbered(300));
  log.published = 300;
  let questions = 0;
  log.intercept = (path) => {
    if (path !== 'proofs/entry/300') return undefined;
    questions++;
    if (questions === 1) return problem(404, 'not-found');
    if (questions === 2) return new Response('', { status: 202, headers: { 'retry-after': '0' } });
    if (questions === 3) return problem(503, 'overloaded', { 'retry-after': '0' });
    log.published = undefined;
    return undefined;
  };
  expect(await clientOf(log).submit(entry)).toMatchObject({ index: 300, entry });
  expect(questions).toBe(4);
});

test.each([
  '',
  'http://elsewhere.example/proof',
  '//elsewhere.example/proof',
  'file:///etc/passwd',
])('does not ask elsewhere, as at "%s"', async (location) => {
  const log = await MemoryLog.create(numbered(3));
  log.intercept = (path) =>
    path === 'entries'
      ? Response.json({ index: 3 }, { status: 202, headers: { location } })
      : undefined;
  await expect(clientOf(log).submit(entry)).rejects.toThrow(code('network'));
  expect(log.asked).toEqual(['POST entries']);
});

test('sends again what may be lost, and gets the first index', async () => {
  const log = await MemoryLog.create(numbered(300));
  let lost = 0;
  log.intercept = async (path, request) => {
    if (path !== 'entries' || lost++ > 0) return undefined;
    log.entries.push(new Uint8Array(await request.arrayBuffer()));
    throw new TypeError('fetch failed', { cause: new Error('socket hang up') });
  };
  expect(await clientOf(log).submit(entry)).toMatchObject({ index: 300, duplicate: true });
  expect(log.entries).toHaveLength(301);
});

test('gives the envelope that was logged first for a statement that was signed again', async () => {
  const issuer = await newSigner('ecdsa-p256');
  const [first, again] = [
    await signed(releaseOf('a'), issuer),
    await signed(releaseOf('a'), issuer),
  ];
  expect(again).not.toEqual(first);
  const log = await MemoryLog.create([...numbered(3), first]);
  await answering(log, await log.proof(3));
  const submitted = await clientOf(log).submit(again);
  expect(submitted).toMatchObject({ index: 3, duplicate: true, entry: first });
  expect(parseTlogProof(submitted.proof).extra).toEqual(first);
});

describe('does not believe', () => {
  test('the proof of another statement', async () => {
    const issuer = await newSigner('ed25519');
    const [sent, other] = [
      await signed(releaseOf('a'), issuer),
      await signed(releaseOf('b'), issuer),
    ];
    const log = await MemoryLog.create([...numbered(3), other]);
    await answering(log, await log.proof(3));
    await expect(clientOf(log).submit(sent)).rejects.toThrow(code('inclusion-invalid'));
    await expect(clientOf(log).submit(entry)).rejects.toThrow(code('inclusion-invalid'));
  });

  test('a proof under another root', async () => {
    const log = await MemoryLog.create([...numbered(3), entry]);
    const other = await MemoryLog.create(numbered(4));
    await answering(log, await log.proof(3, 4, await log.note(4, [log.signer], other.root(4))));
    await expect(clientOf(log).submit(entry)).rejects.toThrow(code('inclusion-invalid'));
  });

  test('a proof under another key', async () => {
    const log = await MemoryLog.create(numbered(3));
    await answering(log, await (await MemoryLog.create([entry])).proof(0));
    await expect(clientOf(log).submit(entry)).rejects.toThrow(code('untrusted-checkpoint'));
  });

  test('a proof in a fork of the log', async () => {
    const log = await MemoryLog.create(numbered(300));
    const client = clientOf(log);
    await client.checkpoint();
    const refusals: [string, MemoryLog][] = [
      ['log-forked', log.fork(100, ...numbered(300, 'other'), entry)],
      ['log-forked', log.fork(299, entry)],
      // Older than what was trusted, whose tiles it cannot show.
      ['consistency-invalid', log.fork(100, entry)],
    ];
    for (const [expected, fork] of refusals) {
      log.intercept = async (_, request) => {
        if (request.method !== 'POST') return fork.fetch(request);
        const proof = Buffer.from(await fork.proof(fork.size - 1)).toString();
        return Response.json({ index: fork.size - 1, leafHash: '', duplicate: false, proof });
      };
      await expect(client.submit(entry)).rejects.toThrow(code(expected));
    }
  });

  test('an answer without a proof, or that is no JSON', async () => {
    const log = await MemoryLog.create(numbered(3));
    for (const answer of [
      '{}',
      '[]',
      'null',
      '{"proof":7}',
      '{"proof":"c2sp.org"}',
      '<html>',
      '',
    ]) {
      log.intercept = () => new Response(answer, { status: 201 });
      await expect(clientOf(log).submit(entry)).rejects.toThrow(/answer|proof file refused/);
    }
  });
});

test('accepts a proof that is older than the newest checkpoint it saw', async () => {
  const log = await MemoryLog.create(numbered(300));
  log.entries[7] = entry;
  const client = clientOf(log);
  await client.checkpoint();
  await answering(log, await log.proof(7, 250));
  expect(await client.submit(entry)).toMatchObject({ index: 7, head: { size: 250 } });
  expect(await client.checkpoint()).toMatchObject({ size: 300 });
});

test('reports a refusal with the reason and code of the log', async () => {
  const log = await MemoryLog.create();
  log.intercept = () => problem(403, 'not-admitted');
  await expect(clientOf(log).submit(entry)).rejects.toThrow(code('not-admitted'));
});

describe('a batch', () => {
  const lines = (text: string, status = 200): Response => new Response(text, { status });
  const entries = numbered(3);
  const known = (index: number): string => `{"index":${index},"leafHash":"","duplicate":false}\n`;

  test('that was read in part gives the reason for the rest', async () => {
    const log = await MemoryLog.create(entries);
    const error = '{"error":{"code":"request-too-large","detail":"too long"}}\n';
    log.intercept = (path) => (path === 'entries/batch' ? lines(known(0) + error) : undefined);
    const outcomes = await clientOf(log).submitBatch(entries);
    expect(outcomes[0]).toMatchObject({ index: 0, entry: entries[0], proof: await log.proof(0) });
    for (const outcome of outcomes.slice(1))
      expect(outcome).toMatchObject({ code: 'request-too-large' });
  });

  test('that was answered in part says so', async () => {
    const log = await MemoryLog.create(entries);
    log.intercept = (path) => (path === 'entries/batch' ? lines(known(0) + known(1)) : undefined);
    expect((await clientOf(log).submitBatch(entries))[2]).toMatchObject({ code: 'network' });
  });

  test.each([
    ['another entry’s index', known(1) + known(1) + known(2), 'inclusion-invalid'],
    ['an index that is none', '{"index":-1}\n', 'bad-integer'],
    ['text', '<html>\n', 'network'],
    ['JSON of another kind', 'null\n', 'network'],
  ])('that is answered with %s is not believed', async (_, answer, expected) => {
    const log = await MemoryLog.create(entries);
    log.intercept = (path) => (path === 'entries/batch' ? lines(answer) : undefined);
    await expect(clientOf(log).submitBatch(entries)).rejects.toThrow(code(expected));
  });
});
