import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { concatBytes, decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Signer } from '../../src/signature/port.ts';
import { advance, authorize, examine } from '../../src/statement/admission.ts';
import { formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { formatStatement, inTotoPayloadType } from '../../src/statement/in-toto.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import {
  changed,
  genesisEntry,
  newLog,
  newSigner,
  releasePayload,
  signed,
  subject,
  unhinted,
} from './parties.ts';

const [registrar, acme, builder, gone, stranger] = (await Promise.all(
  Array.from({ length: 5 }, () => newSigner()),
)) as [Signer, Signer, Signer, Signer, Signer];

let state = await newLog(registrar);
state = await changed(state, registrar, { issuer: acme });
state = await changed(state, registrar, { issuer: builder, name: 'builder', roles: ['rebuild'] });
state = await changed(state, registrar, { issuer: gone, name: 'gone' });
state = await changed(state, registrar, { issuer: gone, name: 'gone', action: 'revoke' });

const statementOf = (predicateType: string, predicate = {}): Uint8Array =>
  formatStatement({ subject: [subject('x')], predicateType, predicate });
const edited = async (from: string, to: string): Promise<Uint8Array> =>
  utf8(decodeUtf8(await signed(releasePayload(), acme)).replace(from, to));
const provenance = (name: string): Uint8Array =>
  provenanceStatement({
    subjects: [subject('scanner.tar.gz'), subject(name)],
    buildType: 'https://ci.acme.example/make',
    builderId: 'https://ci.acme.example/b',
    externalParameters: {},
  });

describe('a statement is admitted', () => {
  it('when the issuer that its keyid names may release the product', async () => {
    const { claim, subjects } = await examine(
      state,
      await signed(releasePayload(), acme),
      nodeVerifier,
    );
    expect(claim).toMatchObject({ kind: 'release', signer: acme.publicKey.fingerprint });
    expect(subjects).toEqual([subject('scanner.tar.gz').sha256]);
    expect(() => authorize(state, claim)).not.toThrow();
    expect(advance(state, claim)).toBe(state);
  });

  it.each(['', 'c70077aaac317702a04a7e808e09da3c', 'é'.repeat(128)])(
    'whatever else its keyid says: %j',
    async (keyid) => {
      const envelope = await signEnvelope(inTotoPayloadType, releasePayload(), [acme]);
      const signatures = envelope.signatures.map(({ sig }) => ({ keyid, sig }));
      const entry = formatEnvelope({ ...envelope, signatures });
      const { claim } = await examine(state, entry, nodeVerifier);
      expect(claim).toMatchObject({ signer: acme.publicKey.fingerprint });
    },
  );

  it('as provenance in the role of a rebuilder, with or without a purl among its subjects', async () => {
    for (const name of ['scanner.deb', 'pkg:generic/acme/scanner@1.2.3']) {
      const { claim } = await examine(state, await signed(provenance(name), builder), nodeVerifier);
      expect(claim).toMatchObject({ kind: 'provenance', signer: builder.publicKey.fingerprint });
    }
  });

  it.each(['ecdsa-p256', 'ecdsa-p384', 'rsa-pss', 'ml-dsa-44'] as const)(
    'under a key of type %s',
    async (algorithm) => {
      const issuer = await newSigner(algorithm);
      const with1 = await changed(state, registrar, { issuer });
      const { claim } = await examine(
        with1,
        await unhinted(releasePayload(), issuer),
        nodeVerifier,
      );
      expect(claim).toMatchObject({ signer: issuer.publicKey.fingerprint });
    },
  );

  it('with one dedupe digest for one payload under one key, however the envelope is written', async () => {
    const p256 = await newSigner('ecdsa-p256');
    const with1 = await changed(state, registrar, { issuer: p256 });
    const payload = releasePayload();
    const dedupe = async (entry: Uint8Array) =>
      Buffer.from((await examine(with1, entry, nodeVerifier)).dedupe).toString('hex');
    const first = await dedupe(await signed(payload, p256));
    expect(await dedupe(await signed(payload, p256))).toBe(first);
    expect(await dedupe(await unhinted(payload, p256))).toBe(first);
    expect(await dedupe(await signed(payload, acme))).not.toBe(first);
    expect(await dedupe(await signed(releasePayload('pkg:generic/acme/a@2'), p256))).not.toBe(
      first,
    );

    const sha256 = (data: Uint8Array) => new Uint8Array(hash('sha256', data, 'buffer'));
    const message = utf8(
      `DSSEv1 28 application/vnd.in-toto+json ${payload.length} ${decodeUtf8(payload)}`,
    );
    const naive = concatBytes(sha256(message), utf8(p256.publicKey.fingerprint));
    expect(first).toBe(Buffer.from(sha256(naive)).toString('hex'));
    const { dedupe: byNode } = await examine(
      with1,
      await signed(payload, p256),
      nodeVerifier,
      sha256,
    );
    expect(Buffer.from(byNode).toString('hex')).toBe(first);
  });
});

const purl = 'pkg:generic/evil/scanner@1';
const largest = releaseStatement({
  purl: 'pkg:generic/acme/scanner@1',
  subjects: Array.from({ length: 500 }, (_, i) => subject(`file-${i}`)),
});

describe('a statement is refused', () => {
  it.each<[string, string, RegExp, () => Promise<Uint8Array>]>([
    [
      'over 65,535 bytes',
      'entry-too-large',
      /65535 .*manifest's digest.*docs\/pipeline\.md/,
      () => signed(largest, acme),
    ],
    ['when it is empty', 'bad-entry', /not JSON/, () => Promise.resolve(new Uint8Array())],
    [
      'when it is no envelope',
      'bad-entry',
      /unknown member "purl"/,
      () => Promise.resolve(utf8('{"purl":1}')),
    ],
    [
      'with another payload type',
      'bad-entry',
      /payloadType is "text\/plain"/,
      async () => formatEnvelope(await signEnvelope('text/plain', releasePayload(), [acme])),
    ],
    [
      'with two signatures',
      'bad-entry',
      /2 signatures, want exactly one/,
      () => signed(releasePayload(), acme, builder),
    ],
    ['without a signature', 'bad-entry', /0 signatures/, () => signed(releasePayload())],
    [
      'by an unknown key',
      'not-admitted',
      /is no issuer's.*none of the keys.*acme .*daybook issuer add/,
      () => signed(releasePayload(), stranger),
    ],
    [
      'by an unknown key without a keyid',
      'not-admitted',
      /keyid "" is no issuer's/,
      () => unhinted(releasePayload(), stranger),
    ],
    [
      'of a product that nobody may release',
      'not-admitted',
      /no issuer .*release statement of pkg:generic\/evil\/scanner@1/,
      () => unhinted(releasePayload(purl), acme),
    ],
    [
      'with a key type that no issuer has',
      'not-admitted',
      /no issuer with such a key/,
      async () => signed(releasePayload(), await newSigner('rsa-pss')),
    ],
    [
      'when its signature is not by the key that keyid names',
      'signature-invalid',
      /key of issuer acme/,
      async () => {
        const envelope = await signEnvelope(inTotoPayloadType, releasePayload(), [stranger]);
        const signatures = envelope.signatures.map(({ sig }) => ({
          keyid: acme.publicKey.fingerprint,
          sig,
        }));
        return formatEnvelope({ ...envelope, signatures });
      },
    ],
    [
      'when the payload was changed',
      'signature-invalid',
      /does not verify/,
      async () => {
        const envelope = await signEnvelope(inTotoPayloadType, releasePayload(), [acme]);
        return formatEnvelope({
          ...envelope,
          payload: releasePayload('pkg:generic/acme/scanner@1.2.4'),
        });
      },
    ],
    [
      "of a product outside the issuer's scope",
      'not-admitted',
      /issuer acme may not speak for pkg:generic\/evil\/scanner@1: its scopes are pkg:generic\/acme\/\*/,
      () => signed(releasePayload(purl), acme),
    ],
    [
      'of a product that only looks inside the scope',
      'bad-statement',
      /".." as a path segment/,
      async () =>
        signed(
          statementOf('https://in-toto.io/attestation/release/v0.1', {
            purl: 'pkg:generic/acme/../evil/x@1',
          }),
          acme,
        ),
    ],
    [
      'with a role that the issuer lacks',
      'not-admitted',
      /builder has the roles rebuild, but a release statement needs release/,
      () => signed(releasePayload(), builder),
    ],
    [
      'as provenance by a releaser',
      'not-admitted',
      /needs provenance or rebuild/,
      () => signed(provenance('x'), acme),
    ],
    [
      'as provenance of a purl outside the scope',
      'not-admitted',
      /builder may not speak for pkg:generic\/evil/,
      () => signed(provenance(purl), builder),
    ],
    [
      'by a revoked issuer',
      'not-admitted',
      /gone \(key [0-9a-f]{64}\) was revoked; admit a new key/,
      () => signed(releasePayload(), gone),
    ],
    [
      'by a revoked issuer without a keyid',
      'not-admitted',
      /none of the keys/,
      () => unhinted(releasePayload(), gone),
    ],
    [
      'with a subject without sha256',
      'bad-statement',
      /sha256/,
      async () => {
        const payload = utf8(decodeUtf8(releasePayload()).replace('sha256', 'sha512'));
        return signed(payload, acme);
      },
    ],
    [
      'of an unknown predicate type',
      'bad-statement',
      /"https:\/\/x\.example\/p" is not one.*release\/v0\.1.*slsa\.dev\/provenance\/v1/,
      () => signed(statementOf('https://x.example/p'), acme),
    ],
    [
      'of a type named like a prototype member',
      'bad-statement',
      /"constructor" is not one/,
      () => signed(statementOf('constructor'), acme),
    ],
    [
      'as a second genesis',
      'not-admitted',
      /valid as entry 0 only/,
      () => genesisEntry([registrar]),
    ],
    [
      'with an oversized keyid',
      'bad-entry',
      /keyid has 257 bytes/,
      () => edited(acme.publicKey.fingerprint, 'x'.repeat(257)),
    ],
    [
      'with an unknown member in the envelope',
      'bad-entry',
      /unknown member "x"/,
      () => edited('{', '{"x":1,'),
    ],
    [
      'when it carries a certificate',
      'bad-entry',
      /keyless/,
      () => edited('"sig"', '"cert":"x","sig"'),
    ],
  ])('%s', async (_, code, message, make) => {
    await expect(examine(state, await make(), nodeVerifier)).rejects.toMatchObject({
      name: 'DaybookError',
      code,
      message: expect.stringMatching(message) as unknown,
    });
  });

  it('after at most 32 keys were tried', async () => {
    let crowd = await newLog(registrar);
    const issuers = await Promise.all(Array.from({ length: 34 }, () => newSigner()));
    for (const issuer of issuers) crowd = await changed(crowd, registrar, { issuer });
    let tried = 0;
    const counting = {
      verify: (...args: Parameters<typeof nodeVerifier.verify>) => {
        tried++;
        return nodeVerifier.verify(...args);
      },
    };
    await expect(
      examine(crowd, await unhinted(releasePayload(), issuers[33]!), counting),
    ).rejects.toMatchObject({ code: 'not-admitted' });
    expect(tried).toBe(32);
    const { claim } = await examine(crowd, await signed(releasePayload(), issuers[33]!), counting);
    expect(tried).toBe(33);
    expect(() => authorize(crowd, claim)).not.toThrow();
  });
});
