/**
 * Release predicate (in-toto/attestation, spec/predicates/release.md): these files are this
 * release of this product. Daybook's extension is the one member `daybook`, as in-toto's rules on
 * extension fields permit; whoever does not know it ignores it:
 *
 *     "predicate":{"purl":"pkg:generic/acme/av-bases@2026.11.23-01","releaseId":"7",
 *       "daybook":{"kind":"av-update","source":"git+https://…@<commit>","builder":"https://ci.acme.example"}}
 */
import { DaybookError } from '../errors.ts';
import { formatStatement, type Statement, type Subject } from './in-toto.ts';
import { type Purl, parsePurl } from './purl.ts';
import { shape } from './shape.ts';

export type ReleaseKind = 'build' | 'av-update';
export const releaseKinds: readonly ReleaseKind[] = ['build', 'av-update'];

export interface Release {
  /** With a version. */
  readonly purl: Purl;
  /** Stable identifier of the product across its releases (v0.2 of the predicate calls it packageId). */
  readonly releaseId: string | undefined;
  readonly kind: ReleaseKind | undefined;
  /** URI of the source with its commit: `git+https://host/repository@<40 or 64 hex digits>`. */
  readonly source: string | undefined;
  /** URI of the build platform, with the meaning of SLSA's builder.id. */
  readonly builder: string | undefined;
}

/** The first one is what Daybook writes. */
export const releasePredicateTypes = [
  'https://in-toto.io/attestation/release/v0.1',
  'https://in-toto.io/attestation/release/v0.2',
] as const;

const maxLength = 1024;
const { object, string, optionalString } = shape('bad-statement');

/** Payload bytes; the same arguments give the same bytes. Throws `bad-statement`. */
export function releaseStatement(release: {
  readonly purl: string;
  readonly releaseId?: string | undefined;
  readonly subjects: readonly Subject[];
  readonly kind?: ReleaseKind | undefined;
  readonly source?: string | undefined;
  readonly builder?: string | undefined;
}): Uint8Array {
  const { purl, releaseId, subjects, kind, source, builder } = release;
  const extension = { kind, source, builder };
  const extended = Object.values(extension).some((value) => value !== undefined);
  const statement: Statement = {
    subject: subjects,
    predicateType: releasePredicateTypes[0],
    predicate: { purl, releaseId, daybook: extended ? extension : undefined },
  };
  readRelease(statement);
  return formatStatement(statement);
}

/** Reads a statement of one of `releasePredicateTypes`. Throws `bad-statement`. */
export function readRelease({ predicate }: Statement): Release {
  const purl = parsePurl(string(predicate.purl, 'predicate.purl'));
  if (purl.version === undefined) {
    throw new DaybookError(
      'bad-statement',
      `predicate.purl "${purl.text}" has no version; a release names one, as in pkg:generic/acme/scanner@1.2.3`,
    );
  }
  const extension = object(predicate.daybook ?? {}, 'predicate.daybook');
  const kind = optionalString(extension.kind, 'predicate.daybook.kind', maxLength);
  if (kind !== undefined && !isReleaseKind(kind)) {
    throw new DaybookError(
      'bad-statement',
      `predicate.daybook.kind is "${kind}", want one of ${releaseKinds.join(', ')}`,
    );
  }
  const source = optionalString(extension.source, 'predicate.daybook.source', maxLength);
  if (source !== undefined) checkSource(source, 'predicate.daybook.source');
  const builder = optionalString(extension.builder, 'predicate.daybook.builder', maxLength);
  if (builder !== undefined && !/^[a-z][a-z0-9+.-]*:[!-~]+$/.test(builder)) {
    throw new DaybookError('bad-statement', `predicate.daybook.builder "${builder}" is not a URI`);
  }
  const releaseId = optionalString(
    predicate.releaseId ?? predicate.packageId,
    'predicate.releaseId',
  );
  return { purl, releaseId, kind, source, builder };
}

/** Throws `bad-statement` unless `source` is a repository with a full commit hash. */
export function checkSource(source: string, what: string): void {
  if (/^git\+[a-z]+:\/\/[!-~]+@(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(source)) return;
  throw new DaybookError(
    'bad-statement',
    `${what} is "${source.slice(0, 200)}", want git+https://host/repository@<commit> with the full commit hash`,
  );
}

function isReleaseKind(kind: string): kind is ReleaseKind {
  return (releaseKinds as readonly string[]).includes(kind);
}
