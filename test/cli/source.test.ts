/** `daybook source`: what a vendor commits to, and what those see who are given more or less of it. */
import { execFile } from 'node:child_process';
import { chmod, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeUtf8 } from '../../src/encoding/bytes.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { daybook, removeDirectory, temporaryDirectory, type Ran } from './daybook.ts';
import { startLog, type RunningLog } from './running-log.ts';

let directory: string;
let log: RunningLog;
let logging: string[];
let commitment: string;

const run = (...args: readonly string[]): Promise<Ran> => daybook(directory, ...args);
const source = async (...args: readonly string[]): Promise<string> => {
  const ran = await run('source', ...args);
  expect(ran.exit, ran.stderr).toBe(0);
  return ran.stdout;
};
const refused = async (exit: number, said: RegExp, ...args: readonly string[]): Promise<void> => {
  const ran = await run('source', ...args);
  expect(ran, ran.stdout).toMatchObject({ exit });
  expect(ran.stderr).toMatch(said);
};
const rootIn = (text: string): string => /^commitment: ([0-9a-f]{64})$/m.exec(text)?.[1] ?? '';

beforeAll(async () => {
  directory = await temporaryDirectory();
  log = await startLog(join(directory, 'data'));
  logging = ['--log', log.url.href, '--policy', 'data/log.policy'];
  for (const [name, role] of Object.entries({ vendor: 'provenance', reviewer: 'approve' })) {
    expect((await run('keygen', '--out', `${name}.key`)).exit).toBe(0);
    const issuer = ['--name', name, '--key', `${name}.key.pub`, '--role', role];
    const added = await run(
      'issuer',
      'add',
      '--data',
      'data',
      ...issuer,
      '--purl',
      'pkg:generic/acme/*',
    );
    expect(added.exit, added.stderr).toBe(0);
  }
  await mkdir(join(directory, 'tree/src'), { recursive: true });
  await writeFile(join(directory, 'tree/src/engine.c'), 'int engine(void) { return 1; }\n');
  await writeFile(join(directory, 'tree/src/main.c'), 'int main(void) { return 0; }\n');
  await writeFile(join(directory, 'tree/build.sh'), 'cc src/*.c\n');
  await chmod(join(directory, 'tree/build.sh'), 0o755);
  await symlink('/etc/nothing/there', join(directory, 'tree/link'));
  const master = ['--master', 'master.key', '--new-master'];
  const committing = ['--purl', 'pkg:generic/acme/scanner@1', '--key', 'vendor.key', ...logging];
  const said = await source('commit', 'tree', ...master, ...committing);
  expect(said).toMatch(/^logged: source of pkg:generic\/acme\/scanner@1 is entry 3 of .*\n/);
  expect(said).toMatch(/^files: 4$/m);
  commitment = rootIn(said);
});
afterAll(async () => {
  await log.stop();
  await removeDirectory(directory);
});

describe('commit', () => {
  test('logs the root and the number of files, and no name or content', async () => {
    const proof = await readFile(join(directory, 'tree.source.tlog-proof'));
    const { payload } = parseEnvelope(parseTlogProof(proof).extra!);
    const statement: unknown = JSON.parse(decodeUtf8(payload));
    expect(statement).toEqual({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ digest: { sha256: commitment } }],
      predicateType: 'urn:daybook:predicate:source:v1',
      predicate: { files: 4, purl: 'pkg:generic/acme/scanner@1' },
    });
  });

  test('makes a master secret that only its owner may read, and never a second one over it', async () => {
    expect((await stat(join(directory, 'master.key'))).mode & 0o777).toBe(0o600);
    const master = ['--master', 'master.key', '--new-master'];
    const rest = ['--purl', 'pkg:generic/acme/scanner@1', '--key', 'vendor.key', ...logging];
    await refused(3, /exists already/, 'commit', 'tree', ...master, ...rest);
    await writeFile(join(directory, 'open.key'), `${'00'.repeat(32)}\n`, { mode: 0o644 });
    await refused(
      3,
      /chmod 600/,
      'check',
      'tree',
      '--master',
      'open.key',
      '--commitment',
      commitment,
    );
    await writeFile(join(directory, 'short.key'), '00\n', { mode: 0o600 });
    await refused(
      3,
      /no master secret/,
      'check',
      'tree',
      '--master',
      'short.key',
      '--commitment',
      commitment,
    );
  });

  test('gives the same commitment again, and the first entry', async () => {
    const rest = ['--purl', 'pkg:generic/acme/scanner@1', '--key', 'vendor.key', ...logging];
    const said = await source('commit', 'tree', '--master', 'master.key', ...rest);
    expect(said).toMatch(/^logged already: .* entry 3 /);
    expect(rootIn(said)).toBe(commitment);
  });
});

describe('check', () => {
  const checking = ['--master', 'master.key'];

  test('knows the tree by the commitment, and by the log’s proof of it', async () => {
    const by = ['--commitment', commitment];
    expect(rootIn(await source('check', 'tree', ...checking, ...by))).toBe(commitment);
    const proof = ['--release', 'tree.source.tlog-proof', '--policy', 'data/log.policy'];
    const said = await source('check', 'tree', ...checking, ...proof);
    expect(said).toContain('entry 3 (source commitment) names it');
  });

  test('leaves out .git, wherever it is', async () => {
    await mkdir(join(directory, 'tree/.git'));
    await writeFile(join(directory, 'tree/.git/HEAD'), 'ref');
    await writeFile(join(directory, 'tree/src/.git'), 'gitdir: elsewhere');
    await source('check', 'tree', ...checking, '--commitment', commitment);
    await rm(join(directory, 'tree/.git'), { recursive: true });
    await rm(join(directory, 'tree/src/.git'));
  });

  const main = 'tree/src/main.c';
  test.each<[string, (root: string) => Promise<void>, (root: string) => Promise<void>]>([
    [
      'a changed file',
      (root) => writeFile(join(root, main), 'int main(void) { return 1; }\n'),
      (root) => writeFile(join(root, main), 'int main(void) { return 0; }\n'),
    ],
    [
      'a file more',
      (root) => writeFile(join(root, 'tree/more'), ''),
      (root) => rm(join(root, 'tree/more')),
    ],
    [
      'a file that became executable',
      (root) => chmod(join(root, main), 0o755),
      (root) => chmod(join(root, main), 0o644),
    ],
    [
      'a link to another place',
      async (root) => {
        await rm(join(root, 'tree/link'));
        await symlink('/etc/other', join(root, 'tree/link'));
      },
      async (root) => {
        await rm(join(root, 'tree/link'));
        await symlink('/etc/nothing/there', join(root, 'tree/link'));
      },
    ],
  ])('refuses %s', async (_, change, restore) => {
    await change(directory);
    await refused(
      22,
      /is not the source/,
      'check',
      'tree',
      ...checking,
      '--commitment',
      commitment,
    );
    await restore(directory);
    await source('check', 'tree', ...checking, '--commitment', commitment);
  });

  test('refuses the right tree under another master secret', async () => {
    await writeFile(join(directory, 'other.key'), `${'11'.repeat(32)}\n`, { mode: 0o600 });
    const by = ['--master', 'other.key', '--commitment', commitment];
    await refused(22, /under this master secret/, 'check', 'tree', ...by);
  });

  test('refuses what is no source: a FIFO, a name that is not UTF-8, an empty directory', async () => {
    const by = [...checking, '--commitment', commitment];
    await mkdir(join(directory, 'odd'));
    await refused(3, /no file in it/, 'check', 'odd', ...by);
    await promisify(execFile)('mkfifo', [join(directory, 'odd/pipe')]);
    await refused(3, /no file, link or directory/, 'check', 'odd', ...by);
    await rm(join(directory, 'odd/pipe'));
    const latin = Buffer.concat([Buffer.from(join(directory, 'odd/')), Buffer.from([0xfc])]);
    await writeFile(latin, '');
    await refused(3, /is not UTF-8/, 'check', 'odd', ...by);
  });

  test('wants to be told by what, and by whose log', async () => {
    await refused(2, /either --commitment or --release/, 'check', 'tree', ...checking);
    const proof = ['--release', 'tree.source.tlog-proof'];
    await refused(2, /given together/, 'check', 'tree', ...checking, ...proof);
  });
});

describe('open', () => {
  test('shows one file to somebody who has neither tree nor master', async () => {
    const out = ['--master', 'master.key', '--out', 'main.opening'];
    expect(rootIn(await source('open', 'tree', 'src/main.c', ...out))).toBe(commitment);
    const by = ['--commitment', commitment];
    const said = await source('check-opening', 'main.opening', 'tree/src/main.c', ...by);
    expect(said).toMatch(/holds src\/main\.c \(mode 100644\)/);
    expect(said).toMatch(/is that file/);
    const shown = await readFile(join(directory, 'main.opening'), 'utf8');
    expect(shown).not.toContain('engine');
    await refused(
      18,
      /the opening of src\/main\.c/,
      'check-opening',
      'main.opening',
      'tree/build.sh',
      ...by,
    );
    await refused(
      14,
      /leads to the commitment/,
      'check-opening',
      'main.opening',
      '--commitment',
      '0'.repeat(64),
    );
  });

  test('opens a link, by where it points', async () => {
    await source('open', 'tree', 'link', '--master', 'master.key', '--out', 'link.opening');
    const by = ['--commitment', commitment];
    expect(await source('check-opening', 'link.opening', 'tree/link', ...by)).toMatch(
      /mode 120000/,
    );
  });

  test('says what it cannot open', async () => {
    const out = ['--master', 'master.key', '--out', 'none.opening'];
    await refused(3, /no file "src"/, 'open', 'tree', 'src', ...out);
    await writeFile(join(directory, 'junk'), '{}');
    await refused(10, /format/, 'check-opening', 'junk', '--commitment', commitment);
  });
});

describe('review', () => {
  const reviewing = (): string[] => [
    ...['--master', 'master.key', '--verifier', 'https://audit.example'],
    ...['--key', 'reviewer.key', ...logging, '--commitment'],
  ];

  test('logs that all was reviewed, or named paths', async () => {
    const all = await source('review', 'tree', ...reviewing(), commitment, '--all');
    expect(all).toMatch(/^logged: review \(PASSED\) of all of [0-9a-f]{64} is entry 4 /);
    const more = [
      '--result',
      'FAILED',
      '--reason',
      'a hole',
      '--checked',
      'by hand',
      '--checked',
      'by a tool',
    ];
    const paths = ['--path', 'src/', '--path', 'build.sh'];
    const some = await source('review', 'tree', ...reviewing(), commitment, ...paths, ...more);
    expect(some).toMatch(/^logged: review \(FAILED\) of src\/, build.sh of/);
    const response = await fetch(new URL(`entries/5`, log.url), {
      headers: { accept: 'application/octet-stream' },
    });
    const { payload } = parseEnvelope(new Uint8Array(await response.arrayBuffer()));
    expect(JSON.parse(decodeUtf8(payload))).toMatchObject({
      subject: [{ digest: { sha256: commitment } }],
      predicate: {
        verifier: { id: 'https://audit.example' },
        resourceUri: `urn:daybook:source:${commitment}`,
        policy: { uri: 'https://audit.example' },
        verificationResult: 'FAILED',
        daybook: {
          paths: ['src/', 'build.sh'],
          checked: ['by hand', 'by a tool'],
          reason: 'a hole',
        },
      },
    });
  });

  test('refuses what was not reviewed: another tree, paths that are not there, or nothing said', async () => {
    await refused(
      22,
      /is not the source/,
      'review',
      'tree',
      ...reviewing(),
      '0'.repeat(64),
      '--all',
    );
    await refused(
      2,
      /no file "src"/,
      'review',
      'tree',
      ...reviewing(),
      commitment,
      '--path',
      'src',
    );
    await refused(
      2,
      /no folder "lib\/"/,
      'review',
      'tree',
      ...reviewing(),
      commitment,
      '--path',
      'lib/',
    );
    await refused(2, /either --all or --path/, 'review', 'tree', ...reviewing(), commitment);
  });
});
