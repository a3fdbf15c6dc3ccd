import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/encoding/strict-json.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import {
  readSourceCommitment,
  sourceCommitmentStatement,
  sourcePredicateType,
} from '../../src/statement/source-commitment.ts';
import { subject } from './parties.ts';

const root = subject('tree').sha256;
const purl = 'pkg:generic/acme/scanner@1.2.3';
const source = 'git+https://git.acme.example/scanner@4a1c5d0f9d7d3b6a1b2c3d4e5f60718293a4b5c6';

describe('a source commitment', () => {
  it('is read back, with what it tells and without', () => {
    const named = { root, name: 'scanner 1.2.3', files: 412, purl, source };
    const full = readSourceCommitment(parseStatement(sourceCommitmentStatement(named)));
    expect(full).toMatchObject({ root, files: 412, purl: { text: purl }, source });
    const silent = readSourceCommitment(
      parseStatement(sourceCommitmentStatement({ root, files: 1 })),
    );
    expect(silent).toEqual({ root, files: 1, purl: undefined, source: undefined });
  });

  it.each<[string, JsonObject, RegExp]>([
    ['no number of files', {}, /files is missing/],
    ['no files', { files: 0 }, /files is 0/],
    ['half a file', { files: 0.5 }, /files is 0.5/],
    ['a broken purl', { files: 1, purl: 'scanner' }, /not a usable purl/],
    ['a branch as its source', { files: 1, source: 'git+https://a.example/b@main' }, /full commit/],
    ['an unknown member', { files: 1, tree: 'x' }, /unknown member "tree"/],
  ])('with %s is refused', (_, predicate, message) => {
    const statement = {
      subject: [{ sha256: root }],
      predicateType: sourcePredicateType,
      predicate,
    };
    expect(() => readSourceCommitment(statement)).toThrow(
      expect.objectContaining({
        code: 'bad-statement',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });

  it('has one root', () => {
    const subjects = [{ sha256: root }, { sha256: subject('other').sha256 }];
    const statement = {
      subject: subjects,
      predicateType: sourcePredicateType,
      predicate: { files: 1 },
    };
    expect(() => readSourceCommitment(statement)).toThrow(/2 subjects, want one/);
  });
});
