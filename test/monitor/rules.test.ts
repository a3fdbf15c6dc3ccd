/** Each rule: what it alerts on, what it must not alert on, and that it does so once. */
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import { DaybookError } from '../../src/errors.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { channelStatement } from '../../src/statement/channel.ts';
import type { Subject } from '../../src/statement/in-toto.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import { verificationSummaryStatement } from '../../src/statement/verification-summary.ts';
import { withdrawalStatement } from '../../src/statement/withdrawal.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { logKey, newSigner, origin, subject } from '../statement/parties.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';
import { RuleScene, START } from './rule-scene.ts';

const purl = 'pkg:generic/acme/scanner@1.2.3';
const otherPurl = 'pkg:generic/other/thing@1';
const source = `git+https://git.acme.example/scanner@${'a'.repeat(40)}`;
const HOUR = 3600;
const file = subject('scanner.tar.gz');
const otherFile = { ...subject('changed'), name: 'scanner.tar.gz' };
const hex = ({ sha256 }: Subject): string => encodeHex(sha256);

const release = (of = purl, subjects = [file], builder?: string): Uint8Array =>
  releaseStatement({ purl: of, subjects, builder });

function provenance(
  of: Partial<Parameters<typeof provenanceStatement>[0]> & { purl?: string } = {},
): Uint8Array {
  const { subjects = [file], purl: uri = purl, ...rest } = of;
  return provenanceStatement({
    buildType: 'https://acme.example/build',
    builderId: 'https://ci.acme.example',
    externalParameters: {},
    source,
    ...rest,
    subjects: subjects.map((each) => ({ ...each, uri })),
  });
}

const summary = (result: 'PASSED' | 'FAILED', resourceUri = purl, about = file): Uint8Array =>
  verificationSummaryStatement({
    subjects: [about],
    verifierId: 'https://bsi.example',
    timeVerified: START,
    resourceUri,
    policyUri: 'https://bsi.example/rules',
    result,
    reason: result === 'FAILED' ? 'malware' : undefined,
  });

const withdrawal = (of = purl): Uint8Array =>
  withdrawalStatement({ purl: of, reason: 'CVE-2026-1', subjects: [file] });

type ChannelInput = Parameters<typeof channelStatement>[0];
const channel = (state: Partial<ChannelInput> = {}): Uint8Array =>
  channelStatement({
    origin,
    channel: 'acme/stable',
    kind: 'releases',
    sequence: 1,
    previous: (state.sequence ?? 1) === 1 ? undefined : leafIndex(0),
    issued: START,
    expires: START + 25 * HOUR,
    current: [],
    withdrawn: [],
    ...state,
  });
const listed = { sha256: hex(file), purl, reason: 'CVE-2026-1' };

describe('unexpected-release', () => {
  const rule = {
    rule: 'unexpected-release',
    purls: ['pkg:generic/acme/*', 'pkg:channel/acme/stable'],
    keys: ['vendor', 'builder'],
  };

  test('my products under a key that is not mine, whatever is said of them in the vendor’s name', async () => {
    const scene = await RuleScene.open([rule]);
    const payloads = [release(), withdrawal(), channel()];
    for (const payload of payloads) await scene.log(payload, 'stranger');
    expect(scene.alerts.map(({ index }) => index)).toEqual([1, 2, 3]);
    expect(scene.alerts[0]).toMatchObject({ rule: 'unexpected-release', severity: 'critical' });
    expect(scene.alerts[0]?.title).toContain(purl);
  });

  test('not what I log, not other products, not what others say of mine as others', async () => {
    const scene = await RuleScene.open([rule]);
    for (const payload of [release(), withdrawal(), channel(), provenance()]) {
      await scene.log(payload, 'vendor');
    }
    await scene.log(release(otherPurl), 'stranger');
    await scene.log(provenance(), 'rebuilder');
    await scene.log(summary('PASSED'), 'supervisor');
    expect(scene.alerts).toEqual([]);
  });

  test('what my key signs and my list of releases lacks', async () => {
    const folder = await temporaryDirectory();
    const path = join(folder, 'released.txt');
    await writeFile(path, `# all of ours\n${hex(file)}  scanner.tar.gz\n`);
    const scene = await RuleScene.open([{ ...rule, released: 'released.txt' }], { folder });
    await scene.log(release());
    expect(scene.alerts).toEqual([]);
    const stolen = await scene.log(release(purl, [file, otherFile]));
    expect(scene.alerts.map(({ index }) => index)).toEqual([stolen]);
    expect(scene.alerts[0]?.detail).toContain(hex(otherFile));
    // The pipeline replaces the list.
    await writeFile(`${path}.new`, `${hex(file)}\n${hex(otherFile)}\n`);
    await rename(`${path}.new`, path);
    await scene.log(release(purl, [otherFile]));
    expect(scene.alerts).toHaveLength(1);
  });

  test('a list that cannot be read lets nothing pass', async () => {
    const folder = await temporaryDirectory();
    const scene = await RuleScene.open([{ ...rule, released: 'released.txt' }], { folder });
    await scene.log(release());
    expect(scene.alerts[0]?.detail).toContain('ENOENT');
    await writeFile(join(folder, 'released.txt'), 'scanner.tar.gz\n');
    await scene.log(provenance(), 'builder');
    expect(scene.alerts[1]?.detail).toContain('line 1');
  });
});

describe('new-issuer', () => {
  test('admitted, changed and revoked, for my products only', async () => {
    const scene = await RuleScene.open([
      { rule: 'new-issuer', purls: ['pkg:generic/acme/scanner'] },
    ]);
    const issuer = await newSigner();
    const elsewhere = await newSigner();
    await scene.admission({ issuer: elsewhere, purls: ['pkg:generic/other/*'] });
    await scene.admission({ action: 'revoke', issuer: elsewhere });
    expect(scene.alerts).toEqual([]);
    await scene.admission({ issuer, name: 'acme-ci-2' });
    await scene.admission({ action: 'change', issuer, purls: ['pkg:generic/other/*'] });
    await scene.admission({ action: 'revoke', issuer });
    const titles = scene.alerts.map(({ title }) => title);
    expect(titles).toEqual([
      'The registrar admitted the issuer acme-ci-2',
      'The registrar changed the issuer acme',
    ]);
  });

  test('a revocation of an issuer of my products', async () => {
    const scene = await RuleScene.open([{ rule: 'new-issuer', purls: ['pkg:generic/acme/*'] }]);
    const issuer = await newSigner();
    await scene.admission({ issuer });
    await scene.admission({ action: 'revoke', issuer });
    expect(scene.alerts.map(({ index }) => index)).toEqual([1, 2]);
  });

  test('without products every issuer', async () => {
    const scene = await RuleScene.open([{ rule: 'new-issuer' }]);
    const issuer = await newSigner();
    await scene.admission({ issuer, purls: ['pkg:npm/x'] });
    await scene.admission({ action: 'revoke', issuer });
    expect(scene.alerts).toHaveLength(2);
  });
});

describe('new-builder', () => {
  test('builders and places, each once; a known name under another key is new', async () => {
    const scene = await RuleScene.open([
      {
        rule: 'new-builder',
        purls: ['pkg:generic/acme/*'],
        known: ['https://ci.acme.example', 'CH'],
      },
    ]);
    const zurich = { site: 'Zurich', jurisdiction: 'CH' };
    await scene.log(provenance(), 'builder');
    await scene.log(provenance({ assembly: { jurisdiction: 'CH' } }), 'builder');
    expect(scene.alerts).toEqual([]);
    await scene.log(provenance({ assembly: zurich, signing: zurich }), 'builder');
    await scene.log(provenance({ assembly: zurich }), 'builder');
    await scene.log(provenance({ builderId: 'https://new.example' }), 'builder');
    await scene.log(provenance({ builderId: 'https://new.example' }), 'stranger');
    await scene.log(release(purl, [file], 'https://released.example'));
    await scene.log(provenance({ builderId: 'https://x.example', purl: otherPurl }), 'builder');
    expect(scene.alerts.map(({ title }) => title.split(' of pkg')[0])).toEqual([
      'New place of assembly',
      'New place of signing',
      'New builder',
      'New builder',
      'New builder',
    ]);
  });
});

describe('different-result', () => {
  const rule = { rule: 'different-result' };

  test('one source, one file, two digests', async () => {
    const scene = await RuleScene.open([rule]);
    await scene.log(provenance(), 'builder');
    await scene.log(provenance(), 'rebuilder');
    expect(scene.alerts).toEqual([]);
    const index = await scene.log(provenance({ subjects: [otherFile] }), 'second');
    await scene.log(provenance({ subjects: [otherFile] }), 'builder');
    expect(scene.alerts.map((alert) => alert.index)).toEqual([index]);
    expect(scene.alerts[0]?.detail).toContain(hex(file));
    expect(scene.alerts[0]?.detail).toContain(hex(otherFile));
  });

  test('not two files of one source, nor one file of two sources', async () => {
    const scene = await RuleScene.open([rule]);
    await scene.log(provenance({ subjects: [{ ...file, name: 'amd64' }] }), 'builder');
    await scene.log(provenance({ subjects: [{ ...otherFile, name: 'arm64' }] }), 'builder');
    const next = source.replace('@a', '@b');
    await scene.log(
      provenance({ subjects: [{ ...otherFile, name: 'amd64' }], source: next }),
      'builder',
    );
    expect(scene.alerts).toEqual([]);
  });

  test('secret source, by its commitment', async () => {
    const scene = await RuleScene.open([rule]);
    const secret = { source: undefined, commitment: new Uint8Array(32).fill(7) };
    await scene.log(provenance(secret), 'builder');
    await scene.log(provenance({ ...secret, subjects: [otherFile] }), 'builder');
    expect(scene.alerts).toHaveLength(1);
  });

  test('a rebuild that says itself that it came out different', async () => {
    const scene = await RuleScene.open([rule]);
    const rebuilt = { subjects: [subject('another name')], claims: file.sha256 };
    await scene.log(provenance(rebuilt), 'rebuilder');
    await scene.log(provenance(rebuilt), 'second');
    expect(scene.alerts.map(({ title }) => title)).toEqual([
      `A rebuild of ${purl} came out different`,
    ]);
  });
});

describe('unconfirmed', () => {
  const rule = {
    rule: 'unconfirmed',
    after: '24h',
    rebuilds: { threshold: 2, keys: ['rebuilder', 'second'] },
    approvals: { threshold: 1, keys: ['supervisor'] },
  };

  test('a release that nobody confirmed, once, after its time', async () => {
    const scene = await RuleScene.open([rule]);
    await scene.log(release());
    scene.now += 24 * HOUR - 1;
    await scene.tick();
    expect(scene.alerts).toEqual([]);
    scene.now += 1;
    await scene.tick();
    await scene.tick();
    await scene.log(provenance(), 'rebuilder');
    await scene.tick();
    expect(scene.alerts.map(({ index, title }) => [index, title])).toEqual([
      [1, `${purl} was not confirmed in time: 0 of 2 rebuilds; 0 of 1 approvals`],
    ]);
  });

  test('not one that was, by distinct keys of the rule, even before it', async () => {
    const scene = await RuleScene.open([rule]);
    await scene.log(summary('PASSED'), 'supervisor');
    await scene.log(release());
    await scene.log(provenance(), 'rebuilder');
    await scene.log(provenance({ claims: file.sha256 }), 'second');
    scene.now += 25 * HOUR;
    await scene.tick();
    expect(scene.alerts).toEqual([]);
  });

  test('the same key twice, a stranger, a rebuild that came out different, and a revoked approval count for nothing', async () => {
    const scene = await RuleScene.open([rule]);
    await scene.log(release());
    await scene.log(provenance(), 'rebuilder');
    await scene.log(provenance({ builderId: 'https://again.example' }), 'rebuilder');
    await scene.log(provenance(), 'stranger');
    await scene.log(provenance({ claims: otherFile.sha256 }), 'second');
    await scene.log(summary('PASSED'), 'supervisor');
    await scene.log(summary('FAILED'), 'supervisor');
    scene.now += 25 * HOUR;
    await scene.tick();
    expect(scene.alerts[0]?.title).toContain('1 of 2 rebuilds; 0 of 1 approvals');
  });

  test('each file of a release must be confirmed', async () => {
    const scene = await RuleScene.open([{ ...rule, rebuilds: undefined }]);
    await scene.log(release(purl, [file, otherFile]));
    await scene.log(summary('PASSED'), 'supervisor');
    scene.now += 25 * HOUR;
    await scene.tick();
    expect(scene.alerts).toHaveLength(1);
  });

  test('many releases, each at its own time', async () => {
    const scene = await RuleScene.open([{ ...rule, purls: ['pkg:generic/acme/*'] }]);
    for (let i = 0; i < 5; i++) {
      await scene.log(release(`pkg:generic/acme/scanner@${i}`, [subject(`build ${i}`)]));
      await scene.log(release(`pkg:generic/other/thing@${i}`, [subject(`other ${i}`)]));
      scene.now += HOUR;
    }
    const seen: number[] = [];
    for (let hour = 0; hour < 26; hour++) {
      await scene.tick();
      seen.push(scene.alerts.length);
      scene.now += HOUR;
    }
    expect(seen.slice(18)).toEqual([0, 1, 2, 3, 4, 5, 5, 5]);
  });
});

describe('rejection and withdrawal', () => {
  const rules = [{ rule: 'rejection' }, { rule: 'withdrawal', purls: ['pkg:generic/acme/*'] }];

  test('by a statement', async () => {
    const scene = await RuleScene.open(rules);
    await scene.log(summary('PASSED'), 'supervisor');
    await scene.log(summary('FAILED'), 'supervisor');
    await scene.log(withdrawal());
    await scene.log(withdrawal(otherPurl), 'stranger');
    expect(scene.alerts.map(({ rule, index }) => [rule, index])).toEqual([
      ['rejection', 2],
      ['withdrawal', 3],
    ]);
    expect(scene.alerts[0]?.detail).toContain('malware');
    expect(scene.alerts[1]?.detail).toContain('CVE-2026-1');
  });

  test('in a channel, once, although each statement repeats it', async () => {
    const scene = await RuleScene.open(rules);
    const rejected = { kind: 'approvals', channel: 'acme/bsi', withdrawn: [listed] } as const;
    await scene.log(channel({ withdrawn: [listed] }));
    await scene.log(channel({ withdrawn: [listed], sequence: 2 }));
    await scene.log(channel(rejected), 'supervisor');
    await scene.log(channel({ ...rejected, sequence: 2 }), 'supervisor');
    expect(scene.alerts.map(({ rule, index }) => [rule, index])).toEqual([
      ['withdrawal', 1],
      ['rejection', 3],
    ]);
  });

  test('a file that the channel names without its product is told rather than kept', async () => {
    const scene = await RuleScene.open(rules);
    await scene.log(channel({ withdrawn: [{ ...listed, purl: undefined }] }));
    await scene.log(
      channel({ sequence: 2, withdrawn: [{ ...listed, purl: otherPurl, sha256: hex(otherFile) }] }),
    );
    expect(scene.alerts.map(({ index }) => index)).toEqual([1]);
  });
});

describe('channel', () => {
  const rule = { rule: 'channel', channels: ['acme/stable'], maxAge: '2h' };

  test('went back: in its place, in time, in what it lists', async () => {
    const scene = await RuleScene.open([rule]);
    await scene.log(channel({ sequence: 5, withdrawn: [listed] }));
    await scene.log(channel({ sequence: 6, issued: START + 60, withdrawn: [listed] }));
    expect(scene.alerts).toEqual([]);
    await scene.log(channel({ sequence: 6, issued: START + 60, withdrawn: [listed] }));
    await scene.log(channel({ sequence: 7, issued: START, withdrawn: [listed] }));
    await scene.log(channel({ sequence: 8, issued: START + 90 }));
    expect(scene.alerts.map(({ title }) => title)).toEqual([
      'The channel acme/stable went back: statement 6 comes after statement 6',
      expect.stringContaining('issued 2026-'),
      `The channel acme/stable went back: ${hex(file)} is no longer listed as withdrawn`,
    ]);
  });

  test('too old, then expired, once for each statement', async () => {
    const scene = await RuleScene.open([rule]);
    await scene.tick();
    await scene.log(channel());
    await scene.log(channel({ channel: 'acme/other', expires: START + 1 }));
    scene.now += 2 * HOUR;
    await scene.tick();
    expect(scene.alerts).toEqual([]);
    for (const hours of [1, 1, 30, 1]) {
      scene.now += hours * HOUR;
      await scene.tick();
    }
    expect(scene.alerts.map(({ title }) => title.slice(0, 32))).toEqual([
      'The channel acme/stable is older',
      'The channel acme/stable expired ',
    ]);
    await scene.log(channel({ sequence: 2, issued: scene.now, expires: scene.now + HOUR }));
    await scene.tick();
    expect(scene.alerts).toHaveLength(2);
  });
});

/** A log that two witnesses cosign, and cosignatures of theirs at a time. */
async function witnessed(...rules: object[]): Promise<{
  scene: RuleScene;
  cosigned: (at: number, ...names: string[]) => Parameters<RuleScene['head']>[0]['cosignatures'];
}> {
  const names = ['w1', 'w2'];
  const keys = await Promise.all(
    names.map(async (name) => (await newNoteSigner(`${name}.example`, 0x04)).key),
  );
  const trust = [
    `log ${logKey}`,
    ...names.map((name, i) => `witness ${name} ${formatVkey(keys[i]!)}`),
    'quorum none',
  ];
  const scene = await RuleScene.open(rules, { trust });
  return {
    scene,
    cosigned: (timestamp, ...by) =>
      by.map((name) => ({ name, key: keys[names.indexOf(name)]!, timestamp })),
  };
}

describe('heads', () => {
  test('stale-checkpoint: neither larger nor cosigned later, once each time', async () => {
    const { scene, cosigned } = await witnessed({ rule: 'stale-checkpoint', after: '30m' });
    await scene.head({ size: 10, cosignatures: cosigned(START, 'w1') });
    // An idle log, which its witnesses cosign again.
    for (let i = 1; i <= 6; i++) {
      scene.now += 600;
      await scene.head({ size: 10, cosignatures: cosigned(scene.now, 'w1') });
      await scene.tick();
    }
    expect(scene.alerts).toEqual([]);
    const last = scene.now;
    for (let i = 1; i <= 8; i++) {
      scene.now += 600;
      await scene.head({ size: 10, cosignatures: cosigned(last, 'w1') });
      await scene.tick();
    }
    expect(scene.alerts.map(({ at }) => at)).toEqual([last + 2400]);
    await scene.head({ size: 11, cosignatures: [] });
    scene.now += 1801;
    await scene.tick();
    expect(scene.alerts).toHaveLength(2);
  });

  test('stale-checkpoint: a log that was never there, and a witness a year ahead', async () => {
    const { scene, cosigned } = await witnessed({ rule: 'stale-checkpoint', after: '30m' });
    await scene.tick();
    scene.now += 1801;
    await scene.tick();
    expect(scene.alerts).toHaveLength(1);
    await scene.head({ size: 10, cosignatures: cosigned(scene.now + 31_536_000, 'w1') });
    scene.now += 1200;
    await scene.head({ size: 10, cosignatures: cosigned(scene.now, 'w2') });
    scene.now += 1200;
    await scene.tick();
    expect(scene.alerts).toHaveLength(1);
  });

  test('missing-cosigner: who was silent for so long, although heads came', async () => {
    const rule = { rule: 'missing-cosigner', witnesses: ['w1', 'w2'], after: '1h' };
    const { scene, cosigned } = await witnessed(rule);
    for (let i = 0; i <= 6; i++) {
      await scene.head({ size: 10 + i, cosignatures: cosigned(scene.now, 'w1') });
      scene.now += 600;
    }
    expect(scene.alerts).toEqual([]);
    await scene.head({ size: 30, cosignatures: cosigned(scene.now, 'w1') });
    await scene.head({ size: 31, cosignatures: cosigned(scene.now, 'w1') });
    expect(scene.alerts.map(({ title }) => title)).toEqual([
      `The witness w2 has not cosigned ${origin} for 1h`,
    ]);
    // It comes back, and is silent again: another alert. A log that is away is none.
    await scene.head({ size: 32, cosignatures: cosigned(scene.now, 'w1', 'w2') });
    scene.now += 2 * HOUR;
    await scene.tick();
    expect(scene.alerts).toHaveLength(1);
    await scene.head({ size: 33, cosignatures: cosigned(scene.now, 'w1') });
    expect(scene.alerts).toHaveLength(2);
  });
});

describe('a clock of ours that was a year ahead for a while', () => {
  const YEAR = 365 * 24 * HOUR;

  test('delays a release that is not confirmed by its time once more, not by a year', async () => {
    const scene = await RuleScene.open([
      { rule: 'unconfirmed', after: '24h', approvals: { threshold: 1, keys: ['supervisor'] } },
    ]);
    scene.now += YEAR;
    await scene.log(release());
    scene.now -= YEAR;
    await scene.tick();
    await scene.log(release(purl, [otherFile]));
    scene.now += 24 * HOUR;
    await scene.tick();
    expect(scene.alerts.map(({ index }) => index)).toEqual([1, 2]);
  });

  test('does not keep a log that stands still from being noticed', async () => {
    const scene = await RuleScene.open([{ rule: 'stale-checkpoint', after: '30m' }]);
    scene.now += YEAR;
    await scene.head({ size: 10, cosignatures: [] });
    scene.now -= YEAR;
    for (let i = 0; i < 2; i++) {
      await scene.tick();
      scene.now += 1801;
    }
    await scene.tick();
    expect(scene.alerts).toHaveLength(1);
  });

  test('does not keep a witness from being missed', async () => {
    const rule = { rule: 'missing-cosigner', witnesses: ['w1'], after: '1h' };
    const { scene, cosigned } = await witnessed(rule);
    scene.now += YEAR;
    await scene.head({ size: 10, cosignatures: cosigned(scene.now, 'w1') });
    scene.now -= YEAR;
    await scene.head({ size: 11, cosignatures: [] });
    scene.now += HOUR + 1;
    await scene.head({ size: 12, cosignatures: [] });
    expect(scene.alerts).toHaveLength(1);
  });
});

describe('all rules', () => {
  test('entries below quietBelow are remembered, but raise nothing', async () => {
    const rules = [
      { rule: 'withdrawal' },
      { rule: 'new-builder' },
      { rule: 'unconfirmed', after: '1h', approvals: { threshold: 1, keys: ['supervisor'] } },
    ];
    const scene = await RuleScene.open(rules, { quietBelow: 4 });
    await scene.log(provenance(), 'builder');
    await scene.log(channel({ withdrawn: [listed] }));
    await scene.log(release());
    scene.now += 2 * HOUR;
    await scene.tick();
    await scene.log(provenance(), 'builder');
    await scene.log(channel({ withdrawn: [listed], sequence: 2 }));
    expect(scene.alerts).toEqual([]);
    await scene.log(withdrawal());
    expect(scene.alerts).toHaveLength(1);
  });

  test('an entry that the log should not have taken is no statement to any rule', async () => {
    const scene = await RuleScene.open([{ rule: 'withdrawal' }, { rule: 'new-issuer' }]);
    const problem = new DaybookError('signature-invalid', 'it does not verify');
    await scene.see({ origin, index: leafIndex(1), entry: new Uint8Array(1), problem });
    expect(scene.alerts).toEqual([]);
  });

  test('rules of one kind under two names keep apart what they remember', async () => {
    const one = { rule: 'withdrawal', name: 'ours', purls: ['pkg:generic/acme/*'] };
    const two = { rule: 'withdrawal', name: 'all', severity: 'critical' };
    const scene = await RuleScene.open([one, two]);
    await scene.log(channel({ withdrawn: [listed] }));
    expect(scene.alerts.map(({ rule, severity }) => [rule, severity])).toEqual([
      ['ours', 'notice'],
      ['all', 'critical'],
    ]);
    expect(new Set(scene.alerts.map(({ id }) => id)).size).toBe(2);
  });
});
