/** Each way to get a client to install what its policy does not want, and the reason for which it is refused. */
import { beforeAll, describe, expect, test } from 'vitest';
import { Scene, type Draft } from './release-scene.ts';
import { proofs } from './attacks/proofs.ts';
import { histories } from './attacks/histories.ts';
import { releases } from './attacks/releases.ts';
import { builds } from './attacks/builds.ts';
import { rebuilds } from './attacks/rebuilds.ts';
import { approvals } from './attacks/approvals.ts';
import { channels } from './attacks/channels.ts';
import { rule } from './attacks/changes.ts';
import { detail, outcome } from './outcome.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.create();
});

describe.each([
  ['proofs', proofs()],
  ['what was seen before', histories()],
  ['releases', releases()],
  ['builds', builds()],
  ['rebuilds', rebuilds()],
  ['approvals and reviews', approvals()],
  ['channels', channels()],
])('refuses, in %s,', (_, attacks) => {
  test.each(attacks)('%s', async (_name, expected, reason, change) => {
    const draft = scene.draft();
    await change(draft, scene);
    const verdict = await scene.judge(draft);
    expect(outcome(verdict)).toBe(expected);
    expect(detail(verdict)).toMatch(reason);
    expect(verdict.mayOverride).toBe(false);
  });
});

describe('refuses a policy in which', () => {
  test.each<[string, RegExp, (draft: Draft) => void]>([
    [
      'one rebuilder has two names',
      /keys.uni: is the same key as debian/,
      ({ policy }) => void (policy.keys.uni = policy.keys.debian!),
    ],
    [
      'one rebuilder is named twice',
      /names a key twice/,
      (draft) => void (rule(draft).rebuilds = { threshold: 2, keys: ['debian', 'debian'] }),
    ],
    [
      'one witness has two names',
      /the public key of w1.example is there already/,
      ({ policy }) => void policy.trust.splice(2, 1, `witness w2 ${scene.vkey('w1')}`),
    ],
    [
      'more rebuilders are wanted than there are',
      /threshold: is 3, but there are 2 keys/,
      (draft) => void (rule(draft).rebuilds = { threshold: 3, keys: ['debian', 'uni'] }),
    ],
  ])('%s', async (_, reason, change) => {
    const draft = scene.draft();
    change(draft);
    await expect(scene.judge(draft)).rejects.toThrow(reason);
  });
});
