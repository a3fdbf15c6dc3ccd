/**
 * What is wrong or weak in a release policy: it parses, but it does not protect as it seems to. Errors
 * are never right; warnings may be meant.
 */
import { matchesScope } from '../statement/purl.ts';
import { checkIndependence } from './check-independence.ts';
import { formatDuration } from './duration.ts';
import { error, warning, type PolicyFinding } from './policy-finding.ts';
import { quorumOperators } from './quorum-operators.ts';
import type { ChannelRule, PolicyKey, ProductRule, ReleasePolicy } from './release-policy.ts';

/** Older channel statements than this keep a withdrawal from clients for too long. */
const longAge = 7 * 86_400;

/** Errors first. */
export function checkPolicy(policy: ReleasePolicy): PolicyFinding[] {
  const findings = [
    ...checkQuorum(policy),
    ...checkRoot(policy),
    ...policy.products.flatMap((rule, i) => checkProduct(policy, rule, i)),
    ...checkIndependence(policy),
    ...checkFloors(policy),
    ...checkUse(policy),
  ];
  const isError = ({ severity }: PolicyFinding): number => (severity === 'error' ? 0 : 1);
  return findings.sort((a, b) => isError(a) - isError(b));
}

function checkQuorum(policy: ReleasePolicy): PolicyFinding[] {
  const { trust, organisations } = policy;
  const unknown = [...organisations.witnesses.keys()]
    .filter((name) => !trust.witnesses.some((witness) => witness.name === name))
    .map((name) =>
      error(
        'unknown-witness',
        `organisations.witnesses names "${name}", which is no witness of trust`,
      ),
    );
  if (trust.quorum === 'none') {
    const message =
      'quorum none: the log alone decides what it shows to whom, and nothing tells the age of its trees; name witnesses';
    return [...unknown, warning('quorum-none', message)];
  }
  const { witnesses, operators, twice, alone } = quorumOperators(policy);
  const unused = trust.witnesses
    .filter((witness) => !witnesses.includes(witness))
    .map(({ name }) => warning('witness-unused', `the witness ${name} is not part of the quorum`));
  return [
    ...unknown,
    ...twice.map(({ group, operator, members, alone: byItself }) =>
      byItself
        ? error(
            'operator-twice',
            `${operator} counts ${members.length} times towards ${group.threshold} of ${group.name}, as ${members.join(' and ')}: put its keys into one group "any", and that into ${group.name}`,
          )
        : warning(
            'operator-shared',
            `${operator} is among those who fill ${members.join(' and ')}, of which ${group.name} wants ${group.threshold}`,
          ),
    ),
    ...(operators.length > 0 && alone.length > 0
      ? [
          warning(
            'quorum-one-operator',
            `${alone.join(' or ')} reaches the quorum alone; want at least two operators`,
          ),
        ]
      : []),
    ...unused,
  ];
}

function checkRoot({ root, products }: ReleasePolicy): PolicyFinding[] {
  if (root === undefined) {
    return [
      warning(
        'no-root',
        'no root keys: keys of witnesses, issuers and the log cannot change in the field',
      ),
    ];
  }
  const findings: PolicyFinding[] = [];
  if (root.threshold === 1) {
    findings.push(
      warning('root-single', 'one root key alone can replace this policy; want two or more'),
    );
  } else if (root.threshold === root.keys.length) {
    findings.push(
      warning(
        'root-no-spare',
        'every root key must sign: with one lost, the policy can never be updated',
      ),
    );
  }
  for (const { name } of root.keys.filter(({ until }) => until !== undefined)) {
    const message = `the root key ${name} has "until", but policies are not entries of the log: take it out of root`;
    findings.push(error('root-until', message));
  }
  const used = new Set(products.flatMap(keysOfProduct));
  for (const key of root.keys.filter((each) => used.has(each))) {
    findings.push(
      warning(
        'root-in-use',
        `the root key ${key.name} also signs statements; root keys belong offline`,
      ),
    );
  }
  return findings;
}

function checkProduct(policy: ReleasePolicy, rule: ProductRule, i: number): PolicyFinding[] {
  const { scope, channels, checkpointMaxAge, publicFor } = rule;
  const product = scope.text;
  const findings: PolicyFinding[] = [];
  const first = policy.products.slice(0, i).find((other) => matchesScope(other.scope, scope));
  if (first !== undefined) {
    const message = `${product} never counts: ${first.scope.text} before it covers it; put the narrower one first`;
    findings.push(error('unreachable', message));
  }
  if (policy.trust.quorum === 'none' && (checkpointMaxAge ?? publicFor) !== undefined) {
    const which = checkpointMaxAge === undefined ? 'publicFor' : 'checkpointMaxAge';
    const message = `${product}: ${which} can never hold with quorum none, as only witnesses tell the time`;
    findings.push(error('no-time', message));
  }
  if (channels.length === 0) {
    const message = `${product}: no channel is demanded, so that withdrawals do not reach clients`;
    findings.push(warning('no-channel', message));
    if (checkpointMaxAge === undefined) {
      const old = `${product}: nothing limits how old what is shown may be: whoever holds back AV updates is not noticed`;
      findings.push(warning('no-freshness', old));
    }
  }
  if (rule.rebuilds === undefined && rule.approvals === undefined) {
    const message = `${product}: nobody but its vendor vouches for it; demand rebuilds or approvals`;
    findings.push(warning('vendor-only', message));
  }
  if (rule.downgrade === 'allow') {
    const message = `${product}: an old release with a known hole may take the place of a newer one`;
    findings.push(warning('downgrade-allowed', message));
  }
  if (rule.override) {
    findings.push(
      warning('override-allowed', `${product}: whoever installs may override the policy`),
    );
  }
  return [
    ...findings,
    ...channels.flatMap((channel) => checkChannel(product, rule, channel)),
    ...checkLive(product, rule),
  ];
}

function checkChannel(
  product: string,
  { issuers }: ProductRule,
  { channel, keys, maxAge, grace }: ChannelRule,
): PolicyFinding[] {
  const longest = Math.max(maxAge, grace ?? 0);
  const what = `${product}, channel ${channel}`;
  return [
    ...keys
      .filter((key) => issuers.includes(key))
      .map(({ name }) =>
        warning(
          'channel-key-shared',
          `${what}: the key ${name} also releases, so that whoever steals it can list what it releases as current`,
        ),
      ),
    ...(longest > longAge
      ? [
          warning(
            'long-age',
            `${what}: a withdrawal may stay unknown for ${formatDuration(longest)}; want at most ${formatDuration(longAge)}`,
          ),
        ]
      : []),
  ];
}

/** Keys that were revoked leave too few for anything new. */
function checkLive(product: string, rule: ProductRule): PolicyFinding[] {
  const wanted: [string, number, readonly PolicyKey[]][] = [
    ['issuers', 1, rule.issuers],
    ...rule.channels.map(({ channel, keys }): [string, number, readonly PolicyKey[]] => [
      `channel ${channel}`,
      1,
      keys,
    ]),
  ];
  if (rule.builders) wanted.push(['builders', 1, rule.builders.keys]);
  for (const name of ['rebuilds', 'approvals', 'reviews'] as const) {
    const threshold = rule[name];
    if (threshold) wanted.push([name, threshold.threshold, threshold.keys]);
  }
  return wanted.flatMap(([what, least, keys]) => {
    const live = keys.filter(({ until }) => until === undefined).length;
    if (live >= least) return [];
    const message = `${product}, ${what}: ${live} keys are not revoked, want ${least}: nothing new can pass`;
    return [warning('keys-revoked', message)];
  });
}

function checkFloors({ floors, products }: ReleasePolicy): PolicyFinding[] {
  const channels = new Set(products.flatMap((rule) => rule.channels.map(({ channel }) => channel)));
  const without = [...channels].filter((channel) => !floors.channels.has(channel));
  const findings: PolicyFinding[] = [];
  if (floors.treeSize === 0 || without.length > 0) {
    const missing = [
      ...(floors.treeSize === 0 ? ['treeSize'] : []),
      ...without.map((channel) => `channels "${channel}"`),
    ].join(', ');
    const message = `floors without ${missing}: a first install accepts any old state that has not expired`;
    findings.push(warning('no-floor', message));
  }
  for (const channel of [...floors.channels.keys()].filter((each) => !channels.has(each))) {
    const message = `floors.channels names "${channel}", which no product demands`;
    findings.push(warning('floor-unused', message));
  }
  return findings;
}

function checkUse({ keys, root, products }: ReleasePolicy): PolicyFinding[] {
  const used = new Set([...(root?.keys ?? []), ...products.flatMap(keysOfProduct)]);
  return [...keys.values()]
    .filter((key) => !used.has(key))
    .map(({ name }) => warning('key-unused', `the key ${name} is named by no rule`));
}

function keysOfProduct(rule: ProductRule): PolicyKey[] {
  const { issuers, builders, rebuilds, approvals, reviews, channels } = rule;
  const others = [builders, rebuilds, approvals, reviews, ...channels];
  return [...issuers, ...others.flatMap((part) => part?.keys ?? [])];
}
