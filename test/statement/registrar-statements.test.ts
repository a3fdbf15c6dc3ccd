import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Signer } from '../../src/signature/port.ts';
import { publicKeyFromSpki } from '../../src/signature/public-key.ts';
import { advance, authorize, examine, openGenesis } from '../../src/statement/admission.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { genesisPredicateType, genesisStatement } from '../../src/statement/genesis.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import {
  changed,
  changePayload,
  genesisEntry,
  logKey,
  newLog,
  newSigner,
  origin,
  releasePayload,
  signed,
  unhinted,
} from './parties.ts';

const [registrar, acme, gone, stranger] = (await Promise.all(
  Array.from({ length: 4 }, () => newSigner()),
)) as [Signer, Signer, Signer, Signer];

let state = await newLog(registrar);
state = await changed(state, registrar, { issuer: acme });
state = await changed(state, registrar, { issuer: gone, name: 'gone' });
state = await changed(state, registrar, { issuer: gone, name: 'gone', action: 'revoke' });
const purl = 'pkg:generic/evil/scanner@1';

describe('an admission entry', () => {
  const next = state.nextSequence;

  it.each<[string, string, RegExp, () => Promise<Uint8Array>]>([
    [
      'for another origin',
      'not-admitted',
      /for the log other\.example, this is log\.acme\.example/,
      () =>
        signed(
          changePayload({ issuer: stranger, sequence: next, origin: 'other.example' }),
          registrar,
        ),
    ],
    [
      'with a sequence that is too high',
      'admission-conflict',
      new RegExp(`sequence ${next + 1}, the next one is ${next}`),
      () => signed(changePayload({ issuer: stranger, sequence: next + 1 }), registrar),
    ],
    [
      'that is replayed',
      'admission-conflict',
      new RegExp(`sequence 1, the next one is ${next}`),
      () => signed(changePayload({ issuer: acme, sequence: 1 }), registrar),
    ],
    [
      'signed by an issuer',
      'not-admitted',
      /is no registrar key's fingerprint/,
      () => signed(changePayload({ issuer: stranger, sequence: next }), acme),
    ],
    [
      'without keyid',
      'not-admitted',
      /keyid "" is no registrar/,
      () => unhinted(changePayload({ issuer: stranger, sequence: next }), registrar),
    ],
    [
      'with more signatures than the threshold',
      'not-admitted',
      /2 signatures by 2 keys, want those of exactly 1/,
      () => signed(changePayload({ issuer: stranger, sequence: next }), registrar, acme),
    ],
    [
      "signed with another key under the registrar's name",
      'signature-invalid',
      /registrar key [0-9a-f]{64} does not verify/,
      async () => {
        const entry = await signed(changePayload({ issuer: stranger, sequence: next }), stranger);
        return utf8(
          decodeUtf8(entry).replace(
            stranger.publicKey.fingerprint,
            registrar.publicKey.fingerprint,
          ),
        );
      },
    ],
    [
      'that admits an issuer again',
      'not-admitted',
      /is issuer acme already; use the action change/,
      () => signed(changePayload({ issuer: acme, sequence: next }), registrar),
    ],
    [
      'that admits a revoked key',
      'not-admitted',
      /never comes back/,
      () => signed(changePayload({ issuer: gone, sequence: next }), registrar),
    ],
    [
      'that revokes a key twice',
      'not-admitted',
      /never comes back/,
      () => signed(changePayload({ issuer: gone, sequence: next, action: 'revoke' }), registrar),
    ],
    [
      'that changes an unknown key',
      'not-admitted',
      /nothing to change; admit it first/,
      () =>
        signed(changePayload({ issuer: stranger, sequence: next, action: 'change' }), registrar),
    ],
  ])('%s is refused', async (_, code, message, make) => {
    await expect(examine(state, await make(), nodeVerifier)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as unknown,
    });
  });

  it.each<[string, (predicate: Record<string, unknown>) => void, RegExp]>([
    ['an unknown member', (p) => (p.more = 1), /unknown member "more"/],
    ['an unknown role', (p) => (p.roles = ['release', 'admin']), /role is "admin"/],
    [
      'an unknown action',
      (p) => (p.action = 'toString'),
      /action is "toString", want one of admit, change, revoke/,
    ],
    ['no roles', (p) => (p.roles = []), /0 roles and 1 purls, want at least one of each/],
    ['no purls', (p) => (p.purls = []), /1 roles and 0 purls/],
    ['purls in a revocation', (p) => (p.action = 'revoke'), /want none/],
    ['a star inside a segment', (p) => (p.purls = ['pkg:generic/ac*/x']), /must be the whole/],
    ['a fractional sequence', (p) => (p.sequence = 1.5), /sequence is 1.5/],
    ['a sequence that is text', (p) => (p.sequence = '1'), /sequence is of type string/],
    ['a sequence of 0', (p) => (p.sequence = 0), /at least 1/],
    ['a line break in the name', (p) => (p.name = 'a\nb'), /control or format/],
    ['a direction mark in the name', (p) => (p.name = 'a\u202eb'), /control or format/],
    [
      'another key than its subject',
      (p) => (p.key = Buffer.from(acme.publicKey.spki).toString('base64')),
      /fingerprint of its key/,
    ],
  ])('with %s is refused', async (_, change, message) => {
    const statement = JSON.parse(
      decodeUtf8(changePayload({ issuer: stranger, sequence: next })),
    ) as { predicate: Record<string, unknown> };
    change(statement.predicate);
    const entry = await signed(utf8(JSON.stringify(statement)), registrar);
    await expect(examine(state, entry, nodeVerifier)).rejects.toMatchObject({
      code: 'bad-statement',
      message: expect.stringMatching(message) as unknown,
    });
  });

  it('changes what an issuer may say, and leaves the older state as it was', async () => {
    const after = await changed(state, registrar, {
      issuer: acme,
      action: 'change',
      purls: ['pkg:generic/evil/scanner'],
    });
    const release = await signed(releasePayload(purl), acme);
    const { claim } = await examine(after, release, nodeVerifier);
    expect(() => authorize(state, claim)).toThrow(/may not speak for/);
    await expect(examine(state, release, nodeVerifier)).rejects.toThrow(/may not speak for/);
    expect(after.nextSequence).toBe(state.nextSequence + 1);
  });

  it('takes exactly two of three registrars when that is the threshold', async () => {
    const keys = await Promise.all([newSigner(), newSigner('ecdsa-p256'), newSigner()]);
    const [a, b, c] = keys;
    const shared = await openGenesis(await genesisEntry(keys, 2), nodeVerifier);
    const payload = changePayload({ issuer: acme, sequence: 1 });
    for (const pair of [
      [a, b],
      [b, a],
      [c, b],
      [a, c],
    ]) {
      const { claim } = await examine(shared, await signed(payload, ...pair), nodeVerifier);
      expect(advance(shared, claim).issuers.size).toBe(1);
    }
    const dedupe = async (...signers: Signer[]) =>
      (await examine(shared, await signed(payload, ...signers), nodeVerifier)).dedupe;
    expect(await dedupe(a, c)).toEqual(await dedupe(c, a));
    for (const others of [[a], [a, a], [a, b, c], [a, stranger], []]) {
      await expect(
        examine(shared, await signed(payload, ...others), nodeVerifier),
      ).rejects.toMatchObject({ code: 'not-admitted' });
    }
  });
});

describe('a genesis', () => {
  it('fixes origin, log keys, mode and registrar', async () => {
    expect(await openGenesis(await genesisEntry([registrar], 1, 'open'), nodeVerifier)).toEqual({
      origin,
      logKeys: [logKey],
      mode: 'open',
      registrar: { threshold: 1, keys: [publicKeyFromSpki(registrar.publicKey.spki)] },
      nextSequence: 1,
      issuers: new Map(),
    });
  });

  const keys = [registrar, acme].map(({ publicKey }) =>
    Buffer.from(publicKey.spki).toString('base64'),
  );
  it.each<[string, (predicate: Record<string, unknown>) => void, RegExp]>([
    ['an unknown member', (p) => (p.more = 1), /unknown member "more"/],
    ['an unknown mode', (p) => (p.admission = 'closed'), /admission is "closed"/],
    [
      'another origin than its subject',
      (p) => (p.origin = 'other.example'),
      /subject of a genesis/,
    ],
    ['an origin with a space', (p) => (p.origin = 'a b'), /space/],
    ['no log keys', (p) => (p.logKeys = []), /named by nothing, want at least one/],
    [
      'a log key of another name',
      (p) => (p.logKeys = [(p.logKeys as string[])[0]!.replace(origin, 'other')]),
      /other|key ID/,
    ],
    ['threshold 0', (p) => (p.registrar = { threshold: 0, keys }), /threshold is 0/],
    [
      'a threshold above its keys',
      (p) => (p.registrar = { threshold: 3, keys }),
      /no higher threshold/,
    ],
    [
      'a registrar key twice',
      (p) => (p.registrar = { threshold: 1, keys: [keys[0], keys[0]] }),
      /1 distinct/,
    ],
    ['no registrar keys', (p) => (p.registrar = { threshold: 1, keys: [] }), /0 keys/],
    [
      '17 registrar keys',
      (p) => (p.registrar = { threshold: 1, keys: Array(17).fill(keys[0]) }),
      /at most 16/,
    ],
    ['a broken key', (p) => (p.registrar = { threshold: 1, keys: ['AAAA'] }), /./],
  ])('with %s is refused', async (_, change, message) => {
    const genesis = {
      origin,
      logKeys: [logKey],
      admission: 'issuers' as const,
      registrar: { threshold: 1, keys: [registrar.publicKey] },
    };
    const statement = JSON.parse(decodeUtf8(genesisStatement(genesis))) as {
      predicate: Record<string, unknown>;
    };
    change(statement.predicate);
    const entry = await signed(utf8(JSON.stringify(statement)), registrar);
    await expect(openGenesis(entry, nodeVerifier)).rejects.toThrow(message);
  });

  it('is signed by its registrar', async () => {
    const { payload } = parseEnvelope(await genesisEntry([registrar]));
    expect(parseStatement(payload).predicateType).toBe(genesisPredicateType);
    await expect(openGenesis(await signed(payload, acme), nodeVerifier)).rejects.toMatchObject({
      code: 'not-admitted',
    });
    await expect(openGenesis(await signed(payload), nodeVerifier)).rejects.toMatchObject({
      code: 'not-admitted',
    });
    await expect(
      openGenesis(await signed(releasePayload(), registrar), nodeVerifier),
    ).rejects.toThrow(/entry 0 is of type/);
  });
});
