/**
 * SLSA verification summaries (slsa.dev/verification_summary/v1): a supervisor checked these
 * artifacts, or a reviewer this source, and says what came of it. Daybook's extension is the one
 * member `daybook`:
 *
 *     "predicate":{"verifier":{"id":"https://bsi.example/daybook"},"timeVerified":"2026-11-24T10:00:00Z",
 *       "resourceUri":"pkg:generic/acme/scanner@1.2.3","policy":{"uri":"https://bsi.example/rules/4"},
 *       "verificationResult":"PASSED","verifiedLevels":[],"daybook":{"checked":["malware scan"]}}
 */
import type { JsonObject, JsonValue } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import { formatStatement, type Statement, type Subject } from './in-toto.ts';
import { type Purl, parsePurl } from './purl.ts';
import { shape } from './shape.ts';
import { formatTime } from './timestamp.ts';

export type VerificationResult = 'PASSED' | 'FAILED';

export interface VerificationSummary {
  /** URI of who checked. */
  readonly verifierId: string;
  /** As it was written; other tools write RFC 3339 in several ways. */
  readonly timeVerified: string | undefined;
  readonly resourceUri: string;
  readonly policyUri: string;
  readonly result: VerificationResult;
  readonly verifiedLevels: readonly string[];
  /** What was checked, in the verifier's words. */
  readonly checked: readonly string[];
  /** Of a review of source: the paths that were reviewed; undefined for all of it. */
  readonly paths: readonly string[] | undefined;
  readonly reason: string | undefined;
  /** The resource, and each subject's name or uri, where they are purls. */
  readonly purls: readonly Purl[];
}

export const verificationSummaryPredicateType = 'https://slsa.dev/verification_summary/v1';
/** Above what fits an entry, so that only an array's type is checked. */
const anyNumber = 65_535;
const { object, array, string, optionalString } = shape('bad-statement');

/** Payload bytes; the same arguments give the same bytes. `timeVerified` in seconds since 1970. Throws `bad-statement`. */
export function verificationSummaryStatement(summary: {
  readonly subjects: readonly Subject[];
  readonly verifierId: string;
  readonly timeVerified: number;
  readonly resourceUri: string;
  readonly policyUri: string;
  readonly result: VerificationResult;
  readonly verifiedLevels?: readonly string[] | undefined;
  readonly checked?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly reason?: string | undefined;
}): Uint8Array {
  const { checked, paths, reason } = summary;
  const extended = [checked, paths, reason].some((value) => value !== undefined);
  const statement: Statement = {
    subject: summary.subjects,
    predicateType: verificationSummaryPredicateType,
    predicate: {
      verifier: { id: summary.verifierId },
      timeVerified: formatTime(summary.timeVerified),
      resourceUri: summary.resourceUri,
      policy: { uri: summary.policyUri },
      verificationResult: summary.result,
      verifiedLevels: summary.verifiedLevels ?? [],
      daybook: extended ? { checked, paths, reason } : undefined,
    },
  };
  readVerificationSummary(statement);
  return formatStatement(statement);
}

/** Reads a statement of `verificationSummaryPredicateType`. Throws `bad-statement`. */
export function readVerificationSummary({ subject, predicate }: Statement): VerificationSummary {
  const verifier = object(predicate.verifier, 'predicate.verifier');
  const policy = object(predicate.policy, 'predicate.policy');
  const extension = object(predicate.daybook ?? {}, 'predicate.daybook');
  const resourceUri = string(predicate.resourceUri, 'predicate.resourceUri');
  const texts = [resourceUri, ...subject.flatMap(({ name, uri }) => [name, uri])];
  return {
    verifierId: string(verifier.id, 'predicate.verifier.id'),
    timeVerified: optionalString(predicate.timeVerified, 'predicate.timeVerified'),
    resourceUri,
    policyUri: optionalString(policy.uri, 'predicate.policy.uri') ?? '',
    result: parseResult(predicate.verificationResult),
    verifiedLevels: strings(predicate, 'verifiedLevels', 'predicate') ?? [],
    checked: strings(extension, 'checked', 'predicate.daybook') ?? [],
    paths: strings(extension, 'paths', 'predicate.daybook'),
    reason: optionalString(extension.reason, 'predicate.daybook.reason'),
    purls: texts
      .filter((text) => text?.startsWith('pkg:') === true)
      .map((text) => parsePurl(text as string)),
  };
}

/** Anything but the two words is refused: what is not PASSED must never count as passed. */
function parseResult(value: JsonValue | undefined): VerificationResult {
  const result = string(value, 'predicate.verificationResult');
  if (result === 'PASSED' || result === 'FAILED') return result;
  throw new DaybookError(
    'bad-statement',
    `predicate.verificationResult is "${result.slice(0, 48)}", want PASSED or FAILED`,
  );
}

function strings(from: JsonObject, member: string, where: string): string[] | undefined {
  const what = `${where}.${member}`;
  const value = from[member];
  if (value === undefined || value === null) return undefined;
  return array(value, what, anyNumber).map((item) => string(item, what));
}
