/** Attacks with something older than the client has seen. */
import { utf8 } from '../../../src/encoding/bytes.ts';
import { encodeHex } from '../../../src/encoding/hex.ts';
import { artifact, purl, release } from '../release-scene.ts';
import { type Attack, give, say, seen, stable } from './changes.ts';

export function histories(): Attack[] {
  return [
    [
      'a smaller tree than was seen',
      'head: log-forked',
      /size 16, but size 17 was seen before/,
      (draft) => {
        draft.state = seen({ heads: { 'log.example': { size: 17, root: '0'.repeat(64) } } });
      },
    ],
    [
      'another tree of the size that was seen',
      'head: log-forked',
      /another root than was seen before/,
      (draft) => {
        draft.state = seen({ heads: { 'log.example': { size: 16, root: '0'.repeat(64) } } });
      },
    ],
    [
      'a smaller tree than the policy knows of, on a first install',
      'head: log-forked',
      /size 1000 is the floor of the policy/,
      (draft) => void (draft.policy.floors.treeSize = 1000),
    ],
    [
      'a log that shows two trees of one size',
      'head: log-forked',
      /two trees of log.example have size 16/,
      (draft) =>
        give(draft, async ({ proof, channels }, { log, indexes, file }) => {
          const fork = log.fork(log.entries.length - 1, utf8('only for you'));
          return { proof, channels: [await file([indexes.stable!], { log: fork }), channels[1]!] };
        }),
    ],
    [
      'an older policy than was used',
      'policy: policy-rollback',
      /version 3, but version 4 was used/,
      (draft) => void (draft.state = seen({ policyVersion: 4 })),
    ],
    [
      'a downgrade',
      'downgrade: downgrade',
      /released as entry 5, but the release of entry 9/,
      (draft) => void (draft.state = seen({ releases: { 'log.example generic/acme/scanner': 9 } })),
    ],
    [
      'a downgrade under a qualifier that the old release had',
      'downgrade: downgrade',
      /entry 9 was accepted before/,
      (draft) => {
        const old = `${purl}?download_url=https://old.example`;
        say(draft, 'release', release({ purl: old }));
        stable(draft).current = [{ purl: old, sha256: [encodeHex(artifact)] }];
        draft.channels.approved!.current = stable(draft).current;
        draft.state = seen({ releases: { 'log.example generic/acme/scanner': 9 } });
      },
    ],
  ];
}
