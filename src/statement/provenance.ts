/**
 * SLSA provenance v1 (slsa.dev/provenance/v1): how and from what these files were built. A rebuild
 * is the same statement by another builder. Daybook's extension is one internal parameter:
 *
 *     "internalParameters":{"daybook":{"assembly":{"site":"Zurich","jurisdiction":"CH"},
 *       "signing":{"site":"Zurich","jurisdiction":"CH"},"sourceChecked":"<root>","claims":"<digest>"}}
 */
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import type { JsonObject, JsonValue } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import { formatStatement, type Statement, type Subject } from './in-toto.ts';
import { type Purl, parsePurl } from './purl.ts';
import { checkSource } from './release.ts';
import { shape } from './shape.ts';

/** Where something was done; a claim of whoever signs it. */
export interface Place {
  readonly site?: string | undefined;
  /** ISO 3166 code of the country. */
  readonly jurisdiction?: string | undefined;
}

export interface Provenance {
  readonly buildType: string;
  /** URI of the build platform. */
  readonly builderId: string;
  /** What was fetched for the build, the source above all; URIs only, where there are any. */
  readonly dependencies: readonly string[];
  /** The first dependency of the form `git+…`. */
  readonly source: string | undefined;
  /** Roots of the source commitments that it names, 32 bytes each. */
  readonly commitments: readonly Uint8Array[];
  readonly assembly: Place;
  readonly signing: Place;
  /** The builder held the tree and master secret of this commitment, and they open it; 32 bytes. */
  readonly sourceChecked: Uint8Array | undefined;
  /** Of a rebuild: SHA-256 of the artifact that it was compared with. */
  readonly claims: Uint8Array | undefined;
  /** Each subject name or uri that is a purl. */
  readonly purls: readonly Purl[];
}

export const provenancePredicateType = 'https://slsa.dev/provenance/v1';
/** Name of the dependency that is a source commitment. */
const commitmentName = 'source-commitment';
const maxPlaceLength = 128;
const { object, array, string, optionalString, within } = shape('bad-statement');
/** Above what fits an entry, so that only an array's type is checked. */
const anyNumber = 65_535;

/** Payload bytes; the same arguments give the same bytes. Throws `bad-statement`. */
export function provenanceStatement(provenance: {
  readonly subjects: readonly Subject[];
  readonly buildType: string;
  readonly builderId: string;
  readonly externalParameters: JsonObject;
  /** `git+https://host/repository@<full commit hash>`. */
  readonly source?: string | undefined;
  /** Root of a source commitment, 32 bytes. */
  readonly commitment?: Uint8Array | undefined;
  /** Further ResourceDescriptors: `{ uri, digest: { gitCommit } }`. */
  readonly resolvedDependencies?: readonly JsonObject[] | undefined;
  readonly assembly?: Place | undefined;
  readonly signing?: Place | undefined;
  readonly sourceChecked?: Uint8Array | undefined;
  readonly claims?: Uint8Array | undefined;
  readonly invocationId?: string | undefined;
}): Uint8Array {
  const { subjects, buildType, builderId, externalParameters, invocationId } = provenance;
  const dependencies = dependenciesOf(provenance);
  const { assembly, signing, sourceChecked, claims } = provenance;
  const extension = {
    assembly: assembly && { ...assembly },
    signing: signing && { ...signing },
    sourceChecked: sourceChecked && encodeHex(sourceChecked),
    claims: claims && encodeHex(claims),
  };
  const extended = Object.values(extension).some((value) => value !== undefined);
  const statement: Statement = {
    subject: subjects,
    predicateType: provenancePredicateType,
    predicate: {
      buildDefinition: {
        buildType,
        externalParameters,
        internalParameters: extended ? { daybook: extension } : undefined,
        resolvedDependencies: dependencies.length === 0 ? undefined : dependencies,
      },
      runDetails: {
        builder: { id: builderId },
        metadata: invocationId === undefined ? undefined : { invocationId },
      },
    },
  };
  readProvenance(statement);
  return formatStatement(statement);
}

function dependenciesOf(provenance: {
  readonly source?: string | undefined;
  readonly commitment?: Uint8Array | undefined;
  readonly resolvedDependencies?: readonly JsonObject[] | undefined;
}): JsonObject[] {
  const { source, commitment, resolvedDependencies = [] } = provenance;
  const dependencies: JsonObject[] = [];
  if (source !== undefined) {
    checkSource(source, 'source');
    const gitCommit = source.slice(source.lastIndexOf('@') + 1);
    dependencies.push({ uri: source, digest: { gitCommit } });
  }
  if (commitment !== undefined) {
    dependencies.push({ name: commitmentName, digest: { sha256: encodeHex(commitment) } });
  }
  return [...dependencies, ...resolvedDependencies];
}

/** Reads a statement of `provenancePredicateType`. Throws `bad-statement`. */
export function readProvenance({ subject, predicate }: Statement): Provenance {
  const definition = object(predicate.buildDefinition, 'predicate.buildDefinition');
  const details = object(predicate.runDetails, 'predicate.runDetails');
  const builder = object(details.builder, 'predicate.runDetails.builder');
  const resolved = array(
    definition.resolvedDependencies ?? [],
    'predicate.buildDefinition.resolvedDependencies',
    anyNumber,
  ).map((dependency) => object(dependency, 'resolved dependency'));
  const dependencies = resolved.flatMap(({ uri }) => (typeof uri === 'string' ? [uri] : []));
  return {
    buildType: string(definition.buildType, 'predicate.buildDefinition.buildType'),
    builderId: string(builder.id, 'predicate.runDetails.builder.id'),
    dependencies,
    source: dependencies.find((uri) => uri.startsWith('git+')),
    commitments: resolved.filter(({ name }) => name === commitmentName).map(commitmentOf),
    ...readExtension(definition),
    purls: subject
      .flatMap(({ name, uri }) => [name, uri])
      .filter((text) => text?.startsWith('pkg:') === true)
      .map((text) => parsePurl(text as string)),
  };
}

type Extension = Pick<Provenance, 'assembly' | 'signing' | 'sourceChecked' | 'claims'>;

function readExtension(definition: JsonObject): Extension {
  const where = 'predicate.buildDefinition.internalParameters';
  const parameters = object(definition.internalParameters ?? {}, where);
  const extension = object(parameters.daybook ?? {}, `${where}.daybook`);
  const digestOf = (member: string): Uint8Array | undefined => {
    const value = extension[member];
    return value === undefined ? undefined : parseDigest(value, `${where}.daybook.${member}`);
  };
  return {
    assembly: parsePlace(extension.assembly, `${where}.daybook.assembly`),
    signing: parsePlace(extension.signing, `${where}.daybook.signing`),
    sourceChecked: digestOf('sourceChecked'),
    claims: digestOf('claims'),
  };
}

function parsePlace(value: JsonValue | undefined, what: string): Place {
  const { site, jurisdiction } = object(value ?? {}, what);
  return {
    site: optionalString(site, `${what}.site`, maxPlaceLength),
    jurisdiction: optionalString(jurisdiction, `${what}.jurisdiction`, maxPlaceLength),
  };
}

function commitmentOf({ digest }: JsonObject): Uint8Array {
  const { sha256 } = object(digest, `digest of the dependency ${commitmentName}`);
  return parseDigest(sha256, `digest.sha256 of the dependency ${commitmentName}`);
}

function parseDigest(value: JsonValue | undefined, what: string): Uint8Array {
  const digest = within(what, () => decodeHex(string(value, what)));
  if (digest.length !== 32) {
    throw new DaybookError('bad-statement', `${what} has ${digest.length} bytes, want 32`);
  }
  return digest;
}
