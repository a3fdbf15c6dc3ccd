import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import type { JsonObject } from '../../src/encoding/strict-json.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import {
  readVerificationSummary,
  verificationSummaryPredicateType,
  verificationSummaryStatement,
} from '../../src/statement/verification-summary.ts';
import { subject } from './parties.ts';

const purl = 'pkg:generic/acme/scanner@1.2.3';
const good = {
  subjects: [subject('scanner.tar.gz')],
  verifierId: 'https://bsi.example/daybook',
  timeVerified: 1_795_514_400,
  resourceUri: purl,
  policyUri: 'https://bsi.example/rules/4',
  result: 'PASSED' as const,
};
const refusal = (message: RegExp) =>
  expect.objectContaining({
    code: 'bad-statement',
    message: expect.stringMatching(message) as string,
  }) as Error;
const read = (payload: Uint8Array) => readVerificationSummary(parseStatement(payload));
const statement = (predicate: JsonObject, name = 'scanner.tar.gz'): Uint8Array =>
  utf8(
    JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject: [{ name, digest: { sha256: hash('sha256', name) } }],
      predicateType: verificationSummaryPredicateType,
      predicate,
    }),
  );
const predicate = {
  verifier: { id: good.verifierId },
  resourceUri: purl,
  policy: { uri: good.policyUri },
  verificationResult: 'PASSED',
};

describe('a verification summary', () => {
  it('is read back, as an approval', () => {
    const read1 = read(verificationSummaryStatement({ ...good, checked: ['malware scan'] }));
    expect(read1).toMatchObject({
      verifierId: good.verifierId,
      timeVerified: '2026-11-24T10:00:00Z',
      resourceUri: purl,
      policyUri: good.policyUri,
      result: 'PASSED',
      verifiedLevels: [],
      checked: ['malware scan'],
      paths: undefined,
      reason: undefined,
    });
    expect(read1.purls.map(({ text }) => text)).toEqual([purl]);
  });

  it('is read back, as a rejection with a reason', () => {
    const rejection = { ...good, result: 'FAILED' as const, reason: 'calls home' };
    expect(read(verificationSummaryStatement(rejection))).toMatchObject({
      result: 'FAILED',
      reason: 'calls home',
    });
  });

  it('is read back, as a review of some of a source', () => {
    const review = { ...good, resourceUri: 'git+https://git.acme.example/scanner' };
    const paths = ['src/main.c', 'src/net.c'];
    const summary = read(verificationSummaryStatement({ ...review, paths }));
    expect(summary).toMatchObject({ paths, purls: [] });
  });

  it('is about the purls among its subjects, too', () => {
    const other = 'pkg:generic/acme/rules@7';
    expect(read(statement(predicate, other)).purls.map(({ text }) => text)).toEqual([purl, other]);
  });

  // The example of slsa.dev/spec/v1.0/verification_summary, shortened to what its schema demands.
  it("is read as others write it, with SLSA's further members", () => {
    const summary = read(
      statement({
        verifier: { id: 'https://example.com/publication_verifier', version: { x: '1' } },
        timeVerified: '1985-04-12T23:20:50.52Z',
        resourceUri: 'https://example.com/example-1.2.3.tar.gz',
        policy: {
          uri: 'https://example.com/example_tarball.policy',
          digest: { sha256: '1234' },
        },
        inputAttestations: [{ uri: 'https://example.com/provenances/example', digest: {} }],
        verificationResult: 'PASSED',
        verifiedLevels: ['SLSA_BUILD_LEVEL_3'],
        dependencyLevels: { SLSA_BUILD_LEVEL_3: 5 },
        slsaVersion: '1.0',
      }),
    );
    expect(summary).toMatchObject({
      verifierId: 'https://example.com/publication_verifier',
      timeVerified: '1985-04-12T23:20:50.52Z',
      result: 'PASSED',
      verifiedLevels: ['SLSA_BUILD_LEVEL_3'],
      checked: [],
      purls: [],
    });
  });

  it.each(['passed', 'PASSED ', 'WARNING', '', true, null])(
    'has no result %j: only PASSED has passed',
    (verificationResult) => {
      expect(() => read(statement({ ...predicate, verificationResult }))).toThrow(
        refusal(/verificationResult/),
      );
    },
  );

  it.each<[string, JsonObject, RegExp]>([
    ['no verifier', { verifier: null }, /verifier is null, want an object/],
    ['no verifier id', { verifier: {} }, /verifier.id is missing/],
    ['no resource', { resourceUri: null }, /resourceUri is null/],
    ['a broken purl', { resourceUri: 'pkg:generic/a/../b@1' }, /not a usable purl/],
    ['no policy', { policy: [] }, /policy is an array/],
    ['text for levels', { verifiedLevels: 'all' }, /verifiedLevels .*want an array/],
    ['text for our extension', { daybook: 'x' }, /predicate.daybook is of type string/],
    ['a number among what was checked', { daybook: { checked: [1] } }, /checked is 1/],
    ['text for paths', { daybook: { paths: 'src' } }, /daybook.paths/],
    ['a number for a reason', { daybook: { reason: 1 } }, /daybook.reason is 1/],
  ])('with %s is refused', (_, members, message) => {
    expect(() => read(statement({ ...predicate, ...members }))).toThrow(refusal(message));
  });

  it('is never made without a whole second, or about what is no purl', () => {
    const making = (wrong: object) => () => verificationSummaryStatement({ ...good, ...wrong });
    expect(making({ timeVerified: 1.5 })).toThrow(refusal(/no whole second/));
    expect(making({ resourceUri: 'pkg:scanner' })).toThrow(refusal(/not a usable purl/));
  });
});
