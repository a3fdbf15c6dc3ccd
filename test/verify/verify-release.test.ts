/** Releases that pass, whatever else is in the files; what is remembered, and what may be overridden. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import {
  approval,
  artifact,
  DAY,
  NOW,
  purl,
  rebuild,
  release,
  Scene,
  type Draft,
  type Files,
} from './release-scene.ts';
import { elsewhere, seen, stable, give, say, rule, graced, withdraw } from './attacks/changes.ts';
import { numbered } from '../client/memory-log.ts';
import { outcome } from './outcome.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create();
});

test('accepts what every rule of the strictest policy asks for', async () => {
  const verdict = await scene.judge(scene.draft());
  expect(verdict.rules.filter(({ ok }) => !ok)).toEqual([]);
  expect(verdict).toMatchObject({ ok: true, warnings: [], mayOverride: false });
  expect(verdict.release).toMatchObject({ purl, index: 5, issuer: 'acme-release' });
  expect(verdict.state).toMatchObject({
    time: NOW - 90,
    policyVersion: 3,
    heads: { 'log.example': { size: 16 } },
    channels: { 'log.example acme/stable': { sequence: 7 } },
    releases: { 'log.example generic/acme/scanner': 5 },
  });
  expect(outcome(await scene.judge({ ...scene.draft(), state: verdict.state }))).toBe('ok');
});

describe('is not stopped by', () => {
  test.each<[string, (draft: Draft) => void]>([
    ['one witness with a clock in the future', ({ cosigned }) => void (cosigned.w1 = NOW + DAY)],
    ['one witness that does not answer', ({ cosigned }) => void delete cosigned.w1],
    [
      'a channel file that anybody put beside',
      (draft) =>
        give(draft, ({ proof, channels: files }) => ({
          proof,
          channels: [...files, utf8('rubbish'), proof.slice(0, 100)],
        })),
    ],
    [
      'an older statement of the channel beside the newest',
      (draft) => {
        draft.channels.older = { ...stable(draft), sequence: 6, previous: leafIndex(0) };
        withdraw(draft.channels.older);
      },
    ],
    [
      'statements of strangers in the release file',
      ({ statements }) => {
        const payload = approval({ result: 'FAILED' });
        statements.stranger = { payload, by: 'stranger' };
      },
    ],
    [
      'a rejection that the supervisor took back',
      ({ statements }) => {
        const { approval: last, ...others } = statements;
        const first = { payload: approval({ result: 'FAILED' as const }), by: 'bsi' as const };
        for (const name of Object.keys(statements)) delete statements[name];
        Object.assign(statements, others, { first, approval: last });
      },
    ],
    [
      'channel files that the release file carries',
      (draft) =>
        give(draft, async ({ channels: files }, { indexes, file }) => {
          const names = Object.keys(draft.statements).map((name) => indexes[name]!);
          return { proof: await file(names, { channels: files }), channels: [] };
        }),
    ],
  ])('%s', async (_, change) => {
    const draft = scene.draft();
    change(draft);
    const verdict = await scene.judge(draft);
    expect(verdict.rules.filter(({ ok }) => !ok)).toEqual([]);
    expect(verdict.ok).toBe(true);
  });
});

describe('a plain .tlog-proof', () => {
  async function judged(product: Record<string, unknown>): Promise<string> {
    const draft = scene.draft();
    draft.policy.products = [{ purl: 'pkg:generic/acme/*', issuers: ['acme-release'], ...product }];
    give(draft, async (_, { log, indexes, note }) => ({
      proof: await log.proof(indexes.release!, log.entries.length, await note()),
      channels: [],
    }));
    return outcome(await scene.judge(draft));
  }
  test('is enough where the policy asks for the release only', async () => {
    expect(await judged({})).toBe('ok');
  });
  test('is not enough where it asks for more', async () => {
    expect(await judged({ builders: { keys: ['acme-ci'] } })).toBe('builder: builder-refused');
  });
});

test('within its grace an AV update is accepted, with a warning that newer withdrawals are unknown', async () => {
  const draft = scene.draft();
  graced(draft);
  say(draft, 'release', release({ kind: 'av-update' }));
  stable(draft).issued = NOW - 2 * DAY;
  const verdict = await scene.judge(draft);
  expect(verdict.ok).toBe(true);
  expect(verdict.warnings).toEqual([expect.stringMatching(/newer withdrawals are unknown/)]);
});

test('a rebuild that came out different is told, also where others reproduced it', async () => {
  const draft = scene.draft();
  rule(draft).rebuilds = { threshold: 1, keys: ['debian', 'uni'] };
  say(draft, 'uni', rebuild('uni', { subjects: elsewhere }));
  const verdict = await scene.judge(draft);
  expect(verdict.ok).toBe(true);
  expect(verdict.warnings).toEqual(['uni rebuilt it and got another file (entry 8)']);
});

test('who has seen a withdrawal is not given the statement before it', async () => {
  const draft = scene.draft();
  withdraw(stable(draft));
  stable(draft).sequence = 8;
  const refused = await scene.judge(draft);
  expect(outcome(refused)).toBe('channel: withdrawn');
  expect(refused.state.releases).toEqual({});
  const replayed = { ...scene.draft(), state: refused.state };
  replayed.given = async (files, { log, indexes, file }) => {
    // The tree has grown since, so that only the channel goes back.
    log.entries.push(...numbered(5, 'since'));
    const names = Object.keys(replayed.statements).map((name) => indexes[name]!);
    const proof = await file(names);
    return {
      proof,
      channels: await Promise.all(['stable', 'approved'].map((name) => file([indexes[name]!]))),
    };
  };
  expect(outcome(await scene.judge(replayed))).toBe('channel: channel-rollback');
});

test('a log that forked teaches the client nothing', async () => {
  const draft = scene.draft();
  draft.state = seen({ heads: { 'log.example': { size: 16, root: '0'.repeat(64) } } });
  expect((await scene.judge(draft)).state).toEqual(draft.state);
});

describe('an override', () => {
  async function mayOverride(change: (draft: Draft) => void): Promise<boolean> {
    const draft = scene.draft();
    rule(draft).override = true;
    change(draft);
    const { ok, mayOverride: may } = await scene.judge(draft);
    expect(ok).toBe(false);
    return may;
  }
  test('may do without an approval, where the policy allows it', async () => {
    expect(await mayOverride(({ statements }) => void delete statements.approval)).toBe(true);
  });
  test.each<[string, (draft: Draft) => void]>([
    ['a withdrawal', (draft) => withdraw(stable(draft))],
    ['a missing quorum', (draft) => void (draft.cosigned = {})],
    ['a stolen key', (draft) => void (draft.statements.release!.by = 'stranger')],
    ['a rollback', (draft) => void (draft.policy.floors.channels['acme/stable'] = 12)],
    [
      'a rollback beside a missing approval',
      (draft) => {
        delete draft.statements.approval;
        draft.policy.floors.channels['acme/stable'] = 12;
      },
    ],
  ])('never covers %s', async (_, change) => {
    expect(await mayOverride(change)).toBe(false);
  });
});

test('whatever byte of the files is changed, nothing throws and nothing else is accepted', async () => {
  let files: Files | undefined;
  const draft = scene.draft();
  give(draft, (given) => (files = given));
  const honest = await scene.judge(draft);
  const { proof, channels: parts } = files!;
  const flip = (bytes: Uint8Array, at: number, mask: number): Uint8Array => {
    const changed = new Uint8Array(bytes);
    changed[at % bytes.length]! ^= mask;
    return changed;
  };
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(2),
      async (at, mask, which) => {
        const changed = scene.draft();
        give(changed, () =>
          which === 0
            ? { proof: flip(proof, at, mask), channels: parts }
            : {
                proof,
                channels: parts.map((part, i) => (i + 1 === which ? flip(part, at, mask) : part)),
              },
        );
        const { ok, release: shown } = await scene.judge(changed);
        if (ok) expect(shown).toEqual(honest.release);
      },
    ),
    { numRuns: 60 },
  );
});

test('throws for a request that could never succeed', async () => {
  await expect(scene.judge({ ...scene.draft(), sha256: artifact.slice(1) })).rejects.toThrow(
    /31 bytes/,
  );
  await expect(scene.judge({ ...scene.draft(), now: Number.NaN })).rejects.toThrow(/now is NaN/);
  await expect(scene.judge({ ...scene.draft(), purl: 'scanner' })).rejects.toThrow(/purl/);
});
