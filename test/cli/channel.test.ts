import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import { createKeyFile } from '../../src/keys/key-file.ts';
import { nodeSha256 } from '../../src/keys/node-hasher.ts';
import { readChannel } from '../../src/statement/channel.ts';
import type { Ran } from './daybook.ts';
import { organisations, type Organisations } from './organisations.ts';

let org: Organisations;
beforeAll(async () => {
  org = await organisations();
  for (const name of ['old', 'new', 'extra=file']) await org.write(name, name);
});
afterAll(() => org.leave());

const digest = (content: string): string =>
  encodeHex(nodeSha256(new TextEncoder().encode(content)));
const [oldPurl, newPurl] = ['pkg:generic/acme/bases@1', 'pkg:generic/acme/bases@2?arch=arm64'];
const publish = (name: string, ...args: readonly string[]): Promise<Ran> =>
  org.as('vendor', 'channel', 'publish', name, '--expires', '25h', ...args);

interface Shown {
  readonly sequence: number;
  readonly index: number;
  readonly kind: string;
  readonly issued: string;
  readonly expires: string;
  readonly current: { purl: string; sha256: string[] }[];
  readonly withdrawn: { purl?: string; sha256: string; reason: string }[];
}

async function show(name: string): Promise<Shown> {
  const { exit, stdout, stderr } = await org.ask(
    ...['channel', 'show', name, '--issuer', 'vendor.pub', '--issuer', 'agency.pub', '--json'],
  );
  expect(exit, stderr).toBe(0);
  return JSON.parse(stdout) as Shown;
}

describe('channel publish', () => {
  test('carries on what was listed before, from statement to statement', async () => {
    const first = await publish('acme/stable', '--release', `old=${oldPurl}`);
    expect(first).toMatchObject({ exit: 0, stderr: '' });
    const listed = { purl: oldPurl, sha256: [digest('old')] };
    const statement = await org.logged(first);
    expect(readChannel(statement)).toMatchObject({ sequence: 1, previous: undefined });
    const shown = await show('acme/stable');
    expect(shown).toMatchObject({
      sequence: 1,
      kind: 'releases',
      current: [listed],
      withdrawn: [],
    });
    expect(Date.parse(shown.expires) - Date.parse(shown.issued)).toBe(25 * 3_600_000);

    // The same anew, as an hourly job does.
    const second = await org.logged(await publish('acme/stable'));
    expect(readChannel(second)).toMatchObject({ sequence: 2, previous: statement.index });
    expect(await show('acme/stable')).toMatchObject({ sequence: 2, current: [listed] });

    await publish('acme/stable', '--add', `new=${newPurl}`, '--add', `extra=file=${newPurl}`);
    const digests = [digest('new'), digest('extra=file')].sort();
    expect(await show('acme/stable')).toMatchObject({
      sequence: 3,
      current: [listed, { purl: newPurl, sha256: digests }],
    });

    await publish('acme/stable', '--withdraw', oldPurl, '--reason', 'CVE-2026-1');
    expect(await show('acme/stable')).toMatchObject({
      current: [{ purl: newPurl, sha256: digests }],
      withdrawn: [{ purl: oldPurl, sha256: digest('old'), reason: 'CVE-2026-1' }],
    });

    await publish('acme/stable', '--remove', 'extra=file');
    expect(await show('acme/stable')).toMatchObject({
      current: [{ purl: newPurl, sha256: [digest('new')] }],
    });

    const third = 'pkg:generic/acme/bases@3';
    await publish('acme/stable', '--release', `${digest('third')}=${third}`);
    expect(await show('acme/stable')).toMatchObject({
      sequence: 6,
      current: [{ purl: third, sha256: [digest('third')] }],
      withdrawn: [{ sha256: digest('old') }],
    });
  });

  test('withdraws what is not current any more, by its digest or file', async () => {
    await publish('acme/past', '--release', `new=${newPurl}`);
    const args = ['--withdraw', 'old', '--withdraw', digest('older'), '--reason', 'unsupported'];
    expect(await publish('acme/past', ...args)).toMatchObject({ exit: 0 });
    const { withdrawn } = await show('acme/past');
    expect(withdrawn.map(({ sha256 }) => sha256).sort()).toEqual(
      [digest('old'), digest('older')].sort(),
    );
    expect(await publish('acme/past', '--withdraw', 'old', '--reason', 'worse')).toMatchObject({
      exit: 0,
    });
    const reasons = (await show('acme/past')).withdrawn.map(({ reason }) => reason);
    expect(reasons.sort()).toEqual(['unsupported', 'worse']);
  });

  test('takes the whole list from a file, as it was shown', async () => {
    await publish('acme/whole', '--release', `old=${oldPurl}`);
    await publish('acme/whole', '--withdraw', 'old', '--reason', 'a mistake');
    const back = await publish('acme/whole', '--add', `old=${oldPurl}`);
    expect(back.exit).toBe(2);
    expect(back.stderr).toContain('a mistake');
    const whole = {
      ...(await show('acme/whole')),
      current: [{ purl: oldPurl, sha256: [digest('old')] }],
      withdrawn: [],
    };
    await org.write('whole.json', JSON.stringify(whole));
    expect(await publish('acme/whole', '--current', 'whole.json')).toMatchObject({ exit: 0 });
    expect(await show('acme/whole')).toMatchObject({ current: whole.current, withdrawn: [] });
    await org.write('broken.json', '{"current":[{"purl":7}]}');
    const broken = await publish('acme/whole', '--current', 'broken.json');
    expect(broken.exit).toBe(2);
    expect(broken.stderr).toContain('broken.json');
  });

  test('by several pipelines at once loses nothing', async () => {
    await publish('acme/busy', '--release', `old=${oldPurl}`);
    const added = ['a', 'b', 'c'].map((name) => `${digest(name)}=pkg:generic/acme/${name}@1`);
    const ran = await Promise.all(added.map((release) => publish('acme/busy', '--add', release)));
    expect(ran.map(({ exit }) => exit)).toEqual([0, 0, 0]);
    const { current, sequence } = await show('acme/busy');
    expect(sequence).toBe(4);
    expect(current.map(({ purl }) => purl).sort()).toEqual([
      'pkg:generic/acme/a@1',
      'pkg:generic/acme/b@1',
      oldPurl,
      'pkg:generic/acme/c@1',
    ]);
  });

  test('a supervisor’s channel lists approvals and rejections, and keeps its kind', async () => {
    const asAgency = (...args: readonly string[]): Promise<Ran> =>
      org.as('agency', 'channel', 'publish', 'agency/verdicts', '--expires', '7d', ...args);
    await asAgency('--kind', 'approvals', '--add', `new=${newPurl}`);
    await asAgency('--withdraw', 'old', '--reason', 'phones home');
    expect(await show('agency/verdicts')).toMatchObject({
      kind: 'approvals',
      sequence: 2,
      current: [{ purl: newPurl }],
      withdrawn: [{ sha256: digest('old'), reason: 'phones home' }],
    });
    expect(await asAgency('--kind', 'releases')).toMatchObject({ exit: 2 });
  });

  test('another key goes on only where it says whose list it takes over', async () => {
    await publish('acme/moved', '--release', `old=${oldPurl}`);
    await createKeyFile(org.path('next'), 'ed25519');
    const admit = ['issuer', 'add', '--data', 'data', '--name', 'next', '--key', 'next.pub'];
    await org.run(...admit, '--role', 'channel', '--purl', 'pkg:channel/acme/*');
    const asNext = (...args: readonly string[]): Promise<Ran> =>
      org.as('next', 'channel', 'publish', 'acme/moved', '--expires', '25h', ...args);
    expect(await asNext()).toMatchObject({ exit: 17 });
    expect(await asNext('--previous-key', 'vendor.pub')).toMatchObject({ exit: 0 });
    expect(await asNext()).toMatchObject({ exit: 0 });
  });

  test.each([
    ['a name that is none', 'stable', [], 2],
    ['a channel of somebody else', 'globex/stable', [], 4],
    ['a duration that is none', 'acme/new', ['--expires', '1 day'], 2],
    ['a release without purl', 'acme/new', ['--add', 'old'], 2],
    ['a release without version', 'acme/new', ['--add', 'old=pkg:generic/acme/bases'], 16],
    ['a missing file', 'acme/new', ['--add', `missing=${oldPurl}`], 3],
    ['two whole lists', 'acme/new', ['--release', `old=${oldPurl}`, '--current', 'x.json'], 2],
    ['a withdrawal without reason', 'acme/new', ['--withdraw', 'old'], 2],
    ['a reason without withdrawal', 'acme/new', ['--reason', 'why'], 2],
    ['to remove what is not current', 'acme/new', ['--remove', 'old'], 2],
    [
      'to withdraw a purl that is not current',
      'acme/new',
      ['--withdraw', oldPurl, '--reason', 'r'],
      2,
    ],
  ])('refuses %s', async (_, name, args, exit) => {
    expect(await publish(name, ...args)).toMatchObject({ exit, stdout: '' });
  });
});

describe('channel show', () => {
  test('says what is listed, and whether somebody’s signature was asked for', async () => {
    await publish('acme/shown', '--release', `old=${oldPurl}`, '--add', `new=${newPurl}`);
    await publish('acme/shown', '--withdraw', 'old', '--reason', 'CVE-2026-1');
    const { stdout, stderr } = await org.ask('channel', 'show', 'acme/shown');
    expect(stdout).toContain('acme/shown (releases), statement 2');
    expect(stdout).toMatch(new RegExp(`current +pkg:generic/acme/bases@2.*${digest('new')}`));
    expect(stdout).toMatch(new RegExp(`withdrawn +${oldPurl} .*CVE-2026-1`));
    expect(stderr).toContain('--issuer');
    const wrong = await org.ask('channel', 'show', 'acme/shown', '--issuer', 'uni.pub');
    expect(wrong).toMatchObject({ exit: 17, stdout: '' });
  });

  test('of a channel that the log does not have ends with 3', async () => {
    expect(await org.ask('channel', 'show', 'acme/none')).toMatchObject({ exit: 3, stdout: '' });
  });
});
