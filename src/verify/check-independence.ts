/** Whether those whom a policy counts are as many, and as independent, as it seems. */
import { error, warning, type PolicyFinding } from './policy-finding.ts';
import { foldName, operatorsOf, quorumOperators } from './quorum-operators.ts';
import type { PolicyKey, ProductRule, ReleasePolicy, Threshold } from './release-policy.ts';

/** Rules that count voices from outside, and what they call one. */
const outside = { rebuilds: 'rebuilder', approvals: 'supervisor', reviews: 'reviewer' } as const;

export function checkIndependence(policy: ReleasePolicy): PolicyFinding[] {
  return [
    ...policy.products.flatMap((rule) =>
      Object.entries(outside).flatMap(([name, who]) => {
        const threshold = rule[name as keyof typeof outside];
        return threshold === undefined ? [] : checkVoices(rule, threshold, who);
      }),
    ),
    ...checkOrganisations(policy),
  ];
}

function checkVoices(
  rule: ProductRule,
  { threshold, keys }: Threshold,
  who: string,
): PolicyFinding[] {
  const product = rule.scope.text;
  const own = [...rule.issuers, ...(rule.builders?.keys ?? [])];
  const findings = keys
    .filter((key) => own.includes(key))
    .map(({ name }) =>
      error(
        'own-key',
        `${product}: the ${who} key ${name} is one of its issuers' or builders' keys: want somebody else's`,
      ),
    );
  const vendors = new Set(own.map(folded).filter((each) => each !== undefined));
  for (const key of keys.filter((each) => !own.includes(each))) {
    if (!vendors.has(folded(key) ?? '')) continue;
    findings.push(
      warning(
        'own-organisation',
        `${product}: the ${who} ${key.name} belongs to ${key.organisation}, as an issuer or builder does`,
      ),
    );
  }
  return threshold < 2 ? findings : [...findings, ...checkCounted(product, threshold, keys, who)];
}

/** The verdict counts an organisation once; what it cannot know is left to the policy. */
function checkCounted(
  product: string,
  threshold: number,
  keys: readonly PolicyKey[],
  who: string,
): PolicyFinding[] {
  const findings: PolicyFinding[] = [];
  const byOrganisation = Map.groupBy(keys, (key) => folded(key) ?? `key ${key.key.fingerprint}`);
  if (byOrganisation.size < threshold) {
    const message = `${product}: ${threshold} ${who}s are wanted, but the keys belong to ${byOrganisation.size}, and each counts once`;
    findings.push(error('threshold-unreachable', message));
  }
  for (const same of byOrganisation.values()) {
    const names = same.map(({ name }) => name).join(' and ');
    const spellings = new Set(same.map(({ organisation }) => organisation));
    if (spellings.size > 1) {
      const message = `${product}: ${names} count as different ${who}s, but differ in how "${[...spellings].join('" and "')}" is written only`;
      findings.push(error('operator-twice', message));
    } else if (same.length > 1) {
      const message = `${product}: the ${who}s ${names} are both ${same[0]?.organisation}, and count once`;
      findings.push(warning('organisation-twice', message));
    }
  }
  const unknown = keys.filter(({ organisation }) => organisation === undefined);
  if (unknown.length > 0) {
    const names = unknown.map(({ name }) => name).join(', ');
    const message = `${product}: ${threshold} ${who}s are wanted, but whose keys ${names} are is not said: one may count twice; add "organisation"`;
    findings.push(warning('organisation-unknown', message));
  }
  return findings;
}

/** One organisation that runs two of log, registrar, witnesses and rebuilders watches itself. */
function checkOrganisations(policy: ReleasePolicy): PolicyFinding[] {
  const { trust, organisations, products } = policy;
  const operatorOf = operatorsOf(trust, organisations.witnesses);
  const rebuilders = new Set(products.flatMap(({ rebuilds }) => rebuilds?.keys ?? []));
  const roles: (readonly [string, string | undefined])[] = [
    ['log', organisations.log],
    ['registrar', organisations.registrar],
    ...quorumOperators(policy).witnesses.map((each) => ['witness', operatorOf(each)] as const),
    ...[...rebuilders].map(({ organisation }) => ['rebuilder', organisation] as const),
  ];
  const byOrganisation = new Map<string, { name: string; roles: Set<string> }>();
  for (const [role, name] of roles) {
    if (name === undefined) continue;
    const key = foldName(name);
    const known = byOrganisation.get(key) ?? { name, roles: new Set() };
    known.roles.add(role);
    byOrganisation.set(key, known);
  }
  const shared = [...byOrganisation.values()].filter((each) => each.roles.size > 1);
  const missing = (['log', 'registrar'] as const).filter(
    (each) => organisations[each] === undefined,
  );
  return [
    ...shared.map(({ name, roles: held }) =>
      warning('same-organisation', `${name} is ${[...held].join(' and ')}: it watches over itself`),
    ),
    ...(missing.length === 0
      ? []
      : [
          warning(
            'organisation-unknown',
            `organisations does not say who runs the ${missing.join(' and the ')}, so that they cannot be compared with the others`,
          ),
        ]),
  ];
}

function folded({ organisation }: PolicyKey): string | undefined {
  return organisation === undefined ? undefined : foldName(organisation);
}
