/** A release policy in sentences, for whoever has to answer for it. */
import { formatDuration } from './duration.ts';
import type { TrustPolicy } from './policy.ts';
import type {
  ChannelRule,
  Places,
  PolicyKey,
  ProductRule,
  ReleasePolicy,
  Threshold,
} from './release-policy.ts';

/** One sentence for each thing that it demands, allows or remembers. */
export function describePolicy(policy: ReleasePolicy): string[] {
  const { version, root, trust, products, floors } = policy;
  return [
    `This is version ${version} of the policy${root === undefined ? '; no root keys are named, so it cannot be updated by signature' : `; the next one must be signed by ${count(root)}, and by as many of its own root keys as it wants`}.`,
    ...describeTrust(trust),
    ...describeKeys([...policy.keys.values()]),
    ...products.flatMap(describeProduct),
    ...(floors.treeSize > 0
      ? [`No tree with fewer than ${floors.treeSize} entries is accepted.`]
      : []),
    ...[...floors.channels].map(
      ([channel, least]) =>
        `No statement before number ${least} of the channel ${channel} is accepted.`,
    ),
  ];
}

function describeTrust({ logs, groups, quorum }: TrustPolicy): string[] {
  const origins = [...new Set(logs.map(({ key }) => key.name))];
  const sentence = `Trees must be signed by the log ${origins.join(' or ')}`;
  if (quorum === 'none') return [`${sentence}; no witness needs to have seen them.`];
  const parts = groups.map(
    ({ name, threshold, members }) =>
      `${name} is ${threshold === members.length ? 'all' : threshold} of ${members.join(', ')}`,
  );
  return [
    `${sentence}, and cosigned by ${quorum}${parts.length > 0 ? ` (${parts.join('; ')})` : ''}.`,
  ];
}

function describeKeys(keys: readonly PolicyKey[]): string[] {
  return keys.flatMap(({ name, until }) =>
    until === undefined
      ? []
      : [`What the key ${name} signed counts only below entry ${until}: it was revoked there.`],
  );
}

function describeProduct(rule: ProductRule): string[] {
  const { scope, builders, source, rebuilds, approvals, reviews } = rule;
  const { assembly, signing, checkpointMaxAge, publicFor, downgrade, override } = rule;
  const sentences = [
    `must be released by ${either(rule.issuers)}`,
    builders &&
      `must have provenance signed by ${either(builders.keys)}${builders.ids ? `, for the builder ${builders.ids.join(' or ')}` : ''}`,
    ...(source === undefined ? [] : describeSource(source)),
    rebuilds &&
      `must be reproduced from the same source by ${count(rebuilds)}${rebuilds.sourceChecked ? ', who say that they opened the source commitment' : ''}`,
    approvals && `must be approved by ${count(approvals)}, and be rejected by none of them`,
    reviews &&
      `must be built from a source commitment that was reviewed as a whole by ${count(reviews)}`,
    assembly && `must be assembled ${describePlaces(assembly)}, as its provenance says`,
    signing && `must be signed ${describePlaces(signing)}, as its provenance says`,
    ...rule.channels.map(describeChannel),
    checkpointMaxAge !== undefined &&
      `must come with a quorum of cosignatures that is at most ${formatDuration(checkpointMaxAge)} old`,
    publicFor !== undefined && `must have been public for at least ${formatDuration(publicFor)}`,
    downgrade === 'refuse'
      ? 'is refused when an earlier release than the one accepted before'
      : 'may be an earlier release than the one accepted before',
    override && 'may be installed against this policy, with a reason that is recorded',
  ];
  return sentences
    .filter((sentence) => typeof sentence === 'string')
    .map((sentence) => `${scope.text} ${sentence}.`);
}

function describeSource({
  repository,
  commits,
  commitments,
}: NonNullable<ProductRule['source']>): string[] {
  return [
    repository && `must be built from ${repository}`,
    commits && `must be built from commit ${commits.join(' or ')}`,
    commitments && `must be built from the source commitment ${commitments.join(' or ')}`,
  ].filter((sentence) => sentence !== undefined);
}

function describeChannel({ channel, keys, maxAge, grace }: ChannelRule): string {
  const age = `at most ${formatDuration(maxAge)} old`;
  const limit =
    grace === undefined
      ? ''
      : ` (an AV update: at most ${formatDuration(grace)}, with a warning from then on)`;
  return `must be listed as current in a statement of the channel ${channel}, signed by ${either(keys)}, unexpired and ${age}${limit}`;
}

function describePlaces({ sites, jurisdictions }: Places): string {
  const parts = [
    sites && `at ${sites.join(' or ')}`,
    jurisdictions && `in ${jurisdictions.join(' or ')}`,
  ];
  return parts.filter((part) => part !== undefined).join(' ') || 'anywhere that is named';
}

function either(keys: readonly PolicyKey[]): string {
  return keys.map(nameOf).join(' or ');
}

function count({ threshold, keys }: Threshold): string {
  if (keys.length === 1) return either(keys);
  return `${threshold === keys.length ? 'all' : `at least ${threshold}`} of ${keys.map(nameOf).join(', ')}`;
}

function nameOf({ name, organisation }: PolicyKey): string {
  return organisation === undefined ? name : `${name} (${organisation})`;
}
