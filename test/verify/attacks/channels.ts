/** Attacks on what is current and what is withdrawn. */
import { encodeHex } from '../../../src/encoding/hex.ts';
import { formatReleaseFile, parseReleaseFile } from '../../../src/proof/release-file.ts';
import { MemoryLog } from '../../client/memory-log.ts';
import { artifact, DAY, HOUR, NOW, purl, release } from '../release-scene.ts';
import {
  type Attack,
  give,
  graced,
  other,
  retext,
  rule,
  say,
  seen,
  sequence,
  stable,
  withdraw,
} from './changes.ts';

export function channels(): Attack[] {
  return [
    [
      'no channel statement',
      'channel: channel-missing',
      /no statement of the channel acme\/stable by acme-channel was shown$/,
      (draft) => void delete draft.channels.stable,
    ],
    [
      "no statement of the supervisor's channel",
      'channel: channel-missing',
      /bsi\/approved/,
      (draft) => void delete draft.channels.approved,
    ],
    [
      'a channel statement by a stranger',
      'channel: channel-missing',
      /acme\/stable/,
      (draft) => void (stable(draft).by = 'stranger'),
    ],
    [
      "a channel statement by the issuer's key, which is not the channel's",
      'channel: channel-missing',
      /acme\/stable by acme-channel/,
      (draft) => void (stable(draft).by = 'acme-release'),
    ],
    [
      'a channel statement by a key that was revoked before',
      'channel: channel-missing',
      /acme\/stable/,
      (draft) => void (draft.policy.keys['acme-channel']!.until = 11),
    ],
    [
      'a statement of another channel',
      'channel: channel-missing',
      /acme\/stable/,
      (draft) => void (stable(draft).channel = 'acme/beta'),
    ],
    [
      'a channel statement for another log',
      'channel: channel-missing',
      /acme\/stable/,
      (draft) => void (stable(draft).origin = 'other.example'),
    ],
    [
      'a channel statement in another log of the policy',
      'channel: channel-missing',
      /acme\/stable/,
      async (draft) => {
        const second = await MemoryLog.create([], 'second.example');
        draft.policy.trust.unshift(`log ${second.vkey}`);
        stable(draft).origin = 'second.example';
        give(draft, async ({ proof, channels: [, approved] }, { log, indexes, file }) => {
          second.entries.push(...log.entries);
          return { proof, channels: [await file([indexes.stable!], { log: second }), approved!] };
        });
      },
    ],
    [
      'a channel file without a quorum',
      'channel: channel-missing',
      /one was refused: quorum "witnesses" is not reached/,
      (draft) =>
        give(draft, async ({ proof, channels: [, approved] }, { log, indexes, file, note }) => {
          const lonely = await file([indexes.stable!], { note: await note(log, { w1: NOW }) });
          return { proof, channels: [lonely, approved!] };
        }),
    ],
    [
      'a channel statement that was never logged',
      'channel: channel-missing',
      /one was refused: proof leads to root/,
      (draft) =>
        give(draft, ({ proof, channels: [file, approved] }) => {
          const parsed = parseReleaseFile(file!);
          const forged = retext(parsed.entries[0]!.entry, /"sig":"../, '"sig":"AA');
          const entries = [{ index: parsed.entries[0]!.index, entry: forged }];
          return { proof, channels: [formatReleaseFile({ ...parsed, entries }), approved!] };
        }),
    ],
    [
      'a channel statement that has expired',
      'channel: channel-stale',
      /expired at/,
      (draft) => Object.assign(stable(draft), { issued: NOW - 2 * HOUR, expires: NOW }),
    ],
    [
      'a channel statement that is older than the policy allows',
      'channel: channel-stale',
      /is 172800 seconds old, want at most 25h/,
      (draft) => void (stable(draft).issued = NOW - 2 * DAY),
    ],
    [
      'an old channel statement under a new checkpoint, while the clock is set back',
      'channel: channel-stale',
      /seconds old, want at most 25h/,
      (draft) => {
        stable(draft).issued = NOW - 2 * DAY;
        draft.now = NOW - DAY;
        draft.cosigned = { w1: NOW - DAY + 250, w2: NOW - DAY + 250, w3: NOW - DAY + 250 };
        draft.state = seen({ time: NOW });
      },
    ],
    [
      'a channel that is frozen, all of it, after the client has seen a later time',
      'channel: channel-stale',
      /seconds old, want at most 25h/,
      (draft) => {
        delete rule(draft).checkpointMaxAge;
        draft.state = seen({ time: NOW + DAY + 1 });
        stable(draft).expires = NOW + 30 * DAY;
      },
    ],
    [
      'a channel statement that is issued in the future, to last longer',
      'channel: channel-stale',
      /issued in the future/,
      (draft) => Object.assign(stable(draft), { issued: NOW + HOUR, expires: NOW + 2 * HOUR }),
    ],
    [
      'a grace for what is no AV update',
      'channel: channel-stale',
      /want at most 25h/,
      (draft) => {
        graced(draft);
        stable(draft).issued = NOW - 2 * DAY;
      },
    ],
    [
      'an AV update beyond its grace',
      'channel: channel-stale',
      /want at most 25h/,
      (draft) => {
        graced(draft);
        say(draft, 'release', release({ kind: 'av-update' }));
        stable(draft).issued = NOW - 8 * DAY;
      },
    ],
    [
      'an older channel statement than was seen',
      'channel: channel-rollback',
      /shown at statement 7, but 8 was seen before/,
      (draft) =>
        void (draft.state = seen({ channels: { 'log.example acme/stable': sequence(8) } })),
    ],
    [
      'another channel statement of the sequence that was seen',
      'channel: channel-rollback',
      /another statement 7 than was seen before/,
      (draft) =>
        void (draft.state = seen({ channels: { 'log.example acme/stable': sequence(7) } })),
    ],
    [
      'an older channel statement than the policy knows of, on a first install',
      'channel: channel-rollback',
      /statement 7, the policy knows of 12/,
      (draft) => void (draft.policy.floors.channels['acme/stable'] = 12),
    ],
    [
      'two channel statements of one sequence',
      'channel: channel-rollback',
      /two statements of sequence 7/,
      (draft) => void (draft.channels.twin = { ...stable(draft), issued: NOW - 2 * HOUR }),
    ],
    [
      'two channel statements of one sequence under a newer one',
      'channel: channel-rollback',
      /two statements of sequence 7/,
      (draft) => {
        draft.channels.twin = { ...stable(draft), issued: NOW - 2 * HOUR };
        draft.channels.newest = { ...stable(draft), sequence: 8 };
      },
    ],
    [
      'a withdrawn release',
      'channel: withdrawn',
      /withdrawn in the channel acme\/stable: CVE-2026-1/,
      (draft) => withdraw(stable(draft)),
    ],
    [
      'a withdrawn release, with the statement before its withdrawal beside',
      'channel: withdrawn',
      /CVE-2026-1/,
      (draft) => {
        draft.channels.later = { ...stable(draft), sequence: 8 };
        withdraw(draft.channels.later);
      },
    ],
    [
      'a withdrawn release, in a statement that has expired since',
      'channel: withdrawn',
      /CVE-2026-1/,
      (draft) => {
        withdraw(stable(draft));
        Object.assign(stable(draft), { issued: NOW - 2 * DAY, expires: NOW - DAY });
      },
    ],
    [
      "a release that is rejected in the supervisor's channel",
      'channel: rejected',
      /rejected in the channel bsi\/approved: CVE-2026-1/,
      (draft) => withdraw(draft.channels.approved!),
    ],
    [
      "a release that the supervisor's channel does not list",
      'channel: not-current',
      /bsi\/approved/,
      (draft) => void (draft.channels.approved!.current = []),
    ],
    [
      'bytes of its own for one client, which no public channel entry names',
      'channel: not-current',
      /not among what the channel acme\/stable lists as current/,
      (draft) => {
        stable(draft).current = [{ purl, sha256: [encodeHex(other)] }];
      },
    ],
    [
      'bytes that the channel lists for another product',
      'channel: not-current',
      /acme\/stable/,
      (draft) => {
        stable(draft).current = [
          { purl: 'pkg:generic/acme/console@1.2.3', sha256: [encodeHex(artifact)] },
        ];
      },
    ],
  ];
}
