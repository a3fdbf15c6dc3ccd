/** The release statement that names the artifact, and the product rule that it falls under. */
import { encodeHex } from '../../encoding/hex.ts';
import { DaybookError } from '../../errors.ts';
import { matchesScope, purlScope } from '../../statement/purl.ts';
import { readRelease, releasePredicateTypes } from '../../statement/release.ts';
import type { ProductRule, ReleasePolicy } from '../release-policy.ts';
import { names, type IgnoredEntry, type SignedStatement } from '../shown.ts';
import { found, isSignedBy, Refusal, type ChosenRelease, type Finding } from './rule.ts';

export interface Candidates {
  readonly statements: readonly SignedStatement[];
  readonly ignored: readonly IgnoredEntry[];
}

/**
 * The newest release of the artifact by an issuer of its product, one of `wanted` before others. Throws
 * a refusal that says what the file holds instead.
 */
export function chooseRelease(
  { statements, ignored }: Candidates,
  sha256: Uint8Array,
  policy: ReleasePolicy,
  wanted: string | undefined,
): ChosenRelease {
  const releases = statements.flatMap(readIfRelease).reverse();
  const naming = releases.filter(({ signed }) => names(signed.statement, sha256));
  const issued = naming.filter((release) => {
    const rule = ruleFor(policy, release);
    return rule !== undefined && isSignedBy(release.signed, rule.issuers);
  });
  const chosen = issued.find((release) => isWanted(release, wanted)) ?? issued[0];
  if (chosen !== undefined) return chosen;
  const [other] = naming;
  if (other !== undefined) {
    if (ruleFor(policy, other) === undefined) {
      throw new Refusal('no-rule', `the policy has no rule for ${other.purl.text}`, [other.signed]);
    }
    throw new Refusal(
      'signature-invalid',
      `${other.signed.key.name}, who signed it, is no issuer of ${other.purl.text} in the policy`,
      [other.signed],
    );
  }
  if (releases.length > 0) {
    throw new Refusal(
      'artifact-mismatch',
      `the artifact has SHA-256 ${encodeHex(sha256)}, which none of the releases in the file names: the artifact was changed, or the file is another one's`,
      releases.map(({ signed }) => signed),
    );
  }
  const why = ignored.slice(0, 3).map(({ index, reason }) => `; entry ${index} is ${reason}`);
  throw new Refusal(
    'signature-invalid',
    `no release statement in the file is signed by a key of the policy that counts there${why.join('')}`,
  );
}

/** Throws unless the policy has this rule for the release, and it is of the product that the caller wants. */
export function checkProduct(
  { purl, signed }: ChosenRelease,
  rule: ProductRule | undefined,
  wanted: string | undefined,
): Finding {
  if (!isWanted({ purl }, wanted)) {
    throw new Refusal('artifact-mismatch', `it is ${purl.text}, want ${wanted}`, [signed]);
  }
  if (rule === undefined) {
    throw new Refusal('no-rule', `the policy has no rule for ${purl.text}`, [signed]);
  }
  return found(`the policy's rule for ${rule.scope.text}`, [signed]);
}

/** The first product rule whose scope holds the release. */
export function ruleFor(
  { products }: ReleasePolicy,
  { purl }: Pick<ChosenRelease, 'purl'>,
): ProductRule | undefined {
  return products.find(({ scope }) => matchesScope(scope, purl));
}

function isWanted({ purl }: Pick<ChosenRelease, 'purl'>, wanted: string | undefined): boolean {
  return wanted === undefined || matchesScope(purlScope(wanted), purl);
}

function readIfRelease(signed: SignedStatement): ChosenRelease[] {
  const { statement } = signed;
  if (!(releasePredicateTypes as readonly string[]).includes(statement.predicateType)) return [];
  try {
    const { purl, kind } = readRelease(statement);
    return [{ signed, purl, kind }];
  } catch (error) {
    if (error instanceof DaybookError) return [];
    throw error;
  }
}
