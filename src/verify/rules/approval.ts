/** Who looked at it: supervisors at the file, reviewers at its source. */
import { encodeHex } from '../../encoding/hex.ts';
import {
  readVerificationSummary,
  verificationSummaryPredicateType,
  type VerificationSummary,
} from '../../statement/verification-summary.ts';
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
  const { passed, failed } = summariesAbout(given, given.sha256, approvals);
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

/** Reviews of the whole of a source commitment that the provenance names. */
export function checkReviews(given: Case, builds: readonly Build[]): Finding | undefined {
  const { reviews } = given.rule;
  if (reviews === undefined) return undefined;
  const roots = builds.flatMap(({ provenance }) => provenance.commitments);
  if (roots.length === 0) {
    throw new Refusal('not-reviewed', 'no accepted provenance names a source commitment');
  }
  const about = roots.map((root) => ({ root, ...summariesAbout(given, root, reviews) }));
  const objection = about.flatMap(({ failed }) => failed)[0];
  if (objection !== undefined) {
    throw new Refusal(
      'not-reviewed',
      `${objection.key.name} reviewed its source and failed it (entry ${objection.index})`,
      [objection],
    );
  }
  const best = about.reduce((a, b) => (voices(b.passed).length > voices(a.passed).length ? b : a));
  return reach(reviews, best.passed, `source ${encodeHex(best.root)} reviewed`, 'not-reviewed');
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

/** The newest word of each of the keys on `subject`: who passed all of it, and who failed it. */
function summariesAbout(
  { statements, release }: Case,
  subject: Uint8Array,
  { keys }: Threshold,
): { passed: SignedStatement[]; failed: SignedStatement[] } {
  const newest = newestByKey(
    statements.filter((signed) => {
      if (!isSignedBy(signed, keys) || !names(signed.statement, subject)) return false;
      const summary = summaryOf(signed);
      return summary !== undefined && areAbout(summary.purls, release.purl);
    }),
  );
  return {
    // A review of some paths is no review of all.
    passed: newest.filter((signed) => {
      const summary = summaryOf(signed);
      return summary?.result === 'PASSED' && summary.paths === undefined;
    }),
    failed: newest.filter((signed) => summaryOf(signed)?.result === 'FAILED'),
  };
}

function summaryOf({ statement }: SignedStatement): VerificationSummary | undefined {
  if (statement.predicateType !== verificationSummaryPredicateType) return undefined;
  try {
    return readVerificationSummary(statement);
  } catch {
    return undefined;
  }
}
