import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPolicy } from '../../src/verify/check-policy.ts';
import { describePolicy } from '../../src/verify/describe-policy.ts';
import { reachesQuorum } from '../../src/verify/policy.ts';
import { quorumOperators } from '../../src/verify/quorum-operators.ts';
import { parseReleasePolicy } from '../../src/verify/release-policy.ts';
import {
  bytesOf,
  keyOf,
  logLine,
  policyWith,
  product,
  productWith,
  signers,
  sound,
  witnessLine,
  type Json,
  type Name,
} from './policy-drafts.ts';

const found = (bytes: Uint8Array): string[] =>
  checkPolicy(parseReleasePolicy(bytes)).map(({ severity, code }) => `${severity} ${code}`);

/** The sound policy with other witnesses: names and key names, groups, and their organisations. */
async function quorumOf(
  witnesses: readonly (readonly [name: string, keyName: string, mlDsa?: 'ml-dsa'])[],
  rest: readonly string[],
  organisations: Json = {},
): Promise<Uint8Array> {
  const lines = witnesses.map(([name, keyName, type]) =>
    witnessLine(name, keyName, type !== undefined),
  );
  return policyWith({
    trust: [logLine, ...(await Promise.all(lines)), ...rest],
    organisations: { log: 'Acme', registrar: 'Cyberlab', witnesses: organisations },
  });
}

function keysWith(changes: Partial<Record<Name, Json>>): Json {
  const changed = Object.entries(changes).map(([name, more]) => [
    name,
    keyOf(signers[name as Name], more),
  ]);
  return { ...(sound.keys as Json), ...(Object.fromEntries(changed) as Json) };
}

describe('checkPolicy', () => {
  it('finds nothing in a sound policy', () => {
    expect(checkPolicy(parseReleasePolicy(bytesOf(sound)))).toEqual([]);
  });

  const w = [
    ['a', 'a.example'],
    ['b', 'b.example'],
    ['c', 'c.example'],
  ] as const;
  const twoKeys = [...w.slice(0, 2), ['a2', 'a.example', 'ml-dsa']] as const;
  it.each<[string, Promise<Uint8Array>, string[]]>([
    ['2 of 3 operators', quorumOf(w, ['group g 2 a b c', 'quorum g']), []],
    [
      'both keys of one witness in a threshold of two',
      quorumOf(twoKeys, ['group g 2 a b a2', 'quorum g']),
      ['error operator-twice', 'warning quorum-one-operator'],
    ],
    [
      'both keys of one witness in an any group',
      quorumOf(twoKeys, ['group both any a a2', 'group g all both b', 'quorum g']),
      [],
    ],
    [
      'both keys of one witness, both wanted, as one operator of two',
      quorumOf(twoKeys, ['group both all a a2', 'group g all both b', 'quorum g']),
      [],
    ],
    [
      'all of three, two of them one operator',
      quorumOf(twoKeys, ['group g all a a2 b', 'quorum g']),
      ['error operator-twice'],
    ],
    [
      'any of them, which one operator meets alone',
      quorumOf(twoKeys, ['group g any a a2 b', 'quorum g']),
      ['warning quorum-one-operator'],
    ],
    [
      'two witnesses of one organisation',
      quorumOf(w, ['group g 2 a b c', 'quorum g'], { a: 'Uni', b: 'uni ' }),
      ['error operator-twice', 'warning quorum-one-operator'],
    ],
    [
      'two witnesses of one host',
      quorumOf(
        [['x', 'w.example/1'], ['y', 'w.example/2'], w[0]],
        ['group g all x y a', 'quorum g'],
      ),
      ['error operator-twice'],
    ],
    [
      'two organisations on one host',
      quorumOf(
        [
          ['x', 'w.example/1'],
          ['y', 'w.example/2'],
        ],
        ['group g all x y', 'quorum g'],
        {
          x: 'North',
          y: 'South',
        },
      ),
      [],
    ],
    [
      'an operator that has a part in two groups',
      quorumOf(
        [...w, ['a2', 'a.example/2']],
        ['group g 2 a b', 'group h 2 a2 c', 'group q all g h', 'quorum q'],
      ),
      ['warning operator-shared'],
    ],
    [
      'one witness, which is another organisation’s',
      quorumOf(w, ['quorum a']),
      ['warning quorum-one-operator', 'warning witness-unused', 'warning witness-unused'],
    ],
    [
      'a witness of the log’s organisation',
      quorumOf(w, ['group g 2 a b c', 'quorum g'], { c: 'ACME' }),
      ['warning same-organisation'],
    ],
    [
      'a name that is no witness',
      quorumOf(w, ['group g 2 a b c', 'quorum g'], { d: 'Uni' }),
      ['error unknown-witness'],
    ],
  ])('quorum: %s', async (_, bytes, expected) => {
    expect(found(await bytes)).toEqual(expected);
  });

  it('says who counts twice, through which lines, and how to mend it', async () => {
    const bytes = await quorumOf(twoKeys, ['group g 2 a b a2', 'quorum g'], { a: 'Uni Zurich' });
    expect(checkPolicy(parseReleasePolicy(bytes))[0]?.message).toBe(
      'Uni Zurich counts 2 times towards 2 of g, as a and a2: put its keys into one group "any", and that into g',
    );
  });

  const organisations = sound.organisations as Json;
  const channel = (members: Json): Json => ({
    channels: [{ ...(product.channels as Json[])[0], ...members }],
  });
  it.each<[string, Uint8Array, string[]]>([
    [
      'quorum none',
      policyWith({
        trust: [logLine, 'quorum none'],
        organisations: { log: 'Acme', registrar: 'Cyberlab' },
        products: [{ ...product, checkpointMaxAge: undefined }],
      }),
      ['warning quorum-none'],
    ],
    [
      'times that nobody tells',
      policyWith({
        trust: [logLine, 'quorum none'],
        organisations: { log: 'Acme', registrar: 'Cyberlab' },
      }),
      ['error no-time', 'warning quorum-none'],
    ],
    [
      'a rebuilder with the issuer’s key',
      productWith({ rebuilds: { threshold: 1, keys: ['release'] } }),
      ['error own-key', 'warning same-organisation', 'warning key-unused', 'warning key-unused'],
    ],
    [
      'a supervisor with the builder’s key',
      productWith({ approvals: { threshold: 1, keys: ['ci'] } }),
      ['error own-key', 'warning key-unused'],
    ],
    [
      'a supervisor of the vendor',
      policyWith({ keys: keysWith({ bsi: { organisation: 'acme' } }) }),
      ['warning own-organisation'],
    ],
    [
      'rebuilders of one organisation',
      policyWith({ keys: keysWith({ uni: { organisation: 'Debian' } }) }),
      ['error threshold-unreachable', 'warning organisation-twice'],
    ],
    [
      'rebuilders of one organisation, spelled in two ways',
      policyWith({ keys: keysWith({ uni: { organisation: 'debian' } }) }),
      ['error threshold-unreachable', 'error operator-twice'],
    ],
    [
      'a rebuilder of nobody',
      policyWith({ keys: keysWith({ uni: {} }) }),
      ['warning organisation-unknown'],
    ],
    [
      'a registrar that rebuilds',
      policyWith({ organisations: { ...organisations, registrar: 'Debian' } }),
      ['warning same-organisation'],
    ],
    [
      'a log by nobody',
      policyWith({ organisations: { ...organisations, log: undefined } }),
      ['warning organisation-unknown'],
    ],
    [
      'no root',
      policyWith({ root: undefined }),
      ['warning no-root', 'warning key-unused', 'warning key-unused', 'warning key-unused'],
    ],
    [
      'one root key for all',
      policyWith({ root: { threshold: 1, keys: ['alice', 'bob', 'eve'] } }),
      ['warning root-single'],
    ],
    [
      'no root key to spare',
      policyWith({ root: { threshold: 3, keys: ['alice', 'bob', 'eve'] } }),
      ['warning root-no-spare'],
    ],
    [
      'a root key that was revoked as if it signed entries',
      policyWith({ keys: keysWith({ eve: { until: 9 } }) }),
      ['error root-until'],
    ],
    [
      'a root key in a pipeline',
      productWith({ issuers: ['release', 'eve'] }),
      ['warning root-in-use'],
    ],
    [
      'no channel',
      productWith({ channels: [] }),
      ['warning no-channel', 'warning floor-unused', 'warning key-unused'],
    ],
    [
      'no freshness',
      productWith({ channels: [], checkpointMaxAge: undefined }),
      ['warning no-channel', 'warning no-freshness', 'warning floor-unused', 'warning key-unused'],
    ],
    [
      'a channel by the release key',
      productWith(channel({ keys: ['channel', 'release'] })),
      ['warning channel-key-shared'],
    ],
    [
      'a channel that may be old',
      productWith(channel({ maxAge: '8d', grace: undefined })),
      ['warning long-age'],
    ],
    ['a long grace', productWith(channel({ grace: '30d' })), ['warning long-age']],
    [
      'nobody but the vendor',
      productWith({ rebuilds: undefined, approvals: undefined }),
      ['warning vendor-only', 'warning key-unused', 'warning key-unused', 'warning key-unused'],
    ],
    ['downgrade allowed', productWith({ downgrade: 'allow' }), ['warning downgrade-allowed']],
    ['override allowed', productWith({ override: true }), ['warning override-allowed']],
    ['no floors', policyWith({ floors: {} }), ['warning no-floor']],
    [
      'a floor of another channel',
      policyWith({ floors: { treeSize: 9, channels: { 'acme/stable': 1, 'acme/beta': 1 } } }),
      ['warning floor-unused'],
    ],
    [
      'an issuer that was revoked',
      policyWith({ keys: keysWith({ release: { until: 7, organisation: 'Acme' } }) }),
      ['warning keys-revoked'],
    ],
    [
      'a product that comes too late',
      policyWith({ products: [product, { ...product, purl: 'pkg:generic/acme/scanner' }] }),
      ['error unreachable'],
    ],
    [
      'a narrower product first',
      policyWith({ products: [{ ...product, purl: 'pkg:generic/acme/scanner' }, product] }),
      [],
    ],
  ])('finds %s', (_, bytes, expected) => {
    expect(found(bytes)).toEqual(expected);
  });
});

describe('quorumOperators', () => {
  it('finds who reaches a quorum alone, as a check of cosignatures would', async () => {
    const lines = await Promise.all(
      [...Array(6).keys()].map((i) => witnessLine(`w${i}`, `host${i}.example`)),
    );
    const groups = fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { minLength: 1, maxLength: 4 });
    const owners = fc.array(fc.constantFrom('A', 'B', 'C'), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(groups, owners, (cuts, owner) => {
        // Each group takes some of what is left, so that every member has one group.
        let left = owner.map((_, i) => `w${i}`);
        const trust = cuts.map(([size, threshold], i) => {
          const members = left.splice(0, size + 1);
          left = [...left, `g${i}`];
          return `group g${i} ${(threshold % members.length) + 1} ${members.join(' ')}`;
        });
        const witnesses = Object.fromEntries(owner.map((name, i) => [`w${i}`, name]));
        const policy = parseReleasePolicy(
          policyWith({
            trust: [logLine, ...lines, ...trust, `quorum g${cuts.length - 1}`],
            organisations: { witnesses },
          }),
        );
        const { alone, operators, twice } = quorumOperators(policy);
        const naive = operators.filter((operator) => {
          const own = Object.keys(witnesses).filter((name) => witnesses[name] === operator);
          return reachesQuorum(policy.trust, new Set(own));
        });
        expect(alone).toEqual(naive);
        if (new Set(owner).size === 1) expect(twice).toEqual([]);
      }),
    );
  });
});

describe('describePolicy', () => {
  it('says all of it in sentences', () => {
    expect(describePolicy(parseReleasePolicy(bytesOf(sound)))).toEqual([
      'This is version 3 of the policy; the next one must be signed by at least 2 of alice, bob, eve, and by as many of its own root keys as it wants.',
      'Trees must be signed by the log log.acme.example, and cosigned by both (both is all of north, south).',
      'pkg:generic/acme/* must be released by release (Acme).',
      'pkg:generic/acme/* must have provenance signed by ci (Acme), for the builder https://ci.acme.example/release.',
      'pkg:generic/acme/* must be built from git+https://git.acme.example/scanner.',
      'pkg:generic/acme/* must be reproduced from the same source by all of debian (Debian), uni (Uni Zurich).',
      'pkg:generic/acme/* must be approved by bsi (BSI), and be rejected by none of them.',
      'pkg:generic/acme/* must be listed as current in a statement of the channel acme/stable, signed by channel (Acme), unexpired and at most 25h old (an AV update: at most 6d, with a warning from then on).',
      'pkg:generic/acme/* must come with a quorum of cosignatures that is at most 1d old.',
      'pkg:generic/acme/* is refused when an earlier release than the one accepted before.',
      'No tree with fewer than 1000 entries is accepted.',
      'No statement before number 12 of the channel acme/stable is accepted.',
    ]);
  });

  it('has words for every rule', () => {
    const digest = 'ab'.repeat(32);
    const sentences = describePolicy(
      parseReleasePolicy(
        policyWith({
          root: undefined,
          trust: [logLine, 'quorum none'],
          keys: keysWith({ release: { until: 7 } }),
          organisations: {},
          products: [
            {
              ...product,
              source: { commits: ['cd'.repeat(20)], commitments: [digest] },
              rebuilds: { threshold: 1, keys: ['debian', 'uni'], sourceChecked: true },
              reviews: { threshold: 1, keys: ['bsi'] },
              assembly: { sites: ['Zurich'], jurisdictions: ['CH', 'AT'] },
              signing: { jurisdictions: ['CH'] },
              publicFor: '30m',
              downgrade: 'allow',
              override: true,
            },
          ],
        }),
      ),
    ).join('\n');
    for (const words of [
      'cannot be updated by signature',
      'no witness needs to have seen them',
      'the key release signed counts only below entry 7',
      `from commit ${'cd'.repeat(20)}`,
      `the source commitment ${digest}`,
      'at least 1 of debian (Debian), uni (Uni Zurich), who say that they opened',
      'reviewed as a whole by bsi',
      'be assembled at Zurich in CH or AT',
      'be signed in CH',
      'public for at least 30m',
      'may be an earlier release',
      'with a reason that is recorded',
    ]) {
      expect(sentences).toContain(words);
    }
  });
});
