/** The source commitments that the statements in a proof file name, once the file was verified. */
import { DaybookError } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { MAX_RELEASE_FILE_BYTES } from '../proof/release-file.ts';
import { parseEnvelope } from '../statement/dsse.ts';
import { parseStatement } from '../statement/in-toto.ts';
import { provenancePredicateType, readProvenance } from '../statement/provenance.ts';
import { readSourceCommitment, sourcePredicateType } from '../statement/source-commitment.ts';
import { showFile, type ShownEntry } from '../verify/shown.ts';
import { readBytes } from './files.ts';
import { readPolicy } from './trust.ts';

export interface NamedCommitment {
  readonly index: number;
  /** Which statement names it. */
  readonly kind: 'provenance' | 'source commitment';
  readonly root: Uint8Array;
}

/**
 * From a `.release` or `.tlog-proof` file under a log's policy; at least one, in the order of the
 * log. Throws as `showFile`, and `source-refused` where no statement names any.
 */
export async function commitmentsIn(path: string, policy: string): Promise<NamedCommitment[]> {
  const bytes = await readBytes(path, MAX_RELEASE_FILE_BYTES);
  const now = Math.floor(Date.now() / 1000);
  const { entries } = await showFile(bytes, await readPolicy(policy), now, nodeVerifier);
  const named = entries.flatMap(commitmentsOf);
  if (named.length > 0) return named;
  throw new DaybookError('source-refused', `no statement in ${path} names a source commitment`);
}

function commitmentsOf({ index, entry }: ShownEntry): NamedCommitment[] {
  const statement = parseStatement(parseEnvelope(entry).payload);
  switch (statement.predicateType) {
    case provenancePredicateType:
      return readProvenance(statement).commitments.map((root) => ({
        index,
        kind: 'provenance',
        root,
      }));
    case sourcePredicateType:
      return [{ index, kind: 'source commitment', root: readSourceCommitment(statement).root }];
    default:
      return [];
  }
}
