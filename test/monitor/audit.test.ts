/** The replay of admission: the verdict on each entry is that of examining it by all those before it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { leafIndex } from '../../src/encoding/integer.ts';
import { DaybookError } from '../../src/errors.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Signer } from '../../src/signature/port.ts';
import { advance, examine, openGenesis } from '../../src/statement/admission.ts';
import { MemoryLog } from '../client/memory-log.ts';
import { channelEntry } from '../log/statements.ts';
import { changePayload, newSigner, signed } from '../statement/parties.ts';
import { acmeLog, release, WatchScene, type AcmeLog } from './watch-scene.ts';

const outsider = await newSigner();

/** Entries of every kind, right and wrong, by what came before them. */
const kinds: Readonly<Record<string, (log: AcmeLog, known: Signer[]) => Promise<Uint8Array>>> = {
  release: ({ issuer, log }) => release(issuer, log.entries.length),
  'release by the newest key': ({ issuer, log }, known) =>
    release(known.at(-1) ?? issuer, log.entries.length),
  'release by a stranger': ({ log }) => release(outsider, log.entries.length),
  admission: async ({ registrar }, known) => {
    const issuer = await newSigner();
    known.push(issuer);
    return signed(changePayload({ sequence: known.length + 1, issuer }), registrar);
  },
  'admission out of turn': async ({ registrar }, known) => {
    const issuer = await newSigner();
    return signed(changePayload({ sequence: known.length + 5, issuer }), registrar);
  },
  'admission by a stranger': async (_, known) => {
    const issuer = await newSigner();
    return signed(changePayload({ sequence: known.length + 2, issuer }), outsider);
  },
  'changed signature': async ({ issuer, log }) => {
    const entry = Buffer.from(await release(issuer, log.entries.length));
    const envelope = JSON.parse(entry.toString()) as { signatures: { sig: string }[] };
    envelope.signatures[0]!.sig = Buffer.alloc(64, 7).toString('base64');
    return Buffer.from(JSON.stringify(envelope));
  },
  'no envelope': async ({ log }) => Buffer.from(`entry ${log.entries.length}`),
};

test('a mixture of entries of every kind is judged as by one who examines them one by one', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...Object.keys(kinds)), { minLength: 1, maxLength: 60 }),
      fc.array(fc.nat({ max: 62 }), { maxLength: 3 }),
      async (mixture, stops) => {
        const acme = await acmeLog();
        const known: Signer[] = [];
        for (const kind of mixture) acme.log.entries.push(await kinds[kind]!(acme, known));
        const scene = await WatchScene.of(acme.log);
        for (const size of stops.sort((a, b) => a - b)) {
          acme.log.published = Math.min(Math.max(size, 1), acme.log.entries.length);
          await scene.watched.poll();
          await scene.again();
        }
        acme.log.published = undefined;
        await scene.watched.poll();

        let state = await openGenesis(acme.log.entries[0]!, nodeVerifier);
        const wrong: { index: number; code: string }[] = [];
        for (const [index, entry] of acme.log.entries.entries()) {
          if (index === 0) continue;
          try {
            state = advance(state, (await examine(state, entry, nodeVerifier)).claim);
          } catch (error) {
            wrong.push({ index, code: (error as DaybookError).code });
          }
        }
        const { findings } = await scene.findings();
        expect(findings.map(({ index, code }) => ({ index, code }))).toEqual(wrong);
        expect(scene.watched.status().findings).toBe(wrong.length);
        expect(scene.alerts.length > 0).toBe(wrong.length > 0);
        const problems = scene.entries.filter(({ problem }) => problem).map(({ index }) => index);
        expect(problems).toEqual(wrong.map(({ index }) => index));
      },
    ),
    { numRuns: 15 },
  );
});

test('a key that was revoked is a stranger from then on, within one bundle too', async () => {
  const acme = await acmeLog();
  const { log, issuer, registrar } = acme;
  log.entries.push(await release(issuer, 1));
  const revoked = changePayload({ action: 'revoke', sequence: 2, issuer });
  log.entries.push(await signed(revoked, registrar), await release(issuer, 2));
  const scene = await WatchScene.of(log);
  await scene.watched.poll();
  expect(await scene.findings()).toMatchObject({ findings: [{ index: 4, code: 'not-admitted' }] });
});

test('channels are followed: a place that is taken twice, and a gap, should not be there', async () => {
  const { log, registrar } = await acmeLog();
  const issuer = await newSigner();
  const admitted = changePayload({
    sequence: 2,
    issuer,
    roles: ['channel'],
    purls: ['pkg:channel/acme/*'],
  });
  log.entries.push(await signed(admitted, registrar));
  log.entries.push(await channelEntry(log, issuer, 1, undefined));
  const scene = await WatchScene.of(log);
  await scene.watched.poll();
  await scene.again();
  log.entries.push(await channelEntry(log, issuer, 2, 3));
  log.entries.push(await channelEntry(log, issuer, 2, 3));
  log.entries.push(await channelEntry(log, issuer, 4, 4));
  log.entries.push(await channelEntry(log, issuer, 3, 4));
  await scene.watched.poll();
  expect(await scene.findings()).toMatchObject({
    findings: [
      { index: 5, code: 'channel-conflict' },
      { index: 6, code: 'channel-conflict' },
    ],
  });
});

test('the genesis of another log is a finding, and nothing behind it is judged', async () => {
  const { log } = await acmeLog();
  const other = await MemoryLog.create(log.entries);
  const scene = await WatchScene.of(other);
  await scene.watched.poll();
  expect(await scene.findings()).toMatchObject({ findings: [{ index: 0, code: 'not-admitted' }] });
  expect(scene.watched.status()).toMatchObject({ audited: 2, findings: 1 });
});

test('the list is given out in pages, and what failed in one bundle is kept together', async () => {
  const { log } = await acmeLog();
  while (log.entries.length < 3000) log.entries.push(Buffer.from(`no envelope ${log.size}`));
  const scene = await WatchScene.of(log);
  log.published = 300;
  await scene.watched.poll();
  log.published = undefined;
  await scene.watched.poll();
  const indexes: number[] = [];
  for (let from: number | undefined = 0; from !== undefined;) {
    const page = await scene.findings(from);
    expect(page.findings.length).toBeLessThan(1300);
    indexes.push(...page.findings.map(({ index }) => index));
    from = page.next;
  }
  expect(indexes).toEqual(Array.from({ length: 2998 }, (_, i) => leafIndex(i + 2)));
  expect((await scene.findings(2999)).findings).toHaveLength(1);
  expect(scene.alerts.length).toBeLessThan(5);
});
