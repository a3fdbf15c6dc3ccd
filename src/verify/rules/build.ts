/**
 * How it was built: by whom, from what, where, and who else got the same. One provenance statement
 * must satisfy builder, source, assembly and signing together: two half-true ones are not enough.
 */
import { equalBytes } from '../../encoding/bytes.ts';
import { encodeHex } from '../../encoding/hex.ts';
import type { ErrorCode } from '../../errors.ts';
import {
  provenancePredicateType,
  readProvenance,
  type Place,
  type Provenance,
} from '../../statement/provenance.ts';
import type { Places, ProductRule } from '../release-policy.ts';
import { names, type SignedStatement } from '../shown.ts';
import {
  areAbout,
  found,
  isSignedBy,
  listed,
  Refusal,
  voices,
  type Case,
  type Finding,
} from './rule.ts';

export interface Build {
  readonly signed: SignedStatement;
  readonly provenance: Provenance;
}

/** Provenance that names this artifact and no other product. */
function buildsOf({ sha256, statements, release }: Case): Build[] {
  return statements
    .filter(({ statement }) => statement.predicateType === provenancePredicateType)
    .filter(({ statement }) => names(statement, sha256))
    .flatMap((signed) => {
      const provenance = read(signed);
      return provenance && areAbout(provenance.purls, release.purl) ? [{ signed, provenance }] : [];
    });
}

/** The log admitted it, so that it can be read; a log that lies must not stop the others from counting. */
function read({ statement }: SignedStatement): Provenance | undefined {
  try {
    return readProvenance(statement);
  } catch {
    return undefined;
  }
}

interface BuildRule {
  readonly name: 'builder' | 'source' | 'assembly' | 'signing';
  readonly code: ErrorCode;
  /** What is wanted, in words; undefined when the policy does not ask. */
  readonly wanted: (rule: ProductRule) => string | undefined;
  readonly holds: (build: Build, rule: ProductRule) => boolean;
  readonly shown: (build: Build) => string;
}

const buildRules: readonly BuildRule[] = [
  {
    name: 'builder',
    code: 'builder-refused',
    wanted: (rule) =>
      asksForBuild(rule)
        ? `provenance by ${trusted(rule)
            .map(({ name }) => name)
            .join(
              ' or ',
            )}${rule.builders?.ids ? ` for the builder ${rule.builders.ids.join(' or ')}` : ''}`
        : undefined,
    holds: ({ signed, provenance }, rule) =>
      isSignedBy(signed, trusted(rule)) &&
      (rule.builders?.ids?.includes(provenance.builderId) ?? true),
    shown: ({ signed, provenance }) => `${provenance.builderId}, signed by ${signed.key.name}`,
  },
  {
    name: 'source',
    code: 'source-refused',
    wanted: ({ source }) => {
      if (source === undefined) return undefined;
      const { repository, commits, commitments } = source;
      const parts = [
        repository,
        commits && `commit ${commits.join(' or ')}`,
        commitments && `the commitment ${commitments.join(' or ')}`,
      ];
      return parts.filter((part) => part !== undefined).join(', ') || 'any source';
    },
    holds: ({ provenance }, { source }) => source === undefined || isFrom(provenance, source),
    shown: ({ provenance }) => sourceOf(provenance),
  },
  {
    name: 'assembly',
    code: 'place-refused',
    wanted: ({ assembly }) => assembly && placesInWords(assembly),
    holds: ({ provenance }, { assembly }) => isAt(provenance.assembly, assembly),
    shown: ({ provenance }) => placeInWords(provenance.assembly),
  },
  {
    name: 'signing',
    code: 'place-refused',
    wanted: ({ signing }) => signing && placesInWords(signing),
    holds: ({ provenance }, { signing }) => isAt(provenance.signing, signing),
    shown: ({ provenance }) => placeInWords(provenance.signing),
  },
];

export interface BuildResult {
  readonly rule: BuildRule['name'];
  readonly outcome: Finding | Refusal;
}

/** The builds that satisfy all of these rules, newest first, and each rule's outcome; rules that the policy does not have are left out. */
export function judgeBuilds(given: Case): { builds: readonly Build[]; results: BuildResult[] } {
  const results: BuildResult[] = [];
  let builds = buildsOf(given).reverse();
  let failed = false;
  for (const { name, code, wanted, holds, shown } of buildRules) {
    const want = wanted(given.rule);
    if (want === undefined) continue;
    const fitting = builds.filter((build) => holds(build, given.rule));
    const [first] = fitting;
    if (first === undefined) {
      const about = builds.map(({ signed }) => signed);
      const had = builds.map(shown).join('; ') || 'no provenance of this file';
      results.push({ rule: name, outcome: new Refusal(code, `want ${want}; found ${had}`, about) });
      failed = true;
      continue;
    }
    builds = fitting;
    results.push({ rule: name, outcome: found(shown(first), [first.signed]) });
  }
  return { builds: failed ? [] : builds, results };
}

/** Of this one build: rebuilds of another source say nothing about it. */
export function checkRebuilds(given: Case, build: Build | undefined): Finding | undefined {
  const { rule } = given;
  const { rebuilds } = rule;
  if (rebuilds === undefined) return undefined;
  const own = [...rule.issuers, ...trusted(rule)];
  const same = buildsOf(given).filter(
    ({ signed, provenance }) =>
      isSignedBy(signed, rebuilds.keys) &&
      !isSignedBy(signed, own) &&
      build !== undefined &&
      isSameSource(provenance, build.provenance) &&
      (!rebuilds.sourceChecked || opened(provenance, build.provenance)),
  );
  const counted = voices(same.map(({ signed }) => signed));
  if (counted.length >= rebuilds.threshold) {
    return found(`reproduced by ${listed(counted)}`, counted);
  }
  throw new Refusal(
    'not-reproduced',
    `reproduced from the same source by ${listed(counted)}, want ${rebuilds.threshold} of ${rebuilds.keys.map(({ name }) => name).join(', ')}${rebuilds.sourceChecked ? ', who opened the source commitment' : ''}`,
    counted,
  );
}

/** Warns of each rebuild that was compared with this artifact and came out different. */
export function warnOfMismatches({ statements, sha256, rule, warn }: Case): void {
  for (const signed of statements) {
    if (signed.statement.predicateType !== provenancePredicateType) continue;
    if (names(signed.statement, sha256) || !isSignedBy(signed, rule.rebuilds?.keys ?? [])) continue;
    const claims = read(signed)?.claims;
    if (claims === undefined || !equalBytes(claims, sha256)) continue;
    warn(`${signed.key.name} rebuilt it and got another file (entry ${signed.index})`);
  }
}

function asksForBuild({
  builders,
  source,
  assembly,
  signing,
  rebuilds,
  reviews,
}: ProductRule): boolean {
  return [builders, source, assembly, signing, rebuilds, reviews].some(
    (rule) => rule !== undefined,
  );
}

/** Whose provenance counts: builders that are named, else the issuers themselves. */
function trusted({ builders, issuers }: ProductRule): ProductRule['issuers'] {
  return builders?.keys ?? issuers;
}

function isFrom(
  { source, commitments }: Provenance,
  wanted: NonNullable<ProductRule['source']>,
): boolean {
  const at = source?.lastIndexOf('@') ?? -1;
  const [repository, commit] =
    at === -1 ? [source, undefined] : [source?.slice(0, at), source?.slice(at + 1)];
  return (
    (wanted.repository === undefined || wanted.repository === repository) &&
    (wanted.commits === undefined || (commit !== undefined && wanted.commits.includes(commit))) &&
    (wanted.commitments === undefined ||
      (commitments.length > 0 &&
        commitments.every((root) => wanted.commitments?.includes(encodeHex(root)))))
  );
}

/** All that the build names, the rebuild names too; and the build names something. */
function isSameSource(rebuild: Provenance, build: Provenance): boolean {
  const holds = (root: Uint8Array): boolean =>
    rebuild.commitments.some((other) => equalBytes(other, root));
  return (
    (build.source !== undefined || build.commitments.length > 0) &&
    (build.source === undefined || build.source === rebuild.source) &&
    build.commitments.every(holds)
  );
}

/** One commitment is opened in a statement: a build that names a second one was not checked. */
function opened({ sourceChecked }: Provenance, { commitments }: Provenance): boolean {
  return (
    sourceChecked !== undefined &&
    commitments.length > 0 &&
    commitments.every((root) => equalBytes(root, sourceChecked))
  );
}

function isAt({ site, jurisdiction }: Place, wanted: Places | undefined): boolean {
  const { sites, jurisdictions } = wanted ?? {};
  return (
    (sites === undefined || (site !== undefined && sites.includes(site))) &&
    (jurisdictions === undefined ||
      (jurisdiction !== undefined && jurisdictions.includes(jurisdiction)))
  );
}

function sourceOf({ source, commitments }: Provenance): string {
  const roots = commitments.map((root) => `commitment ${encodeHex(root)}`);
  return [source, ...roots].filter((part) => part !== undefined).join(', ') || 'no source named';
}

function placeInWords({ site, jurisdiction }: Place): string {
  return [site, jurisdiction].filter((part) => part !== undefined).join(', ') || 'no place named';
}

function placesInWords({ sites, jurisdictions }: Places): string {
  const parts = [sites?.join(' or '), jurisdictions && `in ${jurisdictions.join(' or ')}`];
  return parts.filter((part) => part !== undefined).join(' ') || 'any place';
}
