/** Under which digests a statement is found. */
import { equalBytes } from '../encoding/bytes.ts';
import type { Statement } from './in-toto.ts';
import { provenancePredicateType, readProvenance } from './provenance.ts';

/**
 * Its subjects and, of a rebuild, the artifact that it was compared with: one that came out different
 * names another file, and who looks for the first one must find it too. 32 bytes each. Throws `bad-statement`.
 */
export function lookupDigests(statement: Statement): readonly Uint8Array[] {
  const subjects = statement.subject.map(({ sha256 }) => sha256);
  if (statement.predicateType !== provenancePredicateType) return subjects;
  const { claims } = readProvenance(statement);
  const isNamed = claims === undefined || subjects.some((digest) => equalBytes(digest, claims));
  return isNamed ? subjects : [...subjects, claims];
}
