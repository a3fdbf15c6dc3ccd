/** Attacks on the proof: what is logged, by which log, and who cosigned it when. */
import { decodeUtf8, utf8 } from '../../../src/encoding/bytes.ts';
import { leafIndex } from '../../../src/encoding/integer.ts';
import { formatEnvelope, signEnvelope } from '../../../src/statement/dsse.ts';
import { inTotoPayloadType } from '../../../src/statement/in-toto.ts';
import { MemoryLog, numbered } from '../../client/memory-log.ts';
import { artifact, DAY, NOW, release } from '../release-scene.ts';
import { type Attack, give, retext, rule, tamper } from './changes.ts';

export function proofs(): Attack[] {
  return [
    [
      'a release that was never logged',
      'inclusion: inclusion-invalid',
      /leads to root/,
      (draft, scene) =>
        tamper(draft, async (file) => {
          const forged = formatEnvelope(
            await signEnvelope(inTotoPayloadType, release({ releaseId: 'unlogged' }), [
              scene.signer('acme-release'),
            ]),
          );
          file.entries = file.entries.map((each, i) =>
            i === 0 ? { ...each, entry: forged } : each,
          );
        }),
    ],
    [
      'a proof of another leaf',
      'inclusion: inclusion-invalid',
      /leads to root/,
      (draft) =>
        tamper(draft, (file) => {
          const [first, second, ...others] = file.entries;
          file.entries = [
            { index: first!.index, entry: second!.entry },
            { index: second!.index, entry: first!.entry },
            ...others,
          ];
        }),
    ],
    [
      'a proof with a forged hash',
      'inclusion: inclusion-invalid',
      /leads to root/,
      (draft) =>
        tamper(draft, (file) => {
          file.proof = file.proof.with(0, artifact as (typeof file.proof)[number]);
        }),
    ],
    [
      'a proof that lacks a hash',
      'inclusion: inclusion-invalid',
      /proof has \d+ hashes, want \d+/,
      (draft) =>
        tamper(draft, (file) => {
          file.proof = file.proof.slice(1);
        }),
    ],
    [
      'a proof with a hash too many',
      'inclusion: inclusion-invalid',
      /proof has \d+ hashes, want \d+/,
      (draft) =>
        tamper(draft, (file) => {
          file.proof = [...file.proof, file.proof[0]!];
        }),
    ],
    [
      'an index beyond the tree',
      'inclusion: inclusion-invalid',
      /not below size/,
      (draft) =>
        tamper(draft, (file) => {
          const last = file.entries.at(-1)!;
          file.entries = [...file.entries.slice(0, -1), { ...last, index: leafIndex(2 ** 40) }];
        }),
    ],
    [
      'a file that is cut short',
      'proof: bad-proof',
      /not CBOR/,
      (draft) => give(draft, ({ proof, channels }) => ({ proof: proof.slice(0, -1), channels })),
    ],
    [
      'a file with bytes after its end',
      'proof: bad-proof',
      /CBOR/,
      (draft) =>
        give(draft, ({ proof, channels }) => ({ proof: Buffer.concat([proof, proof]), channels })),
    ],
    [
      'the artifact itself as its proof',
      'proof: bad-proof',
      /./,
      (draft) => give(draft, ({ channels }) => ({ proof: utf8('the build'), channels })),
    ],
    [
      'no proof at all',
      'proof: bad-proof',
      /./,
      (draft) => give(draft, ({ channels }) => ({ proof: new Uint8Array(), channels })),
    ],
    [
      'a checkpoint of another log with the same origin',
      'checkpoint: untrusted-checkpoint',
      /no key of the policy for the log|none of the/,
      (draft, scene) =>
        give(draft, async ({ channels }, { indexes, file }) => {
          const impostor = await MemoryLog.create([], scene.log.origin);
          impostor.entries.push(...numbered(5), ...numbered(20, 'impostor'));
          return { proof: await file([indexes.release!], { log: impostor }), channels };
        }),
    ],
    [
      'a log that the policy does not name',
      'checkpoint: untrusted-checkpoint',
      /no key of the policy for the log "evil.example"/,
      (draft) =>
        give(draft, async ({ channels }, { file }) => {
          const evil = await MemoryLog.create(numbered(20), 'evil.example');
          return { proof: await file([6], { log: evil }), channels };
        }),
    ],
    [
      'a checkpoint whose size was raised after it was signed',
      'checkpoint: untrusted-checkpoint',
      /does not verify/,
      (draft) =>
        tamper(draft, (file) => {
          file.checkpoint = retext(file.checkpoint, /\n\d+\n/, '\n1000\n');
        }),
    ],
    [
      'a checkpoint with the signature of a witness moved to another tree',
      'checkpoint: untrusted-checkpoint',
      /w1.example does not verify/,
      (draft) =>
        tamper(draft, async (file, { log, note }) => {
          const older = log.fork(6);
          const cosigned = decodeUtf8(await note(older, { w1: NOW - 100 }))
            .split('\n')
            .find((line) => line.startsWith('— w1'));
          file.checkpoint = utf8(`${decodeUtf8(await note(log, { w2: NOW }))}${cosigned}\n`);
        }),
    ],
    [
      'no cosignature',
      'quorum: quorum-missing',
      /cosigned by no witness/,
      (draft) => void (draft.cosigned = {}),
    ],
    [
      'one cosignature where two are wanted',
      'quorum: quorum-missing',
      /cosigned by w1$/,
      (draft) => void (draft.cosigned = { w1: NOW - 100 }),
    ],
    [
      'one known witness and one whom nobody knows',
      'quorum: quorum-missing',
      /cosigned by w1$/,
      (draft) => void (draft.cosigned = { w1: NOW - 100, other: NOW - 100 }),
    ],
    [
      'one witness that cosigned twice',
      'checkpoint: bad-note',
      /two signatures of w1.example/,
      (draft) =>
        tamper(draft, async (file, { log, note }) => {
          const once = decodeUtf8(await note(log, { w1: NOW - 100 }));
          const again = decodeUtf8(await note(log, { w1: NOW - 50 }))
            .split('\n')
            .find((line) => line.startsWith('— w1'));
          file.checkpoint = utf8(`${once}${again}\n`);
        }),
    ],
    [
      'witnesses whose clocks are all in the future',
      'quorum: quorum-missing',
      /future/,
      (draft) => void (draft.cosigned = { w1: NOW + 301, w2: NOW + DAY, w3: NOW + DAY }),
    ],
    [
      'one honest witness, and one with a clock in the future',
      'quorum: quorum-missing',
      /future/,
      (draft) => void (draft.cosigned = { w1: NOW - 100, w2: NOW + DAY }),
    ],
    [
      'one witness with a clock ahead, to make old cosignatures look new',
      'checkpoint-age: checkpoint-stale',
      /172800 seconds ago, want at most 1d/,
      (draft) => {
        draft.cosigned = { w1: NOW + 200, w2: NOW - 2 * DAY, w3: NOW - 3 * DAY };
      },
    ],
    [
      'cosignatures older than allowed',
      'checkpoint-age: checkpoint-stale',
      /want at most 1d/,
      (draft) => void (draft.cosigned = { w1: NOW - 2 * DAY, w2: NOW - 2 * DAY }),
    ],
    [
      'no witness who tells the time, where the policy wants it fresh',
      'checkpoint-age: checkpoint-stale',
      /no quorum of witnesses/,
      (draft) => void draft.policy.trust.splice(-2, 2, 'quorum none'),
    ],
    [
      'a release that was public for too short a time',
      'public-for: too-new',
      /public for 90 seconds, want 30m/,
      (draft) => void (rule(draft).publicFor = '30m'),
    ],
    [
      'a release that was public for nobody knows how long',
      'public-for: too-new',
      /no quorum of witnesses/,
      (draft) => {
        draft.policy.trust.splice(-2, 2, 'quorum none');
        Object.assign(rule(draft), { publicFor: '30m', checkpointMaxAge: undefined });
      },
    ],
  ];
}
