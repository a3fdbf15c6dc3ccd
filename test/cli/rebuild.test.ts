import { mkdir, readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { nodeSha256 } from '../../src/keys/node-hasher.ts';
import { parseReleaseFile } from '../../src/proof/release-file.ts';
import { readProvenance } from '../../src/statement/provenance.ts';
import type { Ran } from './daybook.ts';
import { commit, organisations, product, type Organisations } from './organisations.ts';
import { startLog } from './running-log.ts';

let root: string;
const digest = (content: string): string =>
  encodeHex(nodeSha256(new TextEncoder().encode(content)));

let org: Organisations;
beforeAll(async () => {
  org = await organisations();
  for (const name of ['scanner', 'manual']) await org.write(name, `the ${name}`);
  await org.write('same', 'the scanner');
  await org.write('different', 'another scanner');
  await mkdir(org.path('tree'));
  await org.write('tree/main.c', 'int main(void) { return 0; }');
  const committed = ['source', 'commit', 'tree', '--master', 'tree.master', '--new-master'];
  const { stdout } = await org.as('vendor', ...committed, '--purl', product);
  root = /commitment: ([0-9a-f]{64})/.exec(stdout)?.[1] ?? '';
  await mkdir(org.path('other'));
  await org.write('other/main.c', 'int main(void) { return 1; }');
  const build = ['--builder', 'https://ci.acme.example/release', '--source', commit];
  await org.as(
    'vendor',
    ...['attest', 'provenance', 'scanner', ...build, '--purl', product, '--commitment', root],
  );
  await org.as('vendor', 'release', 'scanner', '--purl', product);
  await org.ask('bundle', 'scanner');
});
afterAll(() => org.leave());

const rebuild = (file: string, ...args: readonly string[]): Promise<Ran> =>
  org.as(
    'uni',
    ...['rebuild', file, '--claims', 'scanner.release', '--builder', 'https://uni.example/builder'],
    ...args,
  );

describe('rebuild', () => {
  test('logs the rebuilder’s own provenance for the vendor’s source', async () => {
    const ran = await rebuild('same', '--issuer', 'vendor.pub', '--source', commit);
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    expect(ran.stdout).toContain('reproduced');
    const statement = await org.logged(ran);
    expect(statement.subject.map(({ sha256 }) => encodeHex(sha256))).toEqual([
      digest('the scanner'),
    ]);
    const { source, commitments, claims, purls, builderId, sourceChecked } =
      readProvenance(statement);
    expect({ source, builderId, sourceChecked }).toEqual({
      source: commit,
      builderId: 'https://uni.example/builder',
      sourceChecked: undefined,
    });
    expect(commitments.map(encodeHex)).toEqual([root]);
    expect(encodeHex(claims!)).toBe(digest('the scanner'));
    expect(purls.map(({ text }) => text)).toEqual([product]);
  });

  test('logs a difference, too, and ends with its own code', async () => {
    const ran = await rebuild('different');
    expect(ran.exit).toBe(23);
    expect(ran.stderr).toContain(digest('another scanner'));
    expect(ran.stderr).toContain(digest('the scanner'));
    const statement = await org.logged(ran);
    expect(statement.subject.map(({ sha256 }) => encodeHex(sha256))).toEqual([
      digest('another scanner'),
    ]);
    expect(encodeHex(readProvenance(statement).claims!)).toBe(digest('the scanner'));
  });

  test('shows a difference to whoever looks for the file that it was compared with', async () => {
    const { index } = await org.logged(await rebuild('different'));
    await org.ask('bundle', 'scanner', '--out', 'disputed.release');
    const { entries } = parseReleaseFile(await readFile(org.path('disputed.release')));
    expect(entries.map((entry) => entry.index)).toContain(index);
  });

  test('says that the tree opens the commitment, of this commitment only', async () => {
    const opening = (tree: string): string[] => ['--tree', tree, '--master', 'tree.master'];
    const ran = await rebuild('same', ...opening('tree'));
    expect(encodeHex(readProvenance(await org.logged(ran)).sourceChecked!)).toBe(root);
    const { exit, stdout } = await rebuild('same', ...opening('other'));
    expect({ exit, stdout }).toEqual({ exit: 22, stdout: '' });
  });

  test('takes a release file that holds the rebuilds of others', async () => {
    await org.ask('bundle', 'scanner', '--out', 'newer.release');
    const ran = await rebuild('same', '--claims', 'newer.release');
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
  });

  test('finds its file among several by name', async () => {
    const several = ['--purl', 'pkg:generic/acme/suite@1', '--source', commit];
    await org.as('vendor', 'release', 'scanner', 'manual', ...several);
    const of = ['--claims', 'manual.tlog-proof'];
    const unnamed = await rebuild('same', ...of);
    expect(unnamed.exit).toBe(2);
    expect(unnamed.stderr).toContain('--name');
    expect(await rebuild('same', ...of, '--name', 'scanner')).toMatchObject({ exit: 0 });
    expect(await rebuild('same', ...of, '--name', 'manual')).toMatchObject({ exit: 23 });
    expect(await rebuild('scanner', ...of)).toMatchObject({ exit: 0 });
  });

  test('asks for the source where the vendor names none', async () => {
    await org.as('vendor', 'release', 'manual', '--purl', 'pkg:generic/acme/manual@1');
    const of = ['--claims', 'manual.tlog-proof'];
    const unnamed = await rebuild('manual', ...of);
    expect(unnamed).toMatchObject({ exit: 2, stdout: '' });
    const named = await rebuild('manual', ...of, '--source', commit);
    expect(readProvenance(await org.logged(named)).source).toBe(commit);
  });

  test.each([
    ['another source', ['--source', commit.replace('0', 'f')], 22],
    ['claims that the vendor did not sign', ['--issuer', 'agency.pub'], 10],
    ['claims that are none', ['--claims', 'scanner'], 10],
    ['missing claims', ['--claims', 'missing'], 3],
    ['a builder that is no URI', ['--builder', 'us'], 2],
    ['a tree without its master', ['--tree', 'tree'], 2],
  ])('refuses %s, and logs nothing', async (_, args, exit) => {
    expect(await rebuild('same', ...args)).toMatchObject({ exit, stdout: '' });
  });

  test('refuses claims of another log', async () => {
    const other = await startLog(org.path('other-data'), ['--interval-ms', '50']);
    try {
      await createKeyFile(org.path('stranger'), 'ed25519');
      const admit = ['issuer', 'add', '--data', 'other-data', '--name', 'x', '--key'];
      await org.run(...admit, 'stranger.pub', '--purl', 'pkg:generic/acme/*');
      const there = ['--log', other.url.href, '--policy', 'other-data/log.policy'];
      await org.write('forged', 'forged');
      const logged = await org.run(
        ...['release', 'forged', '--key', 'stranger', '--purl', product, ...there],
      );
      expect(logged.exit).toBe(0);
    } finally {
      await other.stop();
    }
    const ran = await rebuild('same', '--claims', 'forged.tlog-proof', '--source', commit);
    expect(ran).toMatchObject({ exit: 12, stdout: '' });
  });
});
