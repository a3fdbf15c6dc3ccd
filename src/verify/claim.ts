/** What a signed statement says about one artifact. */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import type { Envelope } from '../statement/dsse.ts';
import { inTotoPayloadType, parseStatement, type Statement } from '../statement/in-toto.ts';
import { provenancePredicateType, readProvenance } from '../statement/provenance.ts';
import { matchesScope, purlScope, type Purl } from '../statement/purl.ts';
import { readRelease, releasePredicateTypes } from '../statement/release.ts';

export interface ArtifactClaim {
  readonly predicateType: string;
  /** Name that the statement gives to the artifact: for a person to read, never checked. */
  readonly name: string | undefined;
  /** Products that the statement is about, as far as this artifact is concerned. */
  readonly purls: readonly Purl[];
  readonly releaseId?: string | undefined;
  readonly kind?: string | undefined;
  readonly source?: string | undefined;
  readonly builder?: string | undefined;
}

/**
 * The claim of `envelope` about the artifact with this digest. Throws `artifact-mismatch` when it
 * names other artifacts, `bad-statement` when it is malformed or of a kind that does not vouch for
 * artifacts: a rejection, too, is signed and names what it rejects.
 */
export function claimAbout(envelope: Envelope, sha256: Uint8Array): ArtifactClaim {
  if (envelope.payloadType !== inTotoPayloadType) {
    throw new DaybookError(
      'bad-statement',
      `the entry's payload is ${envelope.payloadType}, want ${inTotoPayloadType}`,
    );
  }
  const statement = parseStatement(envelope.payload);
  const subject = statement.subject.filter((candidate) => equalBytes(candidate.sha256, sha256));
  if (subject.length === 0) throw notNamed(statement, sha256);
  const claim = readClaim({ ...statement, subject });
  return {
    ...claim,
    predicateType: statement.predicateType,
    name: subject[0]?.name ?? subject[0]?.uri,
  };
}

/** Throws `artifact-mismatch` unless the claim is about `product`: a purl, or a scope as issuers have. */
export function checkProduct({ purls }: ArtifactClaim, product: string): void {
  const scope = purlScope(product);
  if (purls.some((purl) => matchesScope(scope, purl))) return;
  const found = purls.map(({ text }) => text).join(', ') || 'no product';
  throw new DaybookError('artifact-mismatch', `the statement is about ${found}, want ${product}`);
}

function readClaim(statement: Statement): Omit<ArtifactClaim, 'predicateType' | 'name'> {
  const { predicateType } = statement;
  if ((releasePredicateTypes as readonly string[]).includes(predicateType)) {
    const { purl, ...release } = readRelease(statement);
    return { ...release, purls: [purl] };
  }
  if (predicateType === provenancePredicateType) {
    const { builderId, source, purls } = readProvenance(statement);
    return { builder: builderId, source, purls };
  }
  throw new DaybookError(
    'bad-statement',
    `the statement is a ${predicateType.slice(0, 120)}, want a release or SLSA provenance`,
  );
}

function notNamed({ subject }: Statement, sha256: Uint8Array): DaybookError {
  const names = subject
    .slice(0, 3)
    .map((named) => `${named.name ?? named.uri ?? ''} ${encodeHex(named.sha256)}`.trim());
  const more = subject.length > 3 ? ` and ${subject.length - 3} more` : '';
  return new DaybookError(
    'artifact-mismatch',
    `the artifact has SHA-256 ${encodeHex(sha256)}, but the statement names ${names.join(', ')}${more}: the artifact was changed, or this proof is another one's`,
  );
}
