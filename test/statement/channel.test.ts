import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { decodeHex, encodeHex } from '../../src/encoding/hex.ts';
import { type LeafIndex, leafIndex } from '../../src/encoding/integer.ts';
import type { JsonValue } from '../../src/encoding/strict-json.ts';
import { DaybookError } from '../../src/errors.ts';
import {
  channelDigest,
  channelPurl,
  channelStatement,
  checkChannelLink,
  checkChannelName,
  readChannel,
} from '../../src/statement/channel.ts';
import { parseStatement, type Statement } from '../../src/statement/in-toto.ts';
import { matchesScope, purlScope } from '../../src/statement/purl.ts';

const [a, b, c] = ['a', 'b', 'c'].map((text) => hash('sha256', text)) as [string, string, string];
const purl = 'pkg:generic/acme/scanner@1.2.3';
const good = {
  origin: 'log.acme.example',
  channel: 'acme/stable',
  kind: 'releases' as const,
  sequence: 2,
  previous: leafIndex(17),
  issued: 1_795_514_400,
  expires: 1_795_604_400,
  current: [{ purl, sha256: [b, a] }],
  withdrawn: [{ sha256: c, purl: 'pkg:generic/acme/scanner@1.2.2', reason: 'CVE-2026-1' }],
};
const refusal = (message: RegExp, code = 'bad-statement') =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string }) as Error;
const read = (payload: Uint8Array) => readChannel(parseStatement(payload));
/** The good statement with some of its predicate's members put otherwise; undefined leaves one out. */
const edited = (members: Record<string, JsonValue | undefined>): Uint8Array => {
  const statement = JSON.parse(decodeUtf8(channelStatement(good))) as { predicate: object };
  return utf8(JSON.stringify({ ...statement, predicate: { ...statement.predicate, ...members } }));
};

describe('a channel name', () => {
  it.each(['acme/stable', 'acme/av/bases/eu-1', '0/1', 'a.b_c-d/e..f', `a/${'b'.repeat(126)}`])(
    '%s names a product that a scope can hold',
    (name) => {
      expect(checkChannelName(name)).toBe(name);
      const [last, ...before] = name.split('/').reverse();
      const scope = purlScope(`pkg:channel/${[...before.reverse(), '*'].join('/')}`);
      expect(matchesScope(scope, channelPurl(name))).toBe(true);
      expect(channelPurl(name).path.at(-1)).toBe(last);
      expect(encodeHex(channelDigest(name))).toBe(hash('sha256', name));
    },
  );

  it.each([
    '',
    'acme',
    'acme/',
    '/stable',
    'acme//stable',
    'Acme/stable',
    'acme/stable\n',
    'acme/../evil',
    'acme/.',
    'acme/-x',
    'acme/st able',
    'acme/stable@2',
    'acme/stable?x=y',
    'acme/st%61ble',
    'acmé/stable',
    'a/b/c/d/e',
    `a/${'b'.repeat(127)}`,
  ])('is not %j', (name) => {
    expect(() => checkChannelName(name)).toThrow(refusal(/no channel name.*acme\/stable/));
    expect(() => channelStatement({ ...good, channel: name })).toThrow(refusal(/no channel name/));
  });
});

describe('a channel statement', () => {
  it('is read back', () => {
    const state = read(channelStatement(good));
    const { current, withdrawn, ...facts } = good;
    expect(state).toMatchObject(facts);
    expect(state.current.map((listed) => listed.purl.text)).toEqual([purl]);
    expect(state.current[0]?.sha256.map(encodeHex).sort()).toEqual([...current[0]!.sha256].sort());
    expect(state.withdrawn).toMatchObject([
      { sha256: decodeHex(c), purl: { text: withdrawn[0]!.purl }, reason: 'CVE-2026-1' },
    ]);
  });

  it('of a new channel names none before it, and may list nothing', () => {
    const first = { ...good, sequence: 1, previous: undefined, current: [], withdrawn: [] };
    expect(read(channelStatement(first))).toMatchObject({
      sequence: 1,
      previous: undefined,
      current: [],
      withdrawn: [],
    });
  });

  it('is the same bytes in whatever order its lists come', () => {
    const digests = fc.uniqueArray(fc.nat(1_000_000), { minLength: 4, maxLength: 24 });
    fc.assert(
      fc.property(digests, fc.infiniteStream(fc.nat()), (numbers, keys) => {
        const shuffled = <T>(items: readonly T[]): T[] =>
          items
            .map((item) => ({ item, key: keys.next().value as number }))
            .sort((x, y) => x.key - y.key)
            .map(({ item }) => item);
        const hex = numbers.map((n) => hash('sha256', String(n)));
        const withdrawn = hex.slice(2).map((sha256) => ({ sha256, reason: 'old' }));
        const current = [
          { purl: 'pkg:generic/acme/b@1', sha256: hex.slice(0, 1) },
          { purl: 'pkg:generic/acme/a@1', sha256: hex.slice(1, 2) },
        ];
        const one = channelStatement({ ...good, current, withdrawn });
        const other = { current: shuffled(current), withdrawn: shuffled(withdrawn) };
        expect(channelStatement({ ...good, ...other })).toEqual(one);
        const listed = read(one).withdrawn.map(({ sha256 }) => encodeHex(sha256));
        expect(listed).toEqual(hex.slice(2).sort());
      }),
    );
  });

  it.each<[string, Record<string, JsonValue | undefined>, RegExp]>([
    ['another channel than its subject', { channel: 'acme/beta' }, /its one subject/],
    ['no channel', { channel: undefined }, /channel is missing/],
    ['no origin', { origin: undefined }, /origin is missing/],
    ['an unknown kind', { kind: 'nightly' }, /none of releases, approvals/],
    ['sequence 0', { sequence: 0 }, /sequence is 0/],
    ['a sequence that is no integer', { sequence: 1.5 }, /sequence is 1.5/],
    ['a sequence above what is safe', { sequence: 2 ** 53 }, /sequence/],
    ['no previous after the first', { previous: null }, /previous null/],
    ['previous left out', { previous: undefined }, /previous is missing/],
    ['a previous one before the first', { sequence: 1 }, /previous null/],
    ['a negative previous', { previous: -1 }, /previous is -1/],
    ['a time with a zone', { issued: '2026-11-24T10:00:00+01:00' }, /issued is/],
    ['no expiry', { expires: undefined }, /expires is missing/],
    ['an expiry when it was issued', { expires: '2026-11-24T10:00:00Z' }, /expires no later/],
    ['no current list', { current: undefined }, /current is missing/],
    ['no withdrawn list', { withdrawn: null }, /withdrawn is null/],
    ['a release without version', { current: [{ purl: 'pkg:a/b', sha256: [a] }] }, /no version/],
    ['a release without digest', { current: [{ purl, sha256: [] }] }, /names no digest/],
    ['a short digest', { current: [{ purl, sha256: ['00'] }] }, /1 bytes, want 32/],
    ['a digest in capitals', { current: [{ purl, sha256: [a.toUpperCase()] }] }, /lowercase hex/],
    ['a digest twice in a release', { current: [{ purl, sha256: [a, a] }] }, /twice/],
    [
      'a digest in two releases',
      {
        current: [
          { purl, sha256: [a] },
          { purl, sha256: [a] },
        ],
      },
      /lists .* twice/,
    ],
    ['what is current withdrawn', { withdrawn: [{ sha256: a, reason: 'x' }] }, /lists .* twice/],
    [
      'what is withdrawn withdrawn twice',
      {
        withdrawn: [
          { sha256: c, reason: 'x' },
          { sha256: c, reason: 'y' },
        ],
      },
      /lists .* twice/,
    ],
    ['a withdrawal without reason', { withdrawn: [{ sha256: c, reason: ' ' }] }, /no reason/],
    [
      'an endless reason',
      { withdrawn: [{ sha256: c, reason: 'x'.repeat(1025) }] },
      /1025 characters/,
    ],
    ['a broken purl', { withdrawn: [{ sha256: c, purl: 'x', reason: 'y' }] }, /not a usable purl/],
    ['an unknown member', { url: 'https://acme.example' }, /unknown member "url"/],
    [
      'an unknown member in a list',
      { current: [{ purl, sha256: [a], url: 'x' }] },
      /current\[0\] has the unknown member "url"/,
    ],
    ['text for a list', { current: 'all' }, /want an array/],
    ['text in a list', { withdrawn: [c] }, /withdrawn\[0\] is of type string/],
  ])('with %s is refused', (_, members, message) => {
    expect(() => read(edited(members))).toThrow(refusal(message));
  });

  it('names its channel as its only subject, by the digest of the name', () => {
    const statement: Statement = parseStatement(channelStatement(good));
    const named = statement.subject[0]!;
    const subject = (subjects: Statement['subject']) => () =>
      readChannel({ ...statement, subject: subjects });
    expect(encodeHex(named.sha256)).toBe(hash('sha256', 'acme/stable'));
    expect(subject([named, named])).toThrow(refusal(/its one subject/));
    expect(subject([{ sha256: named.sha256 }])).toThrow(refusal(/its one subject/));
    expect(subject([{ ...named, name: 'acme/beta' }])).toThrow(refusal(/its one subject/));
    expect(subject([{ ...named, sha256: decodeHex(a) }])).toThrow(refusal(/its one subject/));
  });

  it('is never made of what could not be read', () => {
    for (const wrong of [
      { expires: good.issued },
      { issued: good.issued + 0.5 },
      { sequence: 1 },
      { previous: undefined },
      { withdrawn: [{ sha256: a, reason: 'both' }] },
    ]) {
      expect(() => channelStatement({ ...good, ...wrong })).toThrow(DaybookError);
    }
  });
});

describe('the link of a channel', () => {
  const conflict = (message: RegExp) => refusal(message, 'channel-conflict');

  it('holds for a chain without gaps or forks, as a naive list of each channel says', () => {
    const attempt = fc.record({
      name: fc.constantFrom('acme/a', 'acme/b'),
      skip: fc.constantFrom(0, 0, 0, 0, -1, 1),
      stray: fc.constantFrom(0, 0, 0, 0, 1),
    });
    fc.assert(
      fc.property(fc.array(attempt, { maxLength: 40 }), (attempts) => {
        const chains = new Map<string, LeafIndex[]>();
        const indexOf = (name: string, sequence: number) => chains.get(name)?.[sequence - 1];
        attempts.forEach(({ name, skip, stray }, i) => {
          const chain = chains.get(name) ?? [];
          const sequence = Math.max(1, chain.length + 1 + skip);
          const before = chain[sequence - 2] ?? leafIndex(1_000_000);
          const previous = sequence === 1 ? undefined : leafIndex(before + stray);
          const fits =
            sequence === chain.length + 1 && (sequence === 1 || previous === chain.at(-1));
          const check = (): void => checkChannelLink({ name, sequence, previous }, indexOf);
          if (!fits) return expect(check).toThrow(conflict(/./));
          check();
          chains.set(name, [...chain, leafIndex(10 * (i + 1))]);
        });
      }),
    );
  });

  it('says what is there instead', () => {
    const indexOf = (_: string, sequence: number) =>
      sequence <= 2 ? leafIndex(sequence) : undefined;
    const check = (sequence: number, previous?: number) => () =>
      checkChannelLink(
        {
          name: 'acme/a',
          sequence,
          previous: previous === undefined ? undefined : leafIndex(previous),
        },
        indexOf,
      );
    expect(check(3, 2)).not.toThrow();
    expect(check(1)).toThrow(conflict(/sequence 1 already, entry 1: read the newest/));
    expect(check(2, 1)).toThrow(conflict(/sequence 2 already, entry 2/));
    expect(check(3, 1)).toThrow(conflict(/names entry 1 .*but that is entry 2 of sequence 2/));
    expect(check(4, 2)).toThrow(conflict(/the log has none of sequence 3/));
    expect(check(3)).toThrow(conflict(/that is entry 2/));
  });
});
