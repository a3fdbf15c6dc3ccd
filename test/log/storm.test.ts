/** Whatever witnesses do, and whatever the policy is: what is published has its quorum, and nothing is lost. */
import fc from 'fast-check';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { verifyConsistency } from '../../src/merkle/consistency.ts';
import type { Published } from '../../src/log/publisher.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { checkCheckpoint, type TrustPolicy } from '../../src/verify/policy.ts';
import type { Interference } from './link.ts';
import { accepting, openWitnessed, startHouse, until } from './witnessed.ts';

const kinds = [
  'well',
  'late',
  'cut',
  'error',
  'conflict',
  'ahead',
  'refuse',
  'lost',
  'wrong',
] as const;

/** What a link does with one request. */
function interference(next: () => number): Interference {
  return async (path) => {
    if (path !== '/add-checkpoint') return undefined;
    switch (kinds[next() % kinds.length]) {
      case 'late':
        await delay(next() % 80);
        return undefined;
      case 'cut':
        return 'cut';
      case 'error':
        return { status: 500 + (next() % 5), body: '' };
      case 'conflict':
        return { status: 422, body: '' };
      case 'ahead':
        return { status: 409, body: `${next() * 1000}\n` };
      case 'refuse':
        return { status: 409, body: `${next() % 3}\n` };
      case 'lost':
        return { status: 404, body: '' };
      case 'wrong':
        return { status: 200, body: '— witness.example/A AAAAAAAAAAAAAAAAAAAAAAAA\n' };
      case 'well':
      case undefined:
        return undefined;
    }
  };
}

const quorums = [
  ['group q 2 A B C', 'quorum q'],
  ['group q all A B C', 'quorum q'],
  ['group g any A B', 'group q all g C', 'quorum q'],
  ['quorum B'],
  ['quorum none'],
];

test('a storm of witnesses', { timeout: 300_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...quorums),
      fc.infiniteStream(fc.nat({ max: 999 })),
      async (quorum, stream) => {
        const house = await startHouse(3);
        const policy = house.policy(...quorum);
        const { log } = await openWitnessed(house, { policy });
        await accepting(log);
        await until(() => log.published.size === 1);
        const next = (): number => Number(stream.next().value ?? 0);
        for (const { link } of house.witnesses) link.interfere = interference(next);
        const trusted: TrustPolicy = {
          ...policy,
          logs: log.vkeys.map((vkey) => ({ key: parseVkey(vkey) })),
        };
        const seen: Published[] = [];
        for (let i = 0; i < 60; i++) {
          await log.submit(Buffer.from(`e${i}`));
          for (const shown of [log.published, log.cosigned]) {
            await checkCheckpoint(shown.note, trusted, nodeVerifier);
          }
          expect(log.cosigned.size).toBeLessThanOrEqual(log.published.size);
          if (log.published.size !== seen.at(-1)?.size) seen.push(log.published);
          await delay(next() % 30);
        }
        for (const { link } of house.witnesses) link.interfere = undefined;
        await until(() => log.published.size === 61);
        seen.push(log.published);
        for (const [i, after] of seen.entries()) {
          const before = seen[i - 1];
          if (!before || before.size === after.size) continue;
          verifyConsistency({
            from: before.size,
            to: after.size,
            fromRoot: before.root,
            toRoot: after.root,
            proof: await log.consistency(before.size, after.size),
          });
        }
        await log.close();
      },
    ),
    { numRuns: 12, endOnFailure: true },
  );
});
