/**
 * Our mirror copies a log of tessera from the files that tessera writes, and one of ours. tessera's own
 * checker reads the copies, and its reader of policies knows the mirror's cosignatures.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, normalize } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { checkCheckpoint, parsePolicy } from '../../src/verify/policy.ts';
import { daybook } from '../cli/daybook.ts';
import { startLog } from '../cli/running-log.ts';
import { BUILD_MS, buildGo, hasGo, run } from './go.ts';
import { TesseraLog } from './tessera-log.ts';

/** Serves files as any web server does. */
async function serveFiles(root: string): Promise<{ server: Server; url: string }> {
  const server = createServer((request, response) => {
    const path = join(root, normalize(new URL(request.url ?? '/', 'http://localhost').pathname));
    if (existsSync(path)) response.end(readFileSync(path));
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

describe.skipIf(!hasGo())('our mirror and tessera', () => {
  const directory = mkdtempSync(join(tmpdir(), 'daybook-mirrors-'));
  const data = join(directory, 'mirror');
  const key = join(directory, 'log.key');
  const files = join(directory, 'log');
  const origin = 'example.com/tessera-log';
  let programs: Record<'tesseraLog' | 'fsck' | 'policies', string>;
  let logVkey: string;
  let mirrorVkeys: string[];

  beforeAll(async () => {
    programs = {
      tesseraLog: await buildGo('./tessera-log', directory),
      fsck: await buildGo('./fsck', directory),
      policies: await buildGo('./policies', directory),
    };
    logVkey = (await run(programs.tesseraLog, ['-key', key, '-origin', origin])).trim();
    const made = await daybook(
      directory,
      ...['mirror', 'init', '--data', data, '--name', 'mirror.example/m1', '--ml-dsa'],
    );
    mirrorVkeys = [...made.stdout.matchAll(/public key +(\S+)/g)].map(([, vkey]) => vkey!);
    expect(mirrorVkeys).toHaveLength(2);
    writeFileSync(join(directory, 'alone.policy'), `log ${logVkey}\nquorum none\n`);
  }, BUILD_MS);

  afterAll(() => rmSync(directory, { recursive: true }));

  /** By more entries than a tile has leaves. */
  async function grow(count: number): Promise<void> {
    const policy = join(directory, 'alone.policy');
    const log = new TesseraLog(programs.tesseraLog, files, key, policy, '-together');
    const added = Array.from({ length: count }, (_, i) => log.add(`entry ${i} of ${count}`));
    await log.close();
    for (const index of await Promise.all(added)) expect(index).toMatch(/^\d+$/);
  }

  async function mirror(): Promise<string> {
    const { server, url } = await serveFiles(files);
    const policy = join(directory, 'alone.policy');
    const ran = await daybook(
      directory,
      ...['mirror', '--log', url, '--policy', policy, '--data', data, '--once'],
    );
    server.close();
    expect(ran).toMatchObject({ exit: 0 });
    return join(data, 'public', originHash(origin));
  }

  const fsck = (url: string | URL, vkey: string): Promise<string> =>
    run(programs.fsck, [String(url), vkey]);

  test.each([[300], [500]])('copies a log of tessera that grew by %i entries', async (count) => {
    await grow(count);
    const copy = await mirror();
    await fsck(pathToFileURL(`${copy}/`), logVkey);

    const note = new Uint8Array(readFileSync(join(copy, 'checkpoint')));
    const policy = `log ${logVkey}
witness ed ${mirrorVkeys[0]} https://mirror.example/
witness pq ${mirrorVkeys[1]} https://mirror.example/pq
group both all ed pq
quorum both
`;
    const { checkpoint, cosignatures } = await checkCheckpoint(
      note,
      parsePolicy(policy),
      nodeVerifier,
    );
    expect(checkpoint.origin).toBe(origin);
    expect(cosignatures).toHaveLength(2);
    const input = [{ policy: encodeBase64(utf8(policy)), checkpoints: [encodeBase64(note)] }];
    const answers = await run(programs.policies, [], JSON.stringify(input));
    expect(JSON.parse(answers)).toMatchObject([{ tessera: { satisfied: [true] } }]);
  });

  test('the checker of tessera finds a changed byte in the copy', async () => {
    const copy = join(data, 'public', originHash(origin));
    const bundle = join(copy, 'tile/entries/000');
    const bytes = readFileSync(bundle);
    bytes[100]! ^= 1;
    rmSync(bundle);
    writeFileSync(bundle, bytes);
    await expect(fsck(pathToFileURL(`${copy}/`), logVkey)).rejects.toThrow();
  });

  test('the checker of tessera finds nothing wrong in a log of ours, nor in its mirror', async () => {
    const own = join(directory, 'own');
    const log = await startLog(own, ['--admission', 'open', '--interval-ms', '50']);
    const adding = Array.from({ length: 700 }, (_, i) =>
      fetch(new URL('add', log.url), { method: 'POST', body: `entry ${i}` }),
    );
    for (const answer of await Promise.all(adding)) expect(answer.status).toBe(200);
    const vkey = readFileSync(join(own, 'log.vkey'), 'utf8').trim();
    await fsck(log.url, vkey);

    const ownMirror = join(directory, 'own-mirror');
    await daybook(directory, 'mirror', 'init', '--data', ownMirror, '--name', 'mirror.example/m2');
    const ran = await daybook(
      directory,
      ...['mirror', '--log', log.url.href, '--policy', join(own, 'log.policy')],
      ...['--data', ownMirror, '--once'],
    );
    expect(ran).toMatchObject({ exit: 0 });
    const hash = originHash(vkey.slice(0, vkey.indexOf('+')));
    await fsck(pathToFileURL(`${join(ownMirror, 'public', hash)}/`), vkey);
    await log.stop();
  });
});
