/**
 * SLSA provenance v1 (slsa.dev/provenance/v1): how and from what these files were built. A rebuild
 * is the same statement by another builder.
 */
import type { JsonObject, JsonValue } from '../encoding/strict-json.ts';
import { formatStatement, type Statement, type Subject } from './in-toto.ts';
import { type Purl, parsePurl } from './purl.ts';
import { shape } from './shape.ts';

export interface Provenance {
  readonly buildType: string;
  /** URI of the build platform. */
  readonly builderId: string;
  /** What was fetched for the build, the source above all; URIs only, where there are any. */
  readonly dependencies: readonly string[];
  /** Each subject name or uri that is a purl. */
  readonly purls: readonly Purl[];
}

export const provenancePredicateType = 'https://slsa.dev/provenance/v1';
const { object, array, string } = shape('bad-statement');
/** Above what fits an entry, so that only an array's type is checked. */
const anyNumber = 65_535;

/** Payload bytes; the same arguments give the same bytes. Throws `bad-statement`. */
export function provenanceStatement(provenance: {
  readonly subjects: readonly Subject[];
  readonly buildType: string;
  readonly builderId: string;
  readonly externalParameters: JsonObject;
  /** ResourceDescriptors: `{ uri, digest: { gitCommit } }`. */
  readonly resolvedDependencies?: readonly JsonObject[] | undefined;
  readonly invocationId?: string | undefined;
}): Uint8Array {
  const { subjects, buildType, builderId, externalParameters, resolvedDependencies, invocationId } =
    provenance;
  const statement: Statement = {
    subject: subjects,
    predicateType: provenancePredicateType,
    predicate: {
      buildDefinition: { buildType, externalParameters, resolvedDependencies },
      runDetails: {
        builder: { id: builderId },
        metadata: invocationId === undefined ? undefined : { invocationId },
      },
    },
  };
  readProvenance(statement);
  return formatStatement(statement);
}

/** Reads a statement of `provenancePredicateType`. Throws `bad-statement`. */
export function readProvenance({ subject, predicate }: Statement): Provenance {
  const definition = object(predicate.buildDefinition, 'predicate.buildDefinition');
  const details = object(predicate.runDetails, 'predicate.runDetails');
  const builder = object(details.builder, 'predicate.runDetails.builder');
  return {
    buildType: string(definition.buildType, 'predicate.buildDefinition.buildType'),
    builderId: string(builder.id, 'predicate.runDetails.builder.id'),
    dependencies: array(
      definition.resolvedDependencies ?? [],
      'predicate.buildDefinition.resolvedDependencies',
      anyNumber,
    ).flatMap(uriOf),
    purls: subject
      .flatMap(({ name, uri }) => [name, uri])
      .filter((text) => text?.startsWith('pkg:') === true)
      .map((text) => parsePurl(text as string)),
  };
}

function uriOf(dependency: JsonValue): string[] {
  const { uri } = object(dependency, 'resolved dependency');
  return typeof uri === 'string' ? [uri] : [];
}
