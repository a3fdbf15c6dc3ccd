/** Who looked at it: supervisors at the file, reviewers at its source. */
import { encodeHex } from '../../encoding/hex.ts';
import {
  readVerificationSummary,
  verificationSummaryPredicateType,
  type VerificationSummary,
} from '../../statement/verification-summary.ts';
import { withdrawalPredicateType } from '../../statement/withdrawal.ts';
import type { Threshold } from '../release-policy.ts';
import { names, type SignedStatement } from '../shown.ts';
import type { Build } from './build.ts';
import {
  areAbout,
  found,
  isSignedBy,
  listed,
  newestByKey,
  Refusal,
  voices,
  type Case,
  type Finding,
} from './rule.ts';

export function checkApprovals(given: Case): Finding | undefined {
  const { approvals } = given.rule;
  if (approvals === undefined) return undefined;
  const { release, sha256 } = given;
  const { passed, failed } = summariesAbout(given, sha256, approvals, ({ purls }) =>
    areAbout(purls, release.purl),
  );
  const [rejection] = failed;
  if (rejection !== undefined) {
    const reason = summaryOf(rejection)?.reason;
    throw new Refusal(
      'rejected',
      `${rejection.key.name} rejected it (entry ${rejection.index})${reason === undefined ? '' : `: ${reason}`}`,
      failed,
    );
  }
  return reach(approvals, passed, 'approved', 'not-approved');
}

/** Reviews of the whole of every source commitment that this build names, one of all the accepted `builds`. */
export function checkReviews(
  given: Case,
  build: Build | undefined,
  builds: readonly Build[],
): Finding | undefined {
  const { reviews } = given.rule;
  if (reviews === undefined) return undefined;
  for (const root of builds.flatMap(({ provenance }) => provenance.commitments)) {
    const [objection] = summariesOf(given, root, reviews).failed;
    if (objection === undefined) continue;
    throw new Refusal(
      'rejected',
      `${objection.key.name} reviewed its source and failed it (entry ${objection.index})`,
      [objection],
    );
  }
  const roots = build?.provenance.commitments ?? [];
  if (roots.length === 0) {
    throw new Refusal('not-reviewed', 'no accepted provenance names a source commitment');
  }
  const findings = roots.map((root) => {
    const { passed } = summariesOf(given, root, reviews);
    return reach(reviews, passed, `source ${encodeHex(root)} reviewed`, 'not-reviewed');
  });
  return {
    detail: findings.map(({ detail }) => detail).join('; '),
    indexes: findings.flatMap(({ indexes }) => indexes),
  };
}

/** Of a file that was withdrawn, the channel tells; where the withdrawal itself is at hand, it counts at once, and for good. */
export function checkWithdrawal({ statements, sha256 }: Case): undefined {
  const withdrawal = statements.find(
    ({ statement }) =>
      statement.predicateType === withdrawalPredicateType && names(statement, sha256),
  );
  if (withdrawal === undefined) return undefined;
  const { reason } = withdrawal.statement.predicate;
  throw new Refusal(
    'withdrawn',
    `${withdrawal.key.name} withdrew it (entry ${withdrawal.index})${typeof reason === 'string' ? `: ${reason}` : ''}`,
    [withdrawal],
  );
}

function reach(
  { threshold, keys }: Threshold,
  passed: readonly SignedStatement[],
  what: string,
  code: 'not-approved' | 'not-reviewed',
): Finding {
  const counted = voices(passed);
  if (counted.length >= threshold) return found(`${what} by ${listed(counted)}`, counted);
  const wanted = keys.map(({ name }) => name).join(', ');
  throw new Refusal(code, `${what} by ${listed(counted)}, want ${threshold} of ${wanted}`, counted);
}

/** Of a source: a tree is the same tree, whatever it is called. */
function summariesOf(given: Case, root: Uint8Array, reviews: Threshold): Summaries {
  return summariesAbout(given, root, reviews, () => true);
}

interface Summaries {
  readonly passed: readonly SignedStatement[];
  readonly failed: readonly SignedStatement[];
}

/**
 * The newest word of each of the keys on `subject`: who passed all of it, and who failed it. A pass of
 * some paths, or of another product, is none and takes back no failure; a failure counts under whatever
 * name.
 */
function summariesAbout(
  { statements }: Case,
  subject: Uint8Array,
  { keys }: Threshold,
  isAboutIt: (summary: VerificationSummary) => boolean,
): Summaries {
  const newest = newestByKey(
    statements.filter((signed) => {
      if (!isSignedBy(signed, keys) || !names(signed.statement, subject)) return false;
      const summary = summaryOf(signed);
      if (summary === undefined || summary.result === 'FAILED') return summary !== undefined;
      return summary.paths === undefined && isAboutIt(summary);
    }),
  );
  const isPassed = (signed: SignedStatement): boolean => summaryOf(signed)?.result === 'PASSED';
  return { passed: newest.filter(isPassed), failed: newest.filter((each) => !isPassed(each)) };
}

function summaryOf({ statement }: SignedStatement): VerificationSummary | undefined {
  if (statement.predicateType !== verificationSummaryPredicateType) return undefined;
  try {
    return readVerificationSummary(statement);
  } catch {
    return undefined;
  }
}
