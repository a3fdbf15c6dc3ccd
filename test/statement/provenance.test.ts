import { describe, expect, it } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import type { JsonObject } from '../../src/encoding/strict-json.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import {
  provenancePredicateType,
  provenanceStatement,
  readProvenance,
} from '../../src/statement/provenance.ts';
import { subject } from './parties.ts';

const commit = '4a1c5d0f9d7d3b6a1b2c3d4e5f60718293a4b5c6';
const source = `git+https://git.acme.example/scanner@${commit}`;
const root = subject('tree').sha256;
const artifact = subject('scanner.tar.gz').sha256;
const good = {
  subjects: [subject('scanner.tar.gz')],
  buildType: 'https://ci.acme.example/make',
  builderId: 'https://ci.acme.example/b',
  externalParameters: {},
};
const predicateOf = (definition: JsonObject): JsonObject => ({
  buildDefinition: { buildType: 'x', ...definition },
  runDetails: { builder: { id: 'x' } },
});
const read = (predicate: JsonObject) =>
  readProvenance({
    subject: good.subjects,
    predicateType: provenancePredicateType,
    predicate,
  });

describe('provenance', () => {
  it('gives back source, commitment, places and what was compared', () => {
    const payload = provenanceStatement({
      ...good,
      source,
      commitment: root,
      assembly: { site: 'Zurich', jurisdiction: 'CH' },
      signing: { jurisdiction: 'DE' },
      sourceChecked: root,
      claims: artifact,
    });
    expect(readProvenance(parseStatement(payload))).toMatchObject({
      source,
      dependencies: [source],
      commitments: [root],
      assembly: { site: 'Zurich', jurisdiction: 'CH' },
      signing: { site: undefined, jurisdiction: 'DE' },
      sourceChecked: root,
      claims: artifact,
    });
    const { predicate } = parseStatement(payload);
    expect(predicate.buildDefinition).toMatchObject({
      resolvedDependencies: [
        { uri: source, digest: { gitCommit: commit } },
        { name: 'source-commitment', digest: { sha256: encodeHex(root) } },
      ],
    });
  });

  it('says nothing of them that it was not given', () => {
    const statement = parseStatement(provenanceStatement(good));
    expect(statement.predicate.buildDefinition).toEqual({
      buildType: good.buildType,
      externalParameters: {},
    });
    expect(readProvenance(statement)).toMatchObject({
      source: undefined,
      commitments: [],
      assembly: {},
      signing: {},
      sourceChecked: undefined,
      claims: undefined,
    });
  });

  it('by others is read with whatever parameters and dependencies they have', () => {
    const dependencies = [
      { name: 'base image', digest: { sha256: 'not ours to check' } },
      { uri: 'pkg:deb/debian/gcc@14' },
      { uri: 'git+https://github.com/a/b@refs/heads/main', digest: { sha1: 'x' } },
      { uri: source },
      { uri: null, annotations: { x: 1 } },
    ];
    const provenance = read(
      predicateOf({
        internalParameters: { github: { event_name: 'push' } },
        resolvedDependencies: dependencies,
      }),
    );
    expect(provenance).toMatchObject({
      source: 'git+https://github.com/a/b@refs/heads/main',
      commitments: [],
    });
    expect(read(predicateOf({ internalParameters: null })).assembly).toEqual({});
  });

  const extended = (daybook: JsonObject | string) => ({ internalParameters: { daybook } });
  it.each<[string, JsonObject, RegExp]>([
    ['text for our extension', extended('x'), /internalParameters.daybook is of type string/],
    ['text for a place', extended({ assembly: 'Zurich' }), /assembly is of type string/],
    ['a number for a site', extended({ signing: { site: 1 } }), /signing.site is 1/],
    [
      'an endless jurisdiction',
      extended({ assembly: { jurisdiction: 'C'.repeat(129) } }),
      /129 characters/,
    ],
    ['a short digest checked', extended({ sourceChecked: '00' }), /sourceChecked has 1 bytes/],
    ['a digest in capitals', extended({ claims: 'AA'.repeat(32) }), /claims.*lowercase hex/],
    ['null for a digest', extended({ claims: null }), /claims is null/],
    [
      'a commitment without digest',
      { resolvedDependencies: [{ name: 'source-commitment' }] },
      /source-commitment is missing/,
    ],
    [
      'a commitment of another digest',
      { resolvedDependencies: [{ name: 'source-commitment', digest: { gitCommit: commit } }] },
      /digest.sha256 of the dependency source-commitment is missing/,
    ],
    ['text for a dependency', { resolvedDependencies: ['x'] }, /resolved dependency is/],
  ])('with %s is refused', (_, definition, message) => {
    expect(() => read(predicateOf(definition))).toThrow(
      expect.objectContaining({
        code: 'bad-statement',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });

  it('is never made of a source without a full commit, or a root that is no digest', () => {
    const branch = 'git+https://git.acme.example/scanner@main';
    expect(() => provenanceStatement({ ...good, source: branch })).toThrow(/full commit hash/);
    const commitment = new Uint8Array(20);
    expect(() => provenanceStatement({ ...good, commitment })).toThrow(/20 bytes, want 32/);
  });
});
