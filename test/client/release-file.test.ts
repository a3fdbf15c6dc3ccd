/** Release files as a client makes them: from real logs, and from ones that lie. */
import { describe, expect, test } from 'vitest';
import { LogClient } from '../../src/client/log-client.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { proveMultiInclusion, verifyMultiInclusion } from '../../src/merkle/multi-inclusion.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { parseNote } from '../../src/note/note.ts';
import {
  formatReleaseFile,
  parseReleaseFile,
  type ReleaseFile,
} from '../../src/proof/release-file.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { sourceCommitmentStatement } from '../../src/statement/source-commitment.ts';
import { verificationSummaryStatement } from '../../src/statement/verification-summary.ts';
import { admission, channelEntry, envelope, newSigner, release, sha256 } from '../log/scratch.ts';
import { startServer } from '../server/running-server.ts';
import { answer, MemoryLog, numbered } from './memory-log.ts';

const artifact = sha256('1.0');
const root = sha256('the source tree');
const issuer = await newSigner();
const subjects = [{ name: 'scanner', sha256: artifact }];
const build = {
  subjects,
  buildType: 'https://ci.acme.example/make',
  builderId: 'https://ci.acme.example/release',
  externalParameters: {},
  commitment: root,
};
const summary = {
  verifierId: 'https://bsi.example',
  timeVerified: 1_790_000_000,
  resourceUri: 'pkg:generic/acme/scanner@1.0',
  policyUri: 'https://bsi.example/rules',
  result: 'PASSED',
} as const;
const statements = {
  release: await release(issuer, '1.0'),
  provenance: await envelope(provenanceStatement(build), issuer),
  commitment: await envelope(sourceCommitmentStatement({ root, files: 3 }), issuer),
  review: await envelope(
    verificationSummaryStatement({ ...summary, subjects: [{ sha256: root }] }),
    issuer,
  ),
  approval: await envelope(verificationSummaryStatement({ ...summary, subjects }), issuer),
  other: await release(issuer, '2.0'),
};

/** A log of 300 entries with these statements spread over it, which lists what `listed` says. */
async function logOf(listed: (digest: string) => readonly number[]): Promise<MemoryLog> {
  const log = await MemoryLog.create(numbered(300));
  Object.values(statements).forEach((entry, i) => (log.entries[40 * i + 10] = entry));
  log.intercept = (path, request) => {
    const index = /^entries\/(\d+)$/.exec(path)?.[1];
    if (index !== undefined) return answer(log.entries[Number(index)]!);
    if (path !== 'entries') return undefined;
    const { searchParams } = new URL(request.url);
    const indexes = listed(searchParams.get('sha256') ?? '');
    return Response.json({ indexes, size: log.size, absence: '' });
  };
  return log;
}

const about = (digest: string): readonly number[] =>
  ({ [encodeHex(artifact)]: [10, 50, 170], [encodeHex(root)]: [90, 130] })[digest] ?? [];

const clientOf = (log: MemoryLog): LogClient =>
  new LogClient({
    url: 'http://log.example/',
    fetch: (input, init) => log.fetch(input, init),
    vkeys: [log.vkey],
    verifier: nodeVerifier,
    backoffMs: 1,
    attempts: 1,
  });

function checked(bytes: Uint8Array): ReleaseFile {
  const file = parseReleaseFile(bytes);
  const { size, root: expected } = parseCheckpoint(parseNote(file.checkpoint).text);
  const leaves = file.entries.map(({ index, entry }) => ({ index, hash: rfc6962.leaf(entry) }));
  verifyMultiInclusion({ leaves, size, proof: file.proof, root: expected });
  return file;
}

const indexesOf = ({ entries }: ReleaseFile): number[] => entries.map(({ index }) => index);

describe('LogClient.releaseFile', () => {
  test('has the statements about the file, and those about the source of its provenance', async () => {
    const log = await logOf(about);
    const file = checked(await clientOf(log).releaseFile(artifact));
    expect(indexesOf(file)).toEqual([10, 50, 90, 130, 170]);
    expect(file.entries[3]?.entry).toEqual(statements.review);
  });

  test('leaves out what is not about the file, and what is newer than the checkpoint', async () => {
    const log = await logOf((digest) =>
      about(digest).length === 3 ? [10, 11, 210, 299, 301] : [],
    );
    log.published = 299;
    expect(indexesOf(checked(await clientOf(log).releaseFile(artifact)))).toEqual([10]);
  });

  test('says when there is none', async () => {
    const client = clientOf(await logOf(() => []));
    await expect(client.releaseFile(artifact)).rejects.toMatchObject({ code: 'not-found' });
  });

  test('takes the newest 256 of more', async () => {
    const log = await MemoryLog.create(Array<Uint8Array>(600).fill(statements.release));
    log.intercept = (path, request) => {
      if (path.startsWith('entries/')) return answer(statements.release);
      if (path !== 'entries') return undefined;
      // Pages of 100, as a log may have them.
      const from = Number(new URL(request.url).searchParams.get('from'));
      const indexes = Array.from({ length: 100 }, (_, i) => from + i).filter((i) => i < 600);
      return Response.json({ indexes, ...(from < 500 && { next: from + 100 }), size: 600 });
    };
    const indexes = indexesOf(checked(await clientOf(log).releaseFile(artifact)));
    expect(indexes).toHaveLength(256);
    expect(indexes[0]).toBe(600 - 256);
  });

  test('has the statements of the wanted keys, however many others there are', async () => {
    const stranger = await newSigner();
    const log = await MemoryLog.create(Array<Uint8Array>(600).fill(await release(stranger, '1.0')));
    log.entries[5] = statements.release;
    log.intercept = (path) => {
      const index = /^entries\/(\d+)$/.exec(path)?.[1];
      if (index !== undefined) return answer(log.entries[Number(index)]!);
      const all = Array.from({ length: 600 }, (_, i) => i);
      return path === 'entries' ? Response.json({ indexes: all, size: 600 }) : undefined;
    };
    const client = clientOf(log);
    const issuers = [issuer.publicKey];
    expect(indexesOf(checked(await client.releaseFile(artifact, { issuers })))).toEqual([5]);
    expect(indexesOf(checked(await client.releaseFile(artifact)))).not.toContain(5);
    const nobody = client.releaseFile(artifact, { issuers: [] });
    await expect(nobody).rejects.toMatchObject({ code: 'not-found' });
  });

  test('refuses an entry that is not in the tree', async () => {
    const log = await logOf(about);
    const honest = log.intercept;
    log.intercept = (path, request) =>
      path === 'entries/170' ? answer(statements.release) : honest(path, request);
    const made = clientOf(log).releaseFile(artifact);
    await expect(made).rejects.toMatchObject({ code: 'inclusion-invalid' });
  });

  test.each<[string, object]>([
    ['falling indexes', { indexes: [50, 10] }],
    ['an index twice', { indexes: [10, 10] }],
    ['a text as index', { indexes: ['10'] }],
    ['no indexes', {}],
    ['a next page that is this one', { indexes: [10], next: 10 }],
    ['a next page after none', { indexes: [], next: 5 }],
  ])('refuses an answer with %s', async (_, page) => {
    const log = await logOf(about);
    log.intercept = (path) => (path === 'entries' ? Response.json(page) : undefined);
    const made = clientOf(log).releaseFile(artifact);
    await expect(made).rejects.toMatchObject({ code: 'network' });
  });

  test('does not follow a list without an end', async () => {
    const log = await MemoryLog.create(numbered(2));
    log.intercept = (path, request) => {
      if (path === 'checkpoint') return log.note(2 ** 40, undefined, log.root(2)).then(answer);
      if (path !== 'entries') return undefined;
      const from = Number(new URL(request.url).searchParams.get('from'));
      const indexes = Array.from({ length: 1000 }, (_unused, i) => from + i);
      return Response.json({ indexes, next: from + 1000 });
    };
    const made = clientOf(log).releaseFile(artifact);
    await expect(made).rejects.toThrow('more than 10000 statements');
    expect(log.asked.length).toBeLessThan(20);
  });
});

describe('LogClient.channelFile', () => {
  const name = 'acme/stable';

  async function served(
    change: (file: ReleaseFile) => Partial<ReleaseFile> = () => ({}),
    channel = name,
    entryOf?: Uint8Array,
  ): Promise<{ client: LogClient; bytes: Uint8Array }> {
    const log = await MemoryLog.create(numbered(300));
    const entry = entryOf ?? (await channelEntry(log, issuer, 1, undefined, { channel }));
    log.entries[77] = entry;
    const { proof } = await proveMultiInclusion([77], 300, log.read);
    const honest = {
      checkpoint: await log.note(),
      entries: [{ index: leafIndex(77), entry }],
      proof,
      channels: [],
    };
    const bytes = formatReleaseFile({ ...honest, ...change(honest) });
    log.intercept = (path) => (path === `channels/${name}` ? answer(bytes) : undefined);
    return { client: clientOf(log), bytes };
  }

  test('gives the file as the log sent it', async () => {
    const { client, bytes } = await served();
    expect(await client.channelFile(name)).toEqual(bytes);
  });

  test.each<[string, string, Parameters<typeof served>]>([
    ['another channel', 'bad-statement', [undefined, 'acme/beta']],
    ['no channel statement', 'bad-statement', [undefined, name, statements.release]],
    ['no statement', 'bad-statement', [undefined, name, new Uint8Array(9)]],
    [
      'another place in the tree',
      'inclusion-invalid',
      [({ entries: [first] }) => ({ entries: [{ ...first!, index: leafIndex(76) }] })],
    ],
    ['no proof', 'inclusion-invalid', [() => ({ proof: [] })]],
    [
      'two entries',
      'bad-proof',
      [
        ({ entries: [first] }) => ({
          entries: [first!, { index: leafIndex(78), entry: new Uint8Array(1) }],
        }),
      ],
    ],
  ])('refuses %s', async (_, code, args) => {
    const { client } = await served(...args);
    await expect(client.channelFile(name)).rejects.toMatchObject({ code });
  });

  test('refuses a checkpoint of nobody, a channel of another log, and what is no name', async () => {
    const other = await MemoryLog.create(numbered(300), 'other.example');
    const note = await other.note();
    const { client } = await served(() => ({ checkpoint: note }));
    const refused = { code: 'untrusted-checkpoint' };
    await expect(client.channelFile(name)).rejects.toMatchObject(refused);
    const foreign = await served(
      undefined,
      name,
      await channelEntry({ origin: 'other.example' }, issuer, 1, undefined),
    );
    await expect(foreign.client.channelFile(name)).rejects.toThrow('of other.example, want');
    await expect(client.channelFile('../x')).rejects.toMatchObject({ code: 'bad-statement' });
  });

  test('refuses the channel of a log that forked', async () => {
    const log = await MemoryLog.create(numbered(300));
    const client = clientOf(log);
    await client.checkpoint();
    const fork = log.fork(100, ...numbered(300));
    fork.entries[150] = await channelEntry(log, issuer, 1, undefined);
    const { proof } = await proveMultiInclusion([150], fork.size, fork.read);
    const bytes = formatReleaseFile({
      checkpoint: await fork.note(),
      entries: [{ index: leafIndex(150), entry: fork.entries[150] }],
      proof,
      channels: [],
    });
    log.intercept = (path, request) =>
      path.startsWith('channels') ? answer(bytes) : fork.fetch(request);
    await expect(client.channelFile(name)).rejects.toMatchObject({ code: 'log-forked' });
  });
});

test('a real log gives a release file with its channel', async () => {
  const server = await startServer({ log: { admission: 'issuers' } });
  const { log, directory, url } = server;
  const client = new LogClient({ url, vkeys: log.vkeys });
  await client.submit(await admission(log, directory, issuer));
  const { index } = await client.submit(statements.release);
  const channel = await client.submit(await channelEntry(log, issuer, 1, undefined));
  const file = checked(await client.releaseFile(artifact, { channels: ['acme/stable'] }));
  expect(indexesOf(file)).toEqual([index]);
  expect(file.channels).toHaveLength(1);
  expect(indexesOf(checked(file.channels[0]!))).toEqual([channel.index]);
  const missing = client.releaseFile(artifact, { channels: ['acme/none'] });
  await expect(missing).rejects.toMatchObject({ code: 'not-found' });
});
