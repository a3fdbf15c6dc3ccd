import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeUtf8, utf8 } from '../../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../../src/keys/node-verifier.ts';
import { Change } from '../../../src/monitor/change.ts';
import { Cosigner } from '../../../src/monitor/cosigner.ts';
import { MAX_ACCUSATIONS } from '../../../src/monitor/gossip/evidence-store.ts';
import {
  MAX_CLIENT_HEADS,
  MAX_NEIGHBOUR_HEADS,
} from '../../../src/monitor/gossip/pending-heads.ts';
import type { NoteSigner } from '../../../src/note/sign.ts';
import { verifyAccusation } from '../../../src/verify/accusation.ts';
import { verifyEvidence } from '../../../src/verify/evidence.ts';
import { answer, type MemoryLog, numbered } from '../../client/memory-log.ts';
import { newNoteSigner } from '../../note/new-signer.ts';
import { FORK_AT, monitorOf, twoFaces, type Scene } from './scene.ts';

let honest: MemoryLog;
let forked: MemoryLog;
let witness: NoteSigner;
beforeAll(async () => {
  [honest, forked] = await twoFaces();
  witness = await newNoteSigner('w.example', 0x04);
});

const witnessed = (): { key: NoteSigner['key']; url: string } => ({
  key: witness.key,
  url: 'http://w.invalid/',
});
const rulesOf = (scene: Scene): string[] => scene.alerts.map(({ rule }) => rule);

describe('the judge of heads', () => {
  test('finds a head of its own tree consistent, and one of another branch convicting', async () => {
    const scene = await monitorOf(honest);
    await scene.advance(40);
    const { gossip } = scene;
    expect(await gossip.take(await honest.note(40), 'client')).toBe('consistent');
    expect(await gossip.take(await honest.note(FORK_AT), 'client')).toBe('consistent');
    expect(await gossip.take(await forked.note(FORK_AT), 'client')).toBe('consistent');
    expect(scene.alerts).toEqual([]);
    expect(gossip.convicted(honest.origin)).toBe(false);

    expect(await gossip.take(await forked.note(FORK_AT + 1), 'client')).toBe('convicted');
    expect(rulesOf(scene)).toEqual(['log-forked']);
    const [evidence] = gossip.held().evidence;
    const verified = await verifyEvidence(
      evidence!.bytes,
      { logKeys: [honest.signer.key] },
      nodeVerifier,
    );
    expect(verified).toMatchObject({ kind: 'inconsistent', sizes: [FORK_AT + 1, 40] });
  });

  test('keeps the monitor from cosigning a log that was convicted', async () => {
    const scene = await monitorOf(honest);
    await scene.advance(40);
    const cosigner = new Cosigner([await newNoteSigner('m.example', 0x04)]);
    const cosign = async (size: number): Promise<unknown> => {
      const head = { size, root: honest.root(size), note: await honest.note(size) };
      const draft = new Change(scene.records, () => undefined, scene.now);
      return cosigner.cosign(scene.followed.hash, head, draft);
    };
    expect(await cosign(40)).toBeDefined();
    await scene.gossip.take(await forked.note(30), 'client');
    expect(await cosign(50)).toBeUndefined();
  });

  test('judges what is above its tree when it has grown', async () => {
    const scene = await monitorOf(honest);
    const { gossip } = scene;
    for (const log of [honest, forked]) {
      expect(await gossip.take(await log.note(log === honest ? 30 : 31), 'client')).toBe('pending');
    }
    await scene.advance(29);
    expect(scene.alerts).toEqual([]);
    expect(gossip.judge(scene.followed.hash).pending).toHaveLength(2);
    await scene.advance(40);
    expect(rulesOf(scene)).toEqual(['log-forked']);
    expect(gossip.judge(scene.followed.hash).pending).toEqual([]);
  });

  test('needs no tree to convict by two heads of one size', async () => {
    const scene = await monitorOf(honest);
    expect(await scene.gossip.take(await honest.note(30), 'client')).toBe('pending');
    expect(await scene.gossip.take(await forked.note(30), 'client')).toBe('convicted');
    expect(scene.gossip.held().evidence).toMatchObject([{ kind: 'same-size', sizes: [30, 30] }]);
  });

  test('compares with the newest head that it trusts, though its entries are not audited yet', async () => {
    const scene = await monitorOf(honest);
    await scene.followed.advance(50);
    scene.followed.tree = { ...scene.followed.tree, size: 10 };
    expect(await scene.gossip.take(await forked.note(50), 'client')).toBe('convicted');
  });

  test('convicts exactly the forks among heads in any order, and once', async () => {
    const head = fc.record({ fork: fc.boolean(), size: fc.integer({ min: 0, max: 60 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(head, { maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 3 }),
        async (heads, sizes) => {
          const scene = await monitorOf(honest);
          const grown = [...sizes].sort((a, b) => a - b);
          for (const [i, { fork, size }] of heads.entries()) {
            await scene.gossip.take(await (fork ? forked : honest).note(size), 'client');
            if (grown[i] !== undefined) await scene.advance(grown[i]);
          }
          for (const size of grown.slice(heads.length)) await scene.advance(size);
          const own = [...grown.slice(-1), ...heads.flatMap((h) => (h.fork ? [] : [h.size]))];
          const verified = grown.at(-1) ?? 0;
          const due = heads.some(
            ({ fork, size }) => fork && size > FORK_AT && (size <= verified || own.includes(size)),
          );
          expect(scene.gossip.convicted(honest.origin)).toBe(due);
          expect(rulesOf(scene)).toEqual(due ? ['log-forked'] : []);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('takes only what the log signed', async () => {
    const scene = await monitorOf(honest);
    const [other] = await twoFaces();
    await expect(scene.gossip.take(await other.note(5), 'client')).rejects.toMatchObject({
      code: 'untrusted-checkpoint',
    });
    const foreign = utf8(decodeUtf8(await honest.note(5)).replaceAll('log.e', 'a.e'));
    await expect(scene.gossip.take(foreign, 'client')).rejects.toMatchObject({
      code: 'unknown-origin',
    });
    await expect(scene.gossip.take(utf8('no note'), 'client')).rejects.toMatchObject({
      code: 'bad-note',
    });
  });

  test('goes on after a restart with what waited, and what was found', async () => {
    const scene = await monitorOf(honest);
    await scene.gossip.take(await forked.note(30), 'client');
    const later = await scene.again();
    expect(later.judge(scene.followed.hash).pending).toHaveLength(1);
    await scene.followed.advance(40);
    await later.grown();
    expect(later.convicted(honest.origin)).toBe(true);
    const last = await scene.again();
    expect(last.held().evidence).toEqual(later.held().evidence);
    expect(last.judge(scene.followed.hash).pending).toEqual([]);
    expect(scene.alerts).toHaveLength(1);
  });
});

describe('a flood of heads', () => {
  test('takes room of its own source only, and leaves the smallest', async () => {
    const scene = await monitorOf(honest);
    const { gossip } = scene;
    await gossip.take(await honest.note(60), 'witness w');
    const flood = honest.fork(60, ...numbered(300, 'flood'));
    for (let size = 300; size > 300 - MAX_CLIENT_HEADS; size--) {
      await gossip.take(await flood.note(size), 'client');
    }
    await expect(gossip.take(await flood.note(320), 'client')).rejects.toMatchObject({
      code: 'overloaded',
    });
    // A smaller one is judged sooner.
    expect(await gossip.take(await forked.note(20), 'client')).toBe('pending');
    for (let size = 100; size < 100 + MAX_NEIGHBOUR_HEADS; size++) {
      await gossip.take(await flood.note(size), 'peer p');
    }
    await expect(gossip.take(await flood.note(200), 'peer p')).rejects.toMatchObject({
      code: 'overloaded',
    });
    const { pending } = gossip.judge(scene.followed.hash);
    expect(pending).toHaveLength(1 + MAX_CLIENT_HEADS + MAX_NEIGHBOUR_HEADS);
    expect(pending.some(({ source }) => source === 'witness w')).toBe(true);
    await scene.advance(60);
    expect(rulesOf(scene)).toEqual(['log-forked']);
  });
});

describe('a witness that cosigned both branches', () => {
  test('is convicted by the head that was verified', async () => {
    const scene = await monitorOf(honest, { witnesses: [witnessed()] });
    await scene.advance(40, [witness]);
    await scene.gossip.take(await forked.note(20, [forked.signer, witness]), 'client');
    expect(scene.gossip.held().evidence).toMatchObject([{ convictedWitnesses: ['w.example'] }]);
    expect(scene.alerts.map(({ title }) => title)).toEqual([
      expect.stringContaining('the log signed checkpoints') as string,
      expect.stringContaining('the witness w.example cosigned both') as string,
    ]);
  });

  test('is convicted by an earlier head that it cosigned, when the newest lacks it', async () => {
    const scene = await monitorOf(honest, { witnesses: [witnessed()] });
    await scene.advance(30, [witness]);
    await scene.advance(40);
    await scene.gossip.take(await forked.note(20, [forked.signer, witness]), 'client');
    expect(scene.gossip.held().evidence).toMatchObject([
      { convictedWitnesses: [], sizes: [20, 40] },
      { convictedWitnesses: ['w.example'], sizes: [20, 30] },
    ]);
  });

  test('is convicted later, when only the log was convicted before', async () => {
    const scene = await monitorOf(honest, { witnesses: [witnessed()] });
    await scene.advance(40, [witness]);
    await scene.gossip.take(await forked.note(20), 'client');
    await scene.gossip.take(await forked.note(20), 'client');
    expect(scene.gossip.held().evidence).toHaveLength(1);
    await scene.gossip.take(await forked.note(22, [forked.signer, witness]), 'client');
    expect(scene.gossip.held().evidence).toHaveLength(2);
  });

  test('is convicted by a cosignature that came later for a head that waits', async () => {
    const scene = await monitorOf(honest, { witnesses: [witnessed()] });
    await scene.gossip.take(await forked.note(20), 'client');
    await scene.gossip.take(await forked.note(20, [forked.signer, witness]), 'peer p');
    await scene.advance(40, [witness]);
    expect(scene.gossip.held().evidence).toMatchObject([{ convictedWitnesses: ['w.example'] }]);
  });
});

describe('a head that nobody explains', () => {
  test('becomes an accusation after a while, once, and evidence when the tree is there', async () => {
    const scene = await monitorOf(honest);
    await scene.advance(20);
    await scene.gossip.take(await forked.note(30), 'client');
    await scene.gossip.round();
    expect(scene.alerts).toEqual([]);
    scene.now += 61_000;
    await scene.gossip.round();
    await scene.gossip.round();
    expect(rulesOf(scene)).toEqual(['log-accused']);
    const [accusation] = scene.gossip.held().accusations;
    const { bytes } = accusation!;
    expect(await verifyAccusation(bytes, [honest.signer.key], nodeVerifier)).toMatchObject({
      head: { size: 30 },
      known: { size: 20 },
    });
    await expect(
      verifyEvidence(bytes, { logKeys: [honest.signer.key] }, nodeVerifier),
    ).rejects.toMatchObject({ code: 'bad-evidence' });
    expect(scene.gossip.convicted(honest.origin)).toBe(false);
    const again = await scene.again();
    expect(again.held().accusations).toHaveLength(1);
    await scene.advance(30);
    expect(rulesOf(scene)).toEqual(['log-accused', 'log-forked']);
  });

  test('is no accusation while the log cannot be reached, until much later', async () => {
    const scene = await monitorOf(honest, {
      fetch: async () => {
        throw new TypeError('fetch failed');
      },
    });
    await scene.advance(20);
    await scene.gossip.take(await honest.note(30), 'client');
    scene.now += 200_000;
    await scene.gossip.round();
    expect(scene.alerts).toEqual([]);
    scene.now += 41_000;
    await scene.gossip.round();
    expect(rulesOf(scene)).toEqual(['log-accused']);
  });

  test('is believed while the log shows its tree', async () => {
    const scene = await monitorOf(honest, { fetch: honest.fetch });
    await scene.advance(20);
    await scene.gossip.take(await honest.note(30), 'client');
    scene.now += 61_000;
    await scene.gossip.round();
    expect(scene.alerts).toEqual([]);
    await scene.advance(30);
    expect(scene.gossip.judge(scene.followed.hash).pending).toEqual([]);
  });

  test('convicts a log that showed its tree, and then grew another way', async () => {
    const scene = await monitorOf(honest, { fetch: forked.fetch });
    await scene.advance(FORK_AT);
    await scene.gossip.take(await forked.note(30), 'client');
    await scene.gossip.round();
    expect(scene.alerts).toEqual([]);
    await scene.advance(40);
    expect(rulesOf(scene)).toEqual(['log-forked']);
  });

  test('convicts by the tiles of a mirror that was shown the other branch', async () => {
    const scene = await monitorOf(honest, {
      mirrors: ['http://mirror.invalid/'],
      fetch: async (input, init) => {
        const { host, pathname } = new URL(new Request(input, init).url);
        const bytes = (host.startsWith('mirror') ? forked : honest).tile(pathname.slice(1));
        return bytes ? answer(bytes) : new Response(null, { status: 404 });
      },
    });
    await scene.advance(20);
    await scene.gossip.take(await forked.note(30), 'client');
    await scene.gossip.round();
    expect(rulesOf(scene)).toEqual(['log-forked']);
    expect(scene.gossip.held().evidence).toMatchObject([{ sizes: [20, 30] }]);
  });

  test('accuses a log a bounded number of times', async () => {
    const scene = await monitorOf(honest);
    await scene.advance(5);
    for (let size = 20; size < 20 + MAX_ACCUSATIONS + 4; size++) {
      await scene.gossip.take(await forked.note(size), 'client');
    }
    scene.now += 61_000;
    for (let round = 0; round < 8; round++) await scene.gossip.round();
    expect(scene.gossip.held().accusations).toHaveLength(MAX_ACCUSATIONS);
  });
});
