import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import { nodeSha256 } from '../../src/keys/node-hasher.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { preAuthEncoding } from '../../src/statement/dsse.ts';
import { inTotoPayloadType } from '../../src/statement/in-toto.ts';
import { readProvenance } from '../../src/statement/provenance.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import { readVerificationSummary } from '../../src/statement/verification-summary.ts';
import { readWithdrawal } from '../../src/statement/withdrawal.ts';
import { commit, organisations, product, type Organisations } from './organisations.ts';

const openssl = promisify(execFile);
let org: Organisations;
beforeAll(async () => {
  org = await organisations();
  await org.write('scanner', 'the build');
});
afterAll(() => org.leave());

const digest = encodeHex(nodeSha256(new TextEncoder().encode('the build')));
const ofAcme = ['--purl', product];

describe('an envelope of another tool', () => {
  const envelope = async (name: string, key = 'vendor'): Promise<void> => {
    const subjects = [{ name: 'scanner', sha256: nodeSha256(await readFile(org.path('scanner'))) }];
    const payload = releaseStatement({ purl: product, subjects, releaseId: name });
    await writeFile(org.path('message'), preAuthEncoding(inTotoPayloadType, payload));
    const signing = ['dgst', '-sha256', '-sign', org.path(key), org.path('message')];
    const { stdout } = await openssl('openssl', signing, { encoding: 'buffer' });
    const signatures = [{ sig: stdout.toString('base64') }];
    const [payloadType, text] = [inTotoPayloadType, Buffer.from(payload).toString('base64')];
    // As others write JSON: spaces, another order, a line end.
    const json = JSON.stringify({ signatures, payload: text, payloadType }, undefined, 2);
    await org.write(name, `${json}\n`);
  };

  test('is logged verbatim, and its proof verifies', async () => {
    await envelope('other.json');
    const ran = await org.ask('submit', '--envelope', 'other.json');
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    const proof = parseTlogProof(await readFile(org.path('other.json.tlog-proof')));
    expect(Buffer.from(proof.extra!)).toEqual(await readFile(org.path('other.json')));
    const trust = ['--policy', 'data/log.policy', '--issuer', 'vendor.pub'];
    const verified = await org.run(
      ...['verify', 'scanner', '--proof', 'other.json.tlog-proof', ...trust],
    );
    expect(verified).toMatchObject({ exit: 0 });
  });

  test('signed again is the one that was logged first', async () => {
    await envelope('first.json');
    const first = await org.ask('submit', '--envelope', 'first.json');
    const logged = await readFile(org.path('first.json'));
    await envelope('first.json');
    expect(await readFile(org.path('first.json'))).not.toEqual(logged);
    const again = await org.ask('submit', '--envelope', 'first.json');
    expect(again.stdout).toBe(
      first.stdout
        .replace('logged:', 'logged already:')
        .replace(/size \d+/, /size \d+/.exec(again.stdout)![0]),
    );
    const proof = parseTlogProof(await readFile(org.path('first.json.tlog-proof')));
    expect(Buffer.from(proof.extra!)).toEqual(logged);
  });

  test.each([
    ['with files', ['scanner'], 2],
    ['with a key', ['--key', 'vendor'], 2],
    ['with a purl', ['--purl', product], 2],
  ])('is refused %s', async (_, more, exit) => {
    await envelope('other.json');
    const ran = await org.ask('submit', '--envelope', 'other.json', ...more);
    expect(ran).toMatchObject({ exit, stdout: '' });
  });

  test('that is keyless, or no envelope, is refused with what to do', async () => {
    const signatures = [{ sig: 'AA==', cert: 'x' }];
    const keyless = { payload: 'e30=', payloadType: inTotoPayloadType, signatures };
    await org.write('keyless.json', JSON.stringify(keyless));
    const ran = await org.ask('submit', '--envelope', 'keyless.json');
    expect(ran.exit).toBe(4);
    expect(ran.stderr).toContain('cosign attest --key');
    expect(await org.ask('submit', '--envelope', 'scanner')).toMatchObject({ exit: 4 });
    expect(await org.ask('submit', '--envelope', 'missing')).toMatchObject({ exit: 3 });
  });

  test.each([
    ['--key', ['scanner', '--purl', product]],
    ['--purl', ['scanner', '--key', 'vendor']],
    ['FILE', ['--purl', product, '--key', 'vendor']],
  ])('is not meant where %s is missing', async (missing, args) => {
    const ran = await org.ask('submit', ...args);
    expect(ran.exit).toBe(2);
    expect(ran.stderr).toContain(missing);
  });
});

describe('attest provenance', () => {
  const build = ['--builder', 'https://ci.acme.example/release', ...ofAcme];

  test('says from what, by whom and where', async () => {
    const root = 'ab'.repeat(32);
    const ran = await org.as(
      'vendor',
      ...['attest', 'provenance', 'scanner', ...build, '--source', commit, '--commitment', root],
      ...['--assembly', 'Bern, Switzerland,CH', '--signing', 'CH', '--invocation', 'run 7'],
      ...['--build-type', 'https://ci.acme.example/types/make'],
    );
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    const statement = await org.logged(ran);
    expect(statement.subject).toMatchObject([{ name: 'scanner', uri: product }]);
    expect(statement.subject.map(({ sha256 }) => encodeHex(sha256))).toEqual([digest]);
    const { commitments, ...provenance } = readProvenance(statement);
    expect(commitments.map(encodeHex)).toEqual([root]);
    expect(provenance).toMatchObject({
      builderId: 'https://ci.acme.example/release',
      buildType: 'https://ci.acme.example/types/make',
      source: commit,
      assembly: { site: 'Bern, Switzerland', jurisdiction: 'CH' },
      signing: { jurisdiction: 'CH' },
    });
    expect(provenance.purls.map(({ text }) => text)).toEqual([product]);
  });

  test('again is logged once', async () => {
    const args = ['attest', 'provenance', 'scanner', ...build, '--source', commit];
    const first = await org.as('vendor', ...args);
    const again = await org.as('vendor', ...args);
    expect(again.stdout).toMatch(/^logged already/);
    expect((await org.logged(again)).index).toBe((await org.logged(first)).index);
  });

  test('of a directory names the manifest of its release, and writes nothing', async () => {
    await mkdir(org.path('suite'));
    await org.write('suite/a', 'a');
    const ran = await org.as('vendor', 'attest', 'provenance', 'suite', ...build);
    expect(ran.exit).toBe(0);
    await expect(readFile(org.path('suite.SHA256SUMS'))).rejects.toThrow('ENOENT');
    const [subject] = (await org.logged(ran)).subject;
    await org.as('vendor', 'release', 'suite', ...ofAcme);
    const manifest = await readFile(org.path('suite.SHA256SUMS'));
    expect(encodeHex(subject!.sha256)).toBe(encodeHex(nodeSha256(manifest)));
  });

  test.each([
    ['--source', 'git+https://git.acme.example/scanner@main'],
    ['--commitment', 'abcd'],
    ['--assembly', 'Zurich'],
    ['--assembly', ',CH'],
    ['--signing', 'Zurich,ch'],
    ['--builder', 'our CI'],
    ['--build-type', 'make'],
    ['--purl', 'scanner'],
  ])('refuses %s %s, by its name', async (option, value) => {
    const ran = await org.as(
      'vendor',
      ...['attest', 'provenance', 'scanner', ...build, '--source', commit, option, value],
    );
    expect(ran).toMatchObject({ exit: 2, stdout: '' });
    expect(ran.stderr).toContain(option);
  });

  test('is refused to whom may not say it', async () => {
    expect(await org.as('agency', 'attest', 'provenance', 'scanner', ...build)).toMatchObject({
      exit: 4,
    });
  });
});

describe('withdraw', () => {
  const reason = ['--reason', 'CVE-2026-1: runs what it scans'];

  test.each([
    ['a file', ['scanner']],
    ['a digest', ['--sha256', digest]],
  ])('logs that %s must not be used', async (_, target) => {
    const ran = await org.as('vendor', 'withdraw', ...target, ...ofAcme, ...reason);
    expect(ran.exit).toBe(0);
    expect(ran.stderr).toContain('channel publish --withdraw');
    const statement = await org.logged(ran);
    expect(readWithdrawal(statement)).toMatchObject({ reason: reason[1], purl: { text: product } });
    expect(statement.subject.map(({ sha256 }) => encodeHex(sha256))).toEqual([digest]);
  });

  test.each([
    ['nothing', []],
    ['a file and a digest', ['scanner', '--sha256', digest]],
    ['a digest that is none', ['--sha256', 'abcd']],
    ['every version', ['scanner', '--purl', 'pkg:generic/acme/scanner']],
    ['no reason', ['scanner', '--reason', ' ']],
  ])('refuses %s', async (_, args) => {
    const ran = await org.as('vendor', 'withdraw', ...ofAcme, ...reason, ...args);
    expect(ran).toMatchObject({ exit: 2, stdout: '' });
  });
});

describe('approve and reject', () => {
  const by = ['--verifier', 'https://agency.example/daybook', ...ofAcme];

  test('log what was checked and what came of it', async () => {
    const began = Math.floor(Date.now() / 1000) * 1000;
    const ran = await org.as(
      'agency',
      ...['approve', 'scanner', ...by, '--rules', 'https://agency.example/rules/4'],
      ...['--checked', 'malware scan', '--checked', 'licences'],
    );
    expect(ran).toMatchObject({ exit: 0, stderr: '' });
    const { timeVerified, ...summary } = readVerificationSummary(await org.logged(ran));
    expect(summary).toMatchObject({
      verifierId: 'https://agency.example/daybook',
      policyUri: 'https://agency.example/rules/4',
      resourceUri: product,
      result: 'PASSED',
      checked: ['malware scan', 'licences'],
      reason: undefined,
    });
    expect(Date.parse(timeVerified!)).toBeGreaterThanOrEqual(began);

    const rejected = await org.as('agency', 'reject', 'scanner', ...by, '--reason', 'phones home');
    expect(rejected).toMatchObject({ exit: 0, stderr: '' });
    expect(readVerificationSummary(await org.logged(rejected))).toMatchObject({
      result: 'FAILED',
      reason: 'phones home',
      policyUri: 'https://agency.example/daybook',
    });
  });

  test.each([
    ['a rejection without a reason', ['reject']],
    ['a verifier that is no URI', ['approve', '--verifier', 'us']],
    ['rules that are no URI', ['approve', '--rules', 'ours']],
    ['every version', ['approve', '--purl', 'pkg:generic/acme/scanner']],
  ])('refuse %s', async (_, [verb, ...more]) => {
    const ran = await org.as('agency', verb!, 'scanner', ...by, ...more);
    expect(ran).toMatchObject({ exit: 2, stdout: '' });
  });

  test('are refused to the vendor', async () => {
    expect(await org.as('vendor', 'approve', 'scanner', ...by)).toMatchObject({ exit: 4 });
  });
});
