/**
 * A source commitment: the root of a tree that hides names and contents (source-tree.ts), so that
 * provenance and reviews can name a confidential source in public.
 *
 *     "subject":[{"name":"scanner 1.2.3","digest":{"sha256":"<root>"}}],
 *     "predicateType":"urn:daybook:predicate:source:v1",
 *     "predicate":{"files":412,"purl":"pkg:generic/acme/scanner@1.2.3","source":"git+https://…@<commit>"}
 */
import { DaybookError } from '../errors.ts';
import { formatStatement, type Statement } from './in-toto.ts';
import { type Purl, parsePurl } from './purl.ts';
import { checkSource } from './release.ts';
import { shape } from './shape.ts';

export interface SourceCommitment {
  /** The tree's root, 32 bytes. */
  readonly root: Uint8Array;
  /** How many files it commits to. */
  readonly files: number;
  readonly purl: Purl | undefined;
  /** `git+https://host/repository@<full commit hash>`, where the vendor tells it. */
  readonly source: string | undefined;
}

export const sourcePredicateType = 'urn:daybook:predicate:source:v1';
const { string, optionalString, integer, only } = shape('bad-statement');

/** Payload bytes; the same arguments give the same bytes. Throws `bad-statement`. */
export function sourceCommitmentStatement(commitment: {
  readonly root: Uint8Array;
  readonly name?: string | undefined;
  readonly files: number;
  readonly purl?: string | undefined;
  readonly source?: string | undefined;
}): Uint8Array {
  const { root, name, files, purl, source } = commitment;
  const statement: Statement = {
    subject: [{ ...(name !== undefined && { name }), sha256: root }],
    predicateType: sourcePredicateType,
    predicate: { files, purl, source },
  };
  readSourceCommitment(statement);
  return formatStatement(statement);
}

/** Reads a statement of `sourcePredicateType`; unknown members are refused. Throws `bad-statement`. */
export function readSourceCommitment({ subject, predicate }: Statement): SourceCommitment {
  only(predicate, ['files', 'purl', 'source'], 'source commitment');
  const [tree] = subject;
  if (subject.length !== 1 || tree === undefined) {
    throw new DaybookError(
      'bad-statement',
      `a source commitment has ${subject.length} subjects, want one: the root of its tree`,
    );
  }
  const source = optionalString(predicate.source, 'predicate.source');
  if (source !== undefined) checkSource(source, 'predicate.source');
  return {
    root: tree.sha256,
    files: integer(predicate.files, 'predicate.files', 1),
    purl: predicate.purl === undefined ? undefined : parsePurl(string(predicate.purl, 'purl')),
    source,
  };
}
