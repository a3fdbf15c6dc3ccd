/**
 * Withdrawal of a release: these files must not be used any more. It reaches clients through the
 * channel that lists it.
 *
 *     "predicateType":"urn:daybook:predicate:withdrawal:v1",
 *     "predicate":{"purl":"pkg:generic/acme/scanner@1.2.2","reason":"CVE-2026-1"}
 */
import { DaybookError } from '../errors.ts';
import { formatStatement, type Statement, type Subject } from './in-toto.ts';
import { type Purl, parsePurl } from './purl.ts';
import { shape } from './shape.ts';

export interface Withdrawal {
  /** With a version. */
  readonly purl: Purl;
  readonly reason: string;
}

export const withdrawalPredicateType = 'urn:daybook:predicate:withdrawal:v1';
const maxReasonLength = 1024;
const { string, only } = shape('bad-statement');

/** Payload bytes; the same arguments give the same bytes. Throws `bad-statement`. */
export function withdrawalStatement(withdrawal: {
  readonly purl: string;
  readonly reason: string;
  readonly subjects: readonly Subject[];
}): Uint8Array {
  const { purl, reason, subjects } = withdrawal;
  const predicateType = withdrawalPredicateType;
  const statement: Statement = { subject: subjects, predicateType, predicate: { purl, reason } };
  readWithdrawal(statement);
  return formatStatement(statement);
}

/** Reads a statement of `withdrawalPredicateType`; unknown members are refused. Throws `bad-statement`. */
export function readWithdrawal({ predicate }: Statement): Withdrawal {
  only(predicate, ['purl', 'reason'], 'withdrawal');
  const purl = parsePurl(string(predicate.purl, 'predicate.purl'));
  const reason = string(predicate.reason, 'predicate.reason', maxReasonLength);
  if (purl.version === undefined || reason.trim() === '') {
    throw new DaybookError(
      'bad-statement',
      `a withdrawal names a purl with a version and a reason, got "${purl.text}" and "${reason}"`,
    );
  }
  return { purl, reason };
}
