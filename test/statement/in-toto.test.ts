import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { formatStatement, parseStatement, type Statement } from '../../src/statement/in-toto.ts';
import { provenanceStatement, readProvenance } from '../../src/statement/provenance.ts';
import { readRelease, releaseStatement } from '../../src/statement/release.ts';
import { subject } from './parties.ts';

const sha256 = 'ab'.repeat(32);
const good = {
  _type: 'https://in-toto.io/Statement/v1',
  subject: [{ name: 'a', digest: { sha256 } }],
  predicateType: 'https://example.com/p',
  predicate: {},
};
const parse = (json: unknown): Statement => parseStatement(utf8(JSON.stringify(json)));
const badStatement = (message: RegExp) =>
  expect.objectContaining({
    code: 'bad-statement',
    message: expect.stringMatching(message) as string,
  }) as Error;

describe('a statement', () => {
  const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  const statement: fc.Arbitrary<Statement> = fc.record({
    subject: fc.array(
      fc.record(
        { name: text, uri: text, sha256: fc.uint8Array({ minLength: 32, maxLength: 32 }) },
        { requiredKeys: ['sha256'] },
      ),
      { minLength: 1, maxLength: 5 },
    ),
    predicateType: text,
    predicate: fc.dictionary(text, fc.oneof(text, fc.integer(), fc.constant(null))),
  });

  it('is read back as it was written, its subjects in fixed order', () => {
    fc.assert(
      fc.property(statement, (given) => {
        const bytes = formatStatement(given);
        const read = parseStatement(bytes);
        expect({ ...read, subject: new Set(read.subject) }).toEqual({
          ...given,
          subject: new Set(given.subject),
        });
        expect(formatStatement(read)).toEqual(bytes);
        expect(formatStatement({ ...given, subject: given.subject.toReversed() })).toEqual(bytes);
      }),
    );
  });

  it('of version 0.1 is read alike; unknown members and other digests are ignored', () => {
    const odd = {
      ...good,
      _type: 'https://in-toto.io/Statement/v0.1',
      subject: [{ name: '', uri: null, digest: { sha512: 'x', sha256 }, annotations: { a: [1] } }],
      predicate: null,
      more: { '__proto__ ': 1 },
    };
    expect(parse(odd)).toEqual({
      subject: [{ sha256: new Uint8Array(32).fill(0xab) }],
      predicateType: 'https://example.com/p',
      predicate: {},
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['no object', 'x', /statement is of type string/],
    ['another type', { ...good, _type: 'https://in-toto.io/Statement/v2' }, /_type is .*v2.*v1/],
    ['no subject', { ...good, subject: undefined }, /subject is missing/],
    ['an empty subject', { ...good, subject: [] }, /at least one artifact/],
    [
      '513 subjects',
      { ...good, subject: Array(513).fill(good.subject[0]) },
      /513 elements, at most 512/,
    ],
    [
      'a subject without digest',
      { ...good, subject: [{ name: 'a' }] },
      /subject\[0\]\.digest is missing/,
    ],
    [
      'a subject without sha256',
      { ...good, subject: [good.subject[0], { digest: { sha512: 'x' } }] },
      /subject\[1\].*sha256/,
    ],
    [
      'upper case hex',
      { ...good, subject: [{ digest: { sha256: 'AB'.repeat(32) } }] },
      /64 lowercase hex/,
    ],
    ['a short digest', { ...good, subject: [{ digest: { sha256: 'ab' } }] }, /64 lowercase hex/],
    [
      'a name that is no text',
      { ...good, subject: [{ name: 1, digest: { sha256 } }] },
      /subject\[0\]\.name is 1/,
    ],
    ['no predicate type', { ...good, predicateType: undefined }, /predicateType is missing/],
    ['a predicate that is an array', { ...good, predicate: [] }, /predicate is an array/],
    [
      '33 levels',
      { ...good, predicate: JSON.parse(`${'{"a":'.repeat(32)}1${'}'.repeat(32)}`) as unknown },
      /nested more than 32/,
    ],
  ])('with %s is refused', (_, json, message) => {
    expect(() => parse(json)).toThrow(badStatement(message));
  });
});

describe('a release statement', () => {
  const purl = 'pkg:generic/acme/scanner@1.2.3';
  const source = `git+https://git.acme.example/scanner@${'0123456789'.repeat(4)}`;
  const release = {
    purl,
    releaseId: '7',
    subjects: [subject('b.tgz'), subject('a.tgz')],
    kind: 'av-update',
    source,
    builder: 'https://ci.acme.example/b',
  } as const;

  it('has fixed bytes', () => {
    const bytes = releaseStatement(release);
    expect(decodeUtf8(bytes)).toBe(
      '{"_type":"https://in-toto.io/Statement/v1","subject":[' +
        '{"name":"a.tgz","digest":{"sha256":"dc45e5a661fe96108c8215afe4ad577ced4a36253ed6d713a824889c143efc53"}},' +
        '{"name":"b.tgz","digest":{"sha256":"f5829ec690168a1a69a537119d39ce9fdd1dc6d84f01cf98715f27a8513ba6b7"}}],' +
        '"predicateType":"https://in-toto.io/attestation/release/v0.1","predicate":{"purl":"pkg:generic/acme/scanner@1.2.3",' +
        `"releaseId":"7","daybook":{"kind":"av-update","source":"${source}","builder":"https://ci.acme.example/b"}}}`,
    );
    const { builder, source: from, kind, releaseId, subjects, purl: product } = release;
    expect(
      releaseStatement({ builder, source: from, kind, releaseId, subjects, purl: product }),
    ).toEqual(bytes);
  });

  it('is read back, and without what it need not say', () => {
    const read = readRelease(parseStatement(releaseStatement(release)));
    expect(read).toMatchObject({
      releaseId: '7',
      kind: 'av-update',
      source,
      builder: release.builder,
    });
    expect(read.purl.version).toBe('1.2.3');
    const bare = releaseStatement({ purl, subjects: release.subjects });
    expect(decodeUtf8(bare)).toMatch(/"predicate":{"purl":"pkg:generic\/acme\/scanner@1.2.3"}}$/);
    expect(readRelease(parseStatement(bare)).kind).toBeUndefined();
  });

  it.each<[string, object, RegExp]>([
    ['no version', { purl: 'pkg:generic/acme/scanner' }, /has no version/],
    ['no purl', { purl: 'scanner 1.2.3' }, /not a usable purl/],
    ['an unknown kind', { kind: 'nightly' }, /kind is "nightly", want one of build, av-update/],
    [
      'a source without commit',
      { source: 'git+https://git.acme.example/scanner' },
      /full commit hash/,
    ],
    [
      'a source with a branch',
      { source: 'git+https://git.acme.example/scanner@main' },
      /full commit hash/,
    ],
    ['a builder that is no URI', { builder: 'our ci' }, /builder "our ci" is not a URI/],
  ])('with %s is neither made nor read', (_, wrong, message) => {
    expect(() => releaseStatement({ ...release, ...wrong })).toThrow(badStatement(message));
    const { purl: product, ...extension } = { purl, ...wrong } as Record<string, string>;
    const statement = { ...good, predicate: { purl: product as string, daybook: extension } };
    expect(() => readRelease(parse(statement))).toThrow(badStatement(message));
  });
});

describe('a provenance statement', () => {
  const commit = '7fd1a60b01f91b314f59955a4e4d4e80d8edf11d';
  const provenance = {
    subjects: [{ ...subject('scanner'), uri: 'pkg:generic/acme/scanner@1.2.3' }],
    buildType: 'https://ci.acme.example/make',
    builderId: 'https://ci.acme.example/b',
    externalParameters: { ref: 'v1.2.3' },
    resolvedDependencies: [
      { uri: 'git+https://git.acme.example/scanner', digest: { gitCommit: commit } },
    ],
    invocationId: 'run-42',
  };

  it('is read back', () => {
    const read = readProvenance(parseStatement(provenanceStatement(provenance)));
    expect(read).toMatchObject({
      buildType: provenance.buildType,
      builderId: provenance.builderId,
      dependencies: ['git+https://git.acme.example/scanner'],
    });
    expect(read.purls.map(({ text }) => text)).toEqual(['pkg:generic/acme/scanner@1.2.3']);
  });

  it.each<[string, object, RegExp]>([
    ['no build definition', { runDetails: {} }, /buildDefinition is missing/],
    ['no builder', { buildDefinition: { buildType: 'x' }, runDetails: {} }, /builder is missing/],
    [
      'no builder id',
      { buildDefinition: { buildType: 'x' }, runDetails: { builder: {} } },
      /builder.id is missing/,
    ],
    [
      'a broken purl as a name',
      { buildDefinition: { buildType: 'x' }, runDetails: { builder: { id: 'x' } } },
      /not a usable purl/,
    ],
  ])('with %s is refused', (_, predicate, message) => {
    const named = [{ name: 'pkg:generic/a/../b@1', digest: { sha256 } }];
    expect(() => readProvenance(parse({ ...good, subject: named, predicate }))).toThrow(
      badStatement(message),
    );
  });
});
