/** The answers of C2SP tlog-witness over HTTP, one for each sentence of the specification, and in its order. */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { MAX_ADD_CHECKPOINT_BYTES } from '../../src/note/add-checkpoint.ts';
import { formatNote, openNote, parseNote, type OpenedSignature } from '../../src/note/note.ts';
import { signNote } from '../../src/note/sign.ts';
import { pureVerifier } from '../../src/signature/pure-verifier.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import {
  listOf,
  post,
  proofOf,
  requestBody,
  startWitness,
  type RunningWitness,
} from './running-witness.ts';

const hashOf = (origin: string): string => createHash('sha256').update(origin).digest('hex');

async function witnessOf(
  log: MemoryLog,
  options: Parameters<typeof startWitness>[0] = {},
): Promise<RunningWitness> {
  return startWitness({ list: listOf(log), ...options });
}

/** The signatures in an answer, verified over the checkpoint. */
async function cosignatures(
  answer: Response,
  note: Uint8Array,
  { keys }: RunningWitness,
): Promise<OpenedSignature[]> {
  expect(answer.status).toBe(200);
  const { text } = parseNote(note);
  const { signatures } = parseNote(`${text}\n${await answer.text()}`);
  return openNote({ text, signatures }, keys, pureVerifier);
}

async function conflict(answer: Response): Promise<string> {
  expect(answer.status).toBe(409);
  expect(answer.headers.get('content-type')).toBe('text/x.tlog.size');
  return answer.text();
}

async function refused(answer: Response): Promise<unknown> {
  const { code } = (await answer.json()) as { code: string };
  return [answer.status, code];
}

describe('a checkpoint that continues the last one', () => {
  test.each([{ mlDsa: false }, { mlDsa: true }])(
    'is cosigned by every key, %j',
    async ({ mlDsa }) => {
      const log = await MemoryLog.create(numbered(300));
      const running = await witnessOf(log, { mlDsa });
      const before = Math.floor(Date.now() / 1000);
      let old = 0;
      for (const size of [1, 2, 3, 7, 8, 255, 256, 257, 300]) {
        const note = await log.note(size);
        const answer = await post(running.url, await requestBody(log, old, size));
        const opened = await cosignatures(answer, note, running);
        expect(opened.map(({ key }) => key.type)).toEqual(mlDsa ? [0x04, 0x06] : [0x04]);
        for (const { timestamp } of opened) {
          expect(timestamp).toBeGreaterThanOrEqual(before);
          expect(timestamp).toBeLessThanOrEqual(Date.now() / 1000);
        }
        old = size;
      }
    },
  );

  test('may be of an empty tree, and then of any', async () => {
    const log = await MemoryLog.create(numbered(5));
    const running = await witnessOf(log);
    for (const [old, size] of [
      [0, 0],
      [0, 0],
      [0, 5],
      [5, 5],
    ] as const) {
      const answer = await post(running.url, await requestBody(log, old, size));
      expect(await cosignatures(answer, await log.note(size), running)).toHaveLength(1);
    }
  });

  test('of the same size is cosigned again, at a newer time', async () => {
    let now = 1_790_000_000;
    const log = await MemoryLog.create(numbered(5));
    const running = await witnessOf(log, { now: () => now });
    await post(running.url, await requestBody(log, 0, 5));
    now += 600;
    const answer = await post(running.url, await requestBody(log, 5, 5));
    const [again] = await cosignatures(answer, await log.note(5), running);
    expect(again?.timestamp).toBe(now);
  });

  test('keeps its extension lines', async () => {
    const log = await MemoryLog.create(numbered(5));
    const running = await witnessOf(log);
    const text = `${parseNote(await log.note(5)).text}an extension\n`;
    const note = Buffer.from(formatNote(await signNote(text, [log.signer])));
    const answer = await post(running.url, await requestBody(log, 0, 5, { note }));
    expect(await cosignatures(answer, note, running)).toHaveLength(1);
  });

  test('may bear signatures of unknown keys, which are ignored and not kept', async () => {
    const log = await MemoryLog.create(numbered(5));
    const running = await witnessOf(log);
    const stranger = await newNoteSigner(log.origin, 0x01);
    const witness = await newNoteSigner('other.example/w', 0x04);
    const note = await log.note(5, [stranger, log.signer, witness]);
    const answer = await post(running.url, await requestBody(log, 0, 5, { note }));
    const [own] = await cosignatures(answer, note, running);
    const kept = await fetch(`${running.url}/${hashOf(log.origin)}/checkpoint`);
    const { signatures } = parseNote(await kept.text());
    expect(signatures.map(({ keyId }) => keyId)).toEqual([log.signer.key.keyId, own!.key.keyId]);
  });

  test('is known by any key of its origin, and kept with all of them', async () => {
    const log = await MemoryLog.create(numbered(5));
    const second = await newNoteSigner(log.origin, 0x06);
    const list = { logs: new Map([[log.origin, [log.signer.key, second.key]]]) };
    const running = await startWitness({ list });
    const sent: [number, number, (typeof second)[]][] = [
      [0, 3, [second]],
      [3, 4, [log.signer]],
      [4, 5, [second, log.signer]],
    ];
    for (const [old, size, signers] of sent) {
      const note = await log.note(size, signers);
      const answer = await post(running.url, await requestBody(log, old, size, { note }));
      const given = await cosignatures(answer, note, running);
      const served = await fetch(`${running.url}/${hashOf(log.origin)}/checkpoint`);
      const ids = parseNote(await served.text()).signatures.map(({ keyId }) => keyId);
      expect(ids).toEqual([...signers, ...given].map(({ key }) => key.keyId));
    }
  });
});

describe('refusals, in the order of the specification', () => {
  test('400 for what cannot be read', async () => {
    const log = await MemoryLog.create(numbered(5));
    const { url } = await witnessOf(log);
    const good = await requestBody(log, 3, 5);
    const spoiled = [
      '',
      'old 3\n',
      good.replace('old 3', 'old 03'),
      good.replace('old 3', 'old -1'),
      good.replace('old 3', 'old  3'),
      good.replace('old 3', 'old 9007199254740992'),
      good.replace('old 3', 'size 3'),
      good.replace('old 3\n', 'old 3\r\n'),
      good.replace('=\n', '\n'),
      good.replace('old 3\n', 'old 3\nAAAA\n'),
      good.replace('old 3\n', `old 3\n${`${'A'.repeat(43)}=\n`.repeat(64)}`),
      good.slice(0, -1),
      good.slice(0, good.indexOf('—')),
      good.replace('\n5\n', '\n05\n'),
      good.replace('\n5\n', '\n5.0\n'),
      Buffer.concat([Buffer.from(good), Buffer.of(0xff, 0x0a)]),
    ];
    for (const body of spoiled) {
      expect((await post(url, body)).status, JSON.stringify(String(body))).toBe(400);
    }
    // Nothing of it left a trace.
    expect(await conflict(await post(url, good))).toBe('0\n');
  });

  test('404 for an unknown origin, whatever else is wrong', async () => {
    const [known, unknown] = [
      await MemoryLog.create(),
      await MemoryLog.create(numbered(5), 'other.example'),
    ];
    const { url } = await witnessOf(known);
    const bodies = [
      await requestBody(unknown, 0, 5),
      await requestBody(unknown, 9, 5),
      await requestBody(unknown, 0, 5, { proof: [Buffer.alloc(32).toString('base64')] }),
      // Signed by a known key, but not that origin's.
      await requestBody(unknown, 0, 5, { note: await unknown.note(5, [known.signer]) }),
    ];
    for (const body of bodies) {
      expect(await refused(await post(url, body))).toEqual([404, 'unknown-origin']);
    }
  });

  test('403 without a signature of a trusted key, or with a wrong one', async () => {
    const log = await MemoryLog.create(numbered(5));
    const { url } = await witnessOf(log);
    const stranger = await newNoteSigner(log.origin, 0x01);
    const other = await newNoteSigner('log.example/other', 0x01);
    for (const signer of [stranger, other]) {
      const note = await log.note(5, [signer]);
      // Old above the size, too: 403 comes first.
      for (const old of [0, 9]) {
        const answer = await post(url, await requestBody(log, old, 5, { note }));
        expect(await refused(answer)).toEqual([403, 'untrusted-checkpoint']);
      }
    }
    const [four, five] = [parseNote(await log.note(4)), parseNote(await log.note(5))];
    const swapped = formatNote({ text: five.text, signatures: four.signatures });
    const answer = await post(url, await requestBody(log, 9, 5, { note: swapped }));
    expect(await refused(answer)).toEqual([403, 'signature-invalid']);
  });

  test('403 when one trusted key signed and the signature of another fails', async () => {
    const log = await MemoryLog.create(numbered(5));
    const second = await newNoteSigner(log.origin, 0x06);
    const list = { logs: new Map([[log.origin, [log.signer.key, second.key]]]) };
    const { url } = await startWitness({ list });
    const right = parseNote(await log.note(5));
    const wrong = parseNote(await log.note(4, [second]));
    const note = formatNote({
      text: right.text,
      signatures: [...right.signatures, ...wrong.signatures],
    });
    const answer = await post(url, await requestBody(log, 0, 5, { note }));
    expect(await refused(answer)).toEqual([403, 'signature-invalid']);
  });

  test('400 for an old size above the new one, before 409', async () => {
    const log = await MemoryLog.create(numbered(9));
    const { url } = await witnessOf(log);
    const answer = await post(url, await requestBody(log, 6, 5));
    expect(await refused(answer)).toEqual([400, 'bad-request']);
    await post(url, await requestBody(log, 0, 8));
    expect(await refused(await post(url, await requestBody(log, 6, 5)))).toEqual([
      400,
      'bad-request',
    ]);
  });

  test('409 with the size that was cosigned last, before 422', async () => {
    const log = await MemoryLog.create(numbered(9));
    const { url } = await witnessOf(log);
    expect(await conflict(await post(url, await requestBody(log, 3, 5)))).toBe('0\n');
    await post(url, await requestBody(log, 0, 5));
    for (const old of [0, 4, 6]) {
      expect(
        await conflict(
          await post(url, await requestBody(log, old, 9, { proof: ['A'.repeat(43) + '='] })),
        ),
      ).toBe('5\n');
    }
    expect(await conflict(await post(url, await requestBody(log, 4, 4)))).toBe('5\n');
    const fork = log.fork(2, ...numbered(7, 'other'));
    expect(await conflict(await post(url, await requestBody(fork, 4, 9)))).toBe('5\n');
  });

  test('422 for an empty tree with the root of another one', async () => {
    const log = await MemoryLog.create(numbered(9));
    const { url } = await witnessOf(log);
    for (const root of [rfc6962.leaf(new Uint8Array()), log.root(1)]) {
      const note = await log.note(0, [log.signer], root);
      expect(await refused(await post(url, await requestBody(log, 0, 0, { note })))).toEqual([
        422,
        'checkpoint-inconsistent',
      ]);
    }
  });

  test('422 for a proof from size 0', async () => {
    const log = await MemoryLog.create(numbered(9));
    const { url } = await witnessOf(log);
    for (const size of [0, 5]) {
      const body = await requestBody(log, 0, size, { proof: await proofOf(log, 3, 5) });
      expect(await refused(await post(url, body))).toEqual([422, 'checkpoint-inconsistent']);
    }
  });

  test('422 for a proof that does not verify, and the log is reported with both notes', async () => {
    const log = await MemoryLog.create(numbered(20));
    const running = await witnessOf(log);
    await post(running.url, await requestBody(log, 0, 7));
    const good = await proofOf(log, 7, 20);
    const fork = log.fork(6, ...numbered(14, 'other'));
    const forked = await fork.note(20);
    const bodies = [
      await requestBody(log, 7, 20, { proof: [] }),
      await requestBody(log, 7, 20, { proof: good.slice(1) }),
      await requestBody(log, 7, 20, { proof: good.toReversed() }),
      await requestBody(log, 7, 20, { proof: [...good, good[0]!] }),
      await requestBody(log, 7, 20, { proof: await proofOf(log, 6, 20) }),
      await requestBody(fork, 7, 20),
      await requestBody(log, 7, 20, { note: forked }),
    ];
    for (const body of bodies) {
      expect(await refused(await post(running.url, body))).toEqual([
        422,
        'checkpoint-inconsistent',
      ]);
    }
    // Once for each of the two checkpoints that came without a proof.
    expect(running.reported).toHaveLength(2);
    const cosigned = Buffer.from(running.witness.checkpoint(hashOf(log.origin))!).toString();
    for (const note of [Buffer.from(forked).toString(), cosigned]) {
      expect(running.reported[1]?.message).toContain(JSON.stringify(note));
    }
    expect((await post(running.url, await requestBody(log, 7, 20))).status).toBe(200);
  });

  test('422 for another root at the same size, and for a proof there', async () => {
    const log = await MemoryLog.create(numbered(7));
    const running = await witnessOf(log);
    await post(running.url, await requestBody(log, 0, 7));
    const fork = log.fork(6, ...numbered(1, 'other'));
    const bodies = [
      await requestBody(fork, 7, 7),
      await requestBody(log, 7, 7, { proof: [Buffer.from(log.root(7)).toString('base64')] }),
    ];
    for (const body of bodies) {
      expect(await refused(await post(running.url, body))).toEqual([
        422,
        'checkpoint-inconsistent',
      ]);
    }
    expect(await conflict(await post(running.url, await requestBody(log, 0, 7)))).toBe('7\n');
  });
});

describe('the monitoring prefix', () => {
  test('serves the checkpoint as it was signed by the log and cosigned', async () => {
    const log = await MemoryLog.create(numbered(9));
    const running = await witnessOf(log, { mlDsa: true });
    const url = `${running.url}/${hashOf(log.origin)}/checkpoint`;
    expect((await fetch(url)).status).toBe(404);
    for (const [old, size] of [
      [0, 4],
      [4, 9],
      [9, 9],
    ] as const) {
      const note = Buffer.from(await log.note(size)).toString();
      const answer = await post(running.url, await requestBody(log, old, size));
      const served = await fetch(url);
      expect(served.headers.get('content-type')).toBe('text/plain; charset=utf-8');
      const text = await served.text();
      expect(text).toBe(note + (await answer.text()));
      const keys = [log.signer.key, ...running.keys];
      expect(await openNote(parseNote(text), keys, nodeVerifier)).toHaveLength(3);
    }
  });

  test.each([
    hashOf('never.example'),
    hashOf('log.example').toUpperCase(),
    hashOf('log.example').slice(1),
    'log.example',
  ])('404 at /%s/checkpoint', async (name) => {
    const log = await MemoryLog.create(numbered(3));
    const { url } = await witnessOf(log);
    await post(url, await requestBody(log, 0, 3));
    expect((await fetch(`${url}/${name}/checkpoint`)).status).toBe(404);
  });
});

describe('the face', () => {
  test('has nothing else, and says what methods there are', async () => {
    const { url } = await startWitness();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    expect((await fetch(`${url}/sign-subtree`, { method: 'POST', body: 'x' })).status).toBe(404);
    expect((await fetch(`${url}/add-checkpoint`)).status).toBe(405);
    expect((await fetch(`${url}/healthz`, { method: 'POST' })).status).toBe(405);
  });

  test('refuses a body that is too large by its head, or while it comes in', async () => {
    const { url } = await startWitness();
    expect((await post(url, Buffer.alloc(MAX_ADD_CHECKPOINT_BYTES + 1))).status).toBe(413);
    const stream = new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 << 10)),
    });
    const init = { method: 'POST', body: stream, duplex: 'half' } as const;
    const answer = await fetch(`${url}/add-checkpoint`, init as RequestInit).catch(() => undefined);
    if (answer) expect(answer.status).toBe(413);
  });

  test('waits a bounded time for a log that drips bytes, and serves others meanwhile', async () => {
    const log = await MemoryLog.create(numbered(5));
    const { url } = await witnessOf(log, { limits: { bodyTimeoutMs: 600 } });
    const body = Buffer.from(await requestBody(log, 0, 5));
    let at = 0;
    const drops = new ReadableStream({
      async pull(controller) {
        await delay(50);
        controller.enqueue(body.subarray(at, ++at));
      },
    });
    const init = { method: 'POST', body: drops, duplex: 'half' } as RequestInit;
    const dripping = fetch(`${url}/add-checkpoint`, init);
    expect((await post(url, body)).status).toBe(200);
    expect((await dripping).status).toBe(408);
  });

  test('keeps two logs apart', async () => {
    const [a, b] = [
      await MemoryLog.create(numbered(5), 'a.example'),
      await MemoryLog.create(numbered(9), 'b.example'),
    ];
    const { url } = await startWitness({ list: listOf(a, b) });
    expect((await post(url, await requestBody(a, 0, 5))).status).toBe(200);
    expect((await post(url, await requestBody(b, 0, 9))).status).toBe(200);
    expect(await conflict(await post(url, await requestBody(a, 0, 5)))).toBe('5\n');
    expect(await conflict(await post(url, await requestBody(b, 0, 9)))).toBe('9\n');
  });
});
