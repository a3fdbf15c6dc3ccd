/** What was seen before, and when: no smaller tree, no fork, no downgrade, nothing stale, nothing too new. */
import { encodeHex } from '../../encoding/hex.ts';
import type { Purl } from '../../statement/purl.ts';
import { formatDuration } from '../duration.ts';
import type { ReleasePolicy } from '../release-policy.ts';
import type { ShownTree } from '../shown.ts';
import type { TrustState } from '../trust-state.ts';
import { found, Refusal, type Case, type Finding } from './rule.ts';

export function checkPolicyVersion(
  { version }: ReleasePolicy,
  { policyVersion }: TrustState,
): Finding {
  if (version >= policyVersion) return found(`version ${version}`);
  throw new Refusal(
    'policy-rollback',
    `the policy has version ${version}, but version ${policyVersion} was used before`,
  );
}

/** The largest tree of each log that was shown; throws `log-forked` where one went back or forked. */
export function checkHeads(
  trees: readonly ShownTree[],
  { heads }: TrustState,
  { floors }: ReleasePolicy,
): Map<string, ShownTree> {
  const largest = new Map<string, ShownTree>();
  for (const tree of trees) {
    const other = largest.get(tree.origin);
    if (other?.size === tree.size && encodeHex(other.root) !== encodeHex(tree.root)) {
      throw new Refusal(
        'log-forked',
        `two trees of ${tree.origin} have size ${tree.size} and different roots: keep both files, and tell others`,
      );
    }
    if (other === undefined || tree.size > other.size) largest.set(tree.origin, tree);
  }
  for (const [origin, { size, root }] of largest) {
    const before = Object.hasOwn(heads, origin) ? heads[origin] : undefined;
    const least = Math.max(before?.size ?? 0, floors.treeSize);
    if (size < least) {
      throw new Refusal(
        'log-forked',
        `the newest tree of ${origin} that was shown has size ${size}, but size ${least} ${least === before?.size ? 'was seen before' : 'is the floor of the policy'}: refresh the release or channel file`,
      );
    }
    if (before?.size === size && before.root !== encodeHex(root)) {
      throw new Refusal(
        'log-forked',
        `the tree of ${origin} at size ${size} has another root than was seen before: keep the file, and tell others`,
      );
    }
  }
  return largest;
}

export function checkCheckpointAge(given: Case, newest: number | undefined): Finding | undefined {
  const { checkpointMaxAge } = given.rule;
  if (checkpointMaxAge === undefined) return undefined;
  const wanted = `want at most ${formatDuration(checkpointMaxAge)}`;
  if (newest === undefined) {
    throw new Refusal(
      'checkpoint-stale',
      `no quorum of witnesses tells how old the checkpoint is, ${wanted}`,
    );
  }
  const age = given.time - newest;
  if (age <= checkpointMaxAge) return found(`cosigned ${Math.max(age, 0)} seconds ago`);
  throw new Refusal(
    'checkpoint-stale',
    `the newest checkpoint was cosigned ${age} seconds ago, ${wanted}`,
  );
}

export function checkPublicFor({ rule, time, tree }: Case): Finding | undefined {
  const { publicFor } = rule;
  if (publicFor === undefined) return undefined;
  const wanted = `want ${formatDuration(publicFor)}`;
  if (tree.quorumTime === undefined) {
    throw new Refusal('too-new', `no quorum of witnesses tells since when it is public, ${wanted}`);
  }
  const age = time - tree.quorumTime;
  if (age >= publicFor) return found(`public for at least ${age} seconds`);
  throw new Refusal('too-new', `it is known to be public for ${age} seconds, ${wanted}`);
}

export function checkDowngrade({ rule, state, tree, release }: Case): Finding | undefined {
  if (rule.downgrade === 'allow') return undefined;
  const key = productKey(tree.origin, release.purl);
  const before = Object.hasOwn(state.releases, key) ? (state.releases[key] ?? 0) : 0;
  const { index } = release.signed;
  if (index >= before) return found(`no older than what was accepted before`, [release.signed]);
  throw new Refusal(
    'downgrade',
    `it was released as entry ${index}, but the release of entry ${before} was accepted before`,
    [release.signed],
  );
}

/**
 * A product in a log: the purl without its version, and without qualifiers but the registry and the
 * architecture. Others, such as a download's URL, change from version to version: an old release would
 * then pass for another product's.
 */
export function productKey(origin: string, { type, path, qualifiers }: Purl): string {
  const { repository_url: registry = '', arch = '' } = qualifiers;
  const variant = registry === '' && arch === '' ? '' : ` ${JSON.stringify([registry, arch])}`;
  return `${origin} ${type}/${path.map(encodeURIComponent).join('/')}${variant}`;
}
