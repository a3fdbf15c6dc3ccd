import { execFile } from 'node:child_process';
import {
  appendFile,
  copyFile,
  cp,
  mkdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createKeyFile, readPublicKeyFile } from '../../src/keys/key-file.ts';
import { formatVkey, parseVkey, verifierKey } from '../../src/note/vkey.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import { closedPort, daybook, removeDirectory, temporaryDirectory, type Ran } from './daybook.ts';
import { startLog, type RunningLog } from './running-log.ts';

const run = promisify(execFile);
const purl = 'pkg:generic/acme/scanner@1.2.3';
const source = `git+https://git.acme.example/scanner@${'0123456789'.repeat(4)}`;

let directory: string;
let log: RunningLog;
beforeAll(async () => {
  directory = await temporaryDirectory();
  log = await startLog(join(directory, 'data'), ['--interval-ms', '50']);
  for (const name of ['key', 'other', 'ecdsa']) {
    await createKeyFile(join(directory, name), name === 'ecdsa' ? 'ecdsa-p256' : 'ed25519');
    if (name === 'other') continue;
    await daybook(
      directory,
      'issuer',
      'add',
      '--data',
      'data',
      '--name',
      name,
      '--key',
      `${name}.pub`,
      '--purl',
      'pkg:generic/acme/*',
    );
  }
  await copyFile(join(directory, 'data', 'log.policy'), join(directory, 'policy'));
  await write('scanner', 'the build');
  await submit('scanner');
});
afterAll(async () => {
  await log.stop();
  await removeDirectory(directory);
});

const path = (name: string): string => join(directory, name);
const write = (name: string, content: string): Promise<void> => writeFile(path(name), content);
const submit = (...args: readonly string[]): Promise<Ran> =>
  daybook(
    directory,
    'submit',
    '--log',
    log.url.href,
    '--key',
    'key',
    '--purl',
    purl,
    '--policy',
    'policy',
    ...args,
  );
const verify = (...args: readonly string[]): Promise<Ran> =>
  daybook(directory, 'verify', '--policy', 'policy', '--issuer', 'key.pub', ...args);

interface Report {
  readonly ok: boolean;
  readonly code: string | null;
  readonly exit: number;
  readonly checks: { check: string; ok: boolean }[];
  readonly facts: Record<string, unknown>;
}

async function verdict(...args: readonly string[]): Promise<Report> {
  const { exit, stdout } = await verify('--json', ...args);
  const report = JSON.parse(stdout) as Report;
  expect(report.exit).toBe(exit);
  expect(report.ok).toBe(exit === 0);
  return report;
}

async function statementIn(proof: string): Promise<ReturnType<typeof parseStatement>> {
  const { extra } = parseTlogProof(await readFile(path(proof)));
  return parseStatement(parseEnvelope(extra!).payload);
}

describe('submit', () => {
  test('logs a file, and its proof verifies without the log', async () => {
    await write('build', 'a build with all that can be said');
    const options = [
      '--kind',
      'build',
      '--source',
      source,
      '--builder',
      'https://ci.acme.example',
      '--release-id',
      'scanner',
    ];
    const { exit, stdout, stderr } = await submit('build', ...options);
    expect({ exit, stderr }).toEqual({ exit: 0, stderr: '' });
    expect(stdout).toMatch(/^logged: .* is entry \d+ of /);
    const report = await verdict('build', '--purl', purl);
    expect(report.checks.map(({ check }) => check)).toEqual([
      'proof',
      'checkpoint',
      'quorum',
      'inclusion',
      'issuer',
      'artifact',
      'product',
    ]);
    expect(report.facts).toMatchObject({
      name: 'build',
      purls: [purl],
      kind: 'build',
      source,
      builder: 'https://ci.acme.example',
      releaseId: 'scanner',
    });
    expect((await verify('build', '--issuer', 'other.pub')).stdout).toContain(
      `VERIFIED  build is ${purl}`,
    );
  });

  test('again gives the first index, also with a key that signs by chance', async () => {
    await write('twice', 'logged twice');
    const options = ['twice', '--key', 'ecdsa'];
    await submit(...options);
    const first = await readFile(path('twice.tlog-proof'));
    const again = await submit(...options);
    expect(again).toMatchObject({
      exit: 0,
      stdout: expect.stringMatching(/^logged already/) as string,
    });
    const [before, after] = [first, await readFile(path('twice.tlog-proof'))].map(parseTlogProof);
    expect(after!.index).toBe(before!.index);
    expect(after!.extra).toEqual(before!.extra);
  });

  test('makes several files subjects of one statement, whose proof lies beside each', async () => {
    await mkdir(path('parts'));
    await write('parts/one', '1');
    await write('parts/two', '2');
    expect((await submit('parts/one', 'parts/two')).exit).toBe(0);
    expect((await statementIn('parts/one.tlog-proof')).subject.map(({ name }) => name)).toEqual([
      'one',
      'two',
    ]);
    expect(await readFile(path('parts/two.tlog-proof'))).toEqual(
      await readFile(path('parts/one.tlog-proof')),
    );
    for (const name of ['parts/one', 'parts/two']) expect((await verify(name)).exit).toBe(0);
  });

  test('makes a manifest of more files than an entry holds', async () => {
    await mkdir(path('many'));
    const files = Array.from({ length: 513 }, (_, i) => `many/file ${i}`);
    for (const name of files) await write(name, name);
    const { exit, stdout } = await submit(...files);
    expect(exit).toBe(0);
    expect(stdout).toContain('manifest: many/file 0.SHA256SUMS');
    const check = await run('sha256sum', ['-c', '--quiet', 'file 0.SHA256SUMS'], {
      cwd: path('many'),
    });
    expect(check.stdout).toBe('');
    const options = ['--manifest', 'many/file 0.SHA256SUMS', '--proof', 'many/file 0.tlog-proof'];
    expect((await verify('many/file 511', ...options)).exit).toBe(0);
    await write('many/file 511', 'changed');
    expect(await verdict('many/file 511', ...options)).toMatchObject({
      code: 'artifact-mismatch',
      exit: 18,
    });
  });

  test('trusts a log’s key on first use, says so, and holds on to it', async () => {
    await write('pinned', 'p');
    const options = [
      'pinned',
      '--log',
      log.url.href,
      '--key',
      'key',
      '--purl',
      purl,
      '--state',
      'pins',
    ];
    const first = await daybook(directory, 'submit', ...options);
    const vkey = (await readFile(path('data/log.vkey'), 'utf8')).trim();
    expect(first).toMatchObject({ exit: 0, stderr: expect.stringContaining(vkey) as string });
    expect(await daybook(directory, 'submit', ...options)).toMatchObject({ exit: 0, stderr: '' });

    const folder = path(join('pins', encodeURIComponent(log.url.href)));
    const other = await temporaryDirectory();
    const impostor = await startLog(join(other, 'data'), [
      '--interval-ms',
      '50',
      '--admission',
      'open',
    ]);
    await rename(folder, path(join('pins', encodeURIComponent(impostor.url.href))));
    const changed = await daybook(directory, 'submit', ...options, '--log', impostor.url.href);
    await impostor.stop();
    await removeDirectory(other);
    expect(changed).toMatchObject({ exit: 12, stderr: expect.stringContaining('pins') as string });
  });

  test('with a vkey believes no other', async () => {
    const other = await createKeyFile(path('other-log'), 'ed25519');
    const vkey = (await readFile(path('data/log.vkey'), 'utf8')).trim();
    const options = [
      'scanner',
      '--log',
      log.url.href,
      '--key',
      'key',
      '--purl',
      purl,
      '--state',
      'vkeys',
      '--vkey',
    ];
    expect((await daybook(directory, 'submit', ...options, vkey)).exit).toBe(0);
    const wrong = formatVkey(verifierKey('other.example', 1, other.publicKey));
    expect(await daybook(directory, 'submit', ...options, wrong)).toMatchObject({
      exit: 12,
      stderr: expect.stringContaining('vkeys') as string,
    });
    expect((await daybook(directory, 'submit', ...options, 'nonsense')).exit).toBe(2);
    expect((await daybook(directory, 'submit', ...options, vkey, '--policy', 'policy')).exit).toBe(
      2,
    );
  });

  test.each([
    ['a purl without a version', ['scanner', '--purl', 'pkg:generic/acme/scanner'], 2, '--purl'],
    [
      'a branch for a commit',
      ['scanner', '--source', 'git+https://x.example/y@main'],
      2,
      '--source',
    ],
    ['a builder that is no URI', ['scanner', '--builder', 'my builder'], 2, '--builder'],
    ['a URL that is none', ['scanner', '--log', 'localhost:8080'], 2, 'http://'],
    ['a missing file', ['nothing'], 3, 'nothing: no such file'],
    ['a directory among files', ['scanner', 'data'], 2, 'by itself'],
    ['a key file that is missing', ['scanner', '--key', 'nokey'], 3, 'nokey'],
    ['a public key', ['scanner', '--key', 'key.pub'], 3, 'key.pub'],
    ['a key that is not admitted', ['scanner', '--key', 'other'], 4, 'issuer add'],
    [
      'a product of somebody else',
      ['scanner', '--purl', 'pkg:generic/umbrella/x@1'],
      4,
      'may not speak for',
    ],
  ])('refuses %s', async (_, args, exit, reason) => {
    expect(await submit(...args)).toMatchObject({
      exit,
      stderr: expect.stringContaining(reason) as string,
    });
  });

  test('leaves nothing behind but its results', async () => {
    const { stdout } = await run('find', [directory, '-name', '*.tmp']);
    expect(stdout).toBe('');
  });
});

describe('a directory', () => {
  beforeAll(async () => {
    await mkdir(path('release/lib'), { recursive: true });
    for (const name of ['scanner', 'lib/a', 'lib/b\\c', 'lib/new\nline'])
      await write(`release/${name}`, name);
    expect((await submit('release')).exit).toBe(0);
  });

  test('is verified with its manifest, which sha256sum reads', async () => {
    expect(await verdict('release')).toMatchObject({ ok: true });
    expect((await verify('release/')).stdout).toMatch(/^ok {6}manifest {8}names these 4 files$/m);
    const { stdout } = await run('sha256sum', ['-c', '../release.SHA256SUMS'], {
      cwd: path('release'),
    });
    expect(stdout.match(/OK$/gm)).toHaveLength(4);
    expect((await verify('release.SHA256SUMS', '--proof', 'release.tlog-proof')).exit).toBe(0);
  });

  test.each<[string, (copy: string) => Promise<void>, number, string]>([
    ['a changed file', (copy) => appendFile(join(copy, 'lib/a'), 'x'), 18, '"lib/a" has SHA-256'],
    ['a missing file', (copy) => rm(join(copy, 'lib/a')), 18, '"lib/a" is missing'],
    [
      'a file too many',
      (copy) => writeFile(join(copy, 'evil'), 'x'),
      18,
      '"evil" is not in the manifest',
    ],
    [
      'a link in the place of a file',
      async (copy) => {
        await rename(join(copy, 'scanner'), `${copy}.real`);
        await symlink(`${copy}.real`, join(copy, 'scanner'));
      },
      3,
      'neither a file nor a directory',
    ],
    [
      'another manifest',
      (copy) => appendFile(`${copy}.SHA256SUMS`, `${'0'.repeat(64)}  more\n`),
      18,
      'statement names',
    ],
    ['no manifest', (copy) => rm(`${copy}.SHA256SUMS`), 3, 'SHA256SUMS: no such file'],
  ])('is refused with %s', async (_, change, exit, reason) => {
    await rm(path('copy'), { recursive: true, force: true });
    await cp(path('release'), path('copy'), { recursive: true });
    for (const end of ['.SHA256SUMS', '.tlog-proof'])
      await copyFile(path(`release${end}`), path(`copy${end}`));
    await change(path('copy'));
    expect(await verify('copy')).toMatchObject({
      exit,
      stderr: expect.stringContaining(reason) as string,
    });
  });

  test('is not logged when it is empty or has links', async () => {
    await mkdir(path('empty'));
    expect((await submit('empty')).exit).toBe(2);
    await symlink('/etc/passwd', path('empty/link'));
    expect((await submit('empty')).exit).toBe(3);
  });
});

describe('verify refuses', () => {
  const tampered = async (change: (proof: string) => string): Promise<string[]> => {
    await writeFile(path('tampered'), change(await readFile(path('scanner.tlog-proof'), 'utf8')));
    return ['scanner', '--proof', 'tampered'];
  };

  test.each<[string, () => Promise<string[]>, number, string]>([
    [
      'a changed file',
      async () => {
        await write('changed', 'the buile');
        return ['changed', '--proof', 'scanner.tlog-proof'];
      },
      18,
      'artifact-mismatch',
    ],
    [
      'another product',
      async () => ['scanner', '--purl', 'pkg:generic/acme/driver@1.2.3'],
      18,
      'artifact-mismatch',
    ],
    ['a proof that is cut', () => tampered((proof) => proof.slice(0, 200)), 10, 'bad-proof'],
    ['a checkpoint that is cut', () => tampered((proof) => proof.slice(0, -9)), 10, 'bad-note'],
    [
      'another envelope',
      () => tampered((proof) => proof.replace(/^extra .*/m, 'extra e30=')),
      14,
      'inclusion-invalid',
    ],
    [
      'another index',
      () => tampered((proof) => proof.replace(/^index (\d+)/m, 'index 1')),
      14,
      'inclusion-invalid',
    ],
    [
      'a checkpoint that is forged',
      // One character of the log's signature, which is the last line.
      () => tampered((proof) => proof.replace(/.(?=.{9}\n$)/, (c) => (c === 'A' ? 'B' : 'A'))),
      12,
      'untrusted-checkpoint',
    ],
    ['a missing proof', async () => ['key.pub'], 3, 'key.pub.tlog-proof: no such file'],
    [
      'a malformed policy',
      async () => ['scanner', '--policy', 'scanner'],
      11,
      'scanner: policy line 1',
    ],
    [
      'a policy with another log',
      async () => {
        const text = await readFile(path('policy'), 'utf8');
        const { name } = parseVkey(text.split(/\s/)[1]!);
        const other = formatVkey(verifierKey(name, 1, await readPublicKeyFile(path('other.pub'))));
        await write('other-policy', `log ${other}\nquorum none\n`);
        return ['scanner', '--policy', 'other-policy'];
      },
      12,
      'untrusted-checkpoint',
    ],
    [
      'a policy whose quorum is missing',
      async () => {
        const text = await readFile(path('policy'), 'utf8');
        const witness = formatVkey(
          verifierKey('w.example', 4, await readPublicKeyFile(path('other.pub'))),
        );
        await write('quorum-policy', text.replace('quorum none', `witness w ${witness}\nquorum w`));
        return ['scanner', '--policy', 'quorum-policy'];
      },
      13,
      'quorum-missing',
    ],
    ['a private key for an issuer', async () => ['scanner', '--issuer', 'key'], 3, 'bad-key'],
  ])('%s', async (_, prepare, exit, reason) => {
    const ran = await verify(...(await prepare()));
    expect(ran).toMatchObject({ exit, stderr: expect.stringContaining(reason) as string });
  });

  test('a release of an issuer that is not expected', async () => {
    const { exit, stderr } = await daybook(
      directory,
      'verify',
      'scanner',
      '--policy',
      'policy',
      '--issuer',
      'other.pub',
    );
    expect({ exit, stderr }).toMatchObject({
      exit: 17,
      stderr: expect.stringContaining('signature-invalid') as string,
    });
  });

  test('what can be read once only, or not at all', async () => {
    await run('mkfifo', [path('fifo')]);
    for (const [file, kind] of [
      ['fifo', 'a FIFO'],
      ['/dev/null', 'a device'],
    ] as const) {
      expect(await verify(file, '--proof', 'scanner.tlog-proof')).toMatchObject({
        exit: 3,
        stderr: expect.stringContaining(`is ${kind}, want a regular file`) as string,
      });
    }
    expect(await verdict('nothing')).toMatchObject({
      ok: false,
      code: 'file-unreadable',
      checks: [],
    });
  });
});

test('nothing in a file or statement steers the terminal', async () => {
  const name = 'evil\u001b[2J\u202e';
  await write(name, 'x');
  expect((await submit(name)).exit).toBe(0);
  const { stdout } = await verify(name);
  expect(stdout).toContain('\\u{1b}[2J\\u{202e}');
  expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/);
});

test('a log that answers nothing is reported with its address', async () => {
  await write('unsent', 'x');
  const { exit, stderr } = await submit(
    'unsent',
    '--log',
    `http://127.0.0.1:${await closedPort()}`,
  );
  expect({ exit, stderr }).toMatchObject({
    exit: 3,
    stderr: expect.stringContaining('ECONNREFUSED 127.0.0.1:') as string,
  });
  await expect(stat(path('unsent.tlog-proof'))).rejects.toThrow();
}, 60_000);
