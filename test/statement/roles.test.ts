/** Which role each kind of statement needs, and for which products. */
import { describe, expect, it } from 'vitest';
import { leafIndex } from '../../src/encoding/integer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { advance, authorize, examine } from '../../src/statement/admission.ts';
import { channelDigest, channelStatement } from '../../src/statement/channel.ts';
import { type Role, roles } from '../../src/statement/issuer.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { sourceCommitmentStatement } from '../../src/statement/source-commitment.ts';
import { verificationSummaryStatement } from '../../src/statement/verification-summary.ts';
import { withdrawalStatement } from '../../src/statement/withdrawal.ts';
import { changed, newLog, newSigner, origin, releasePayload, signed, subject } from './parties.ts';

const registrar = await newSigner();
const signers = new Map(
  await Promise.all(roles.map(async (role) => [role, await newSigner()] as const)),
);
let state = await newLog(registrar);
for (const [role, issuer] of signers) {
  state = await changed(state, registrar, {
    issuer,
    name: role,
    roles: [role],
    purls: ['pkg:generic/acme/*', 'pkg:channel/acme/*'],
  });
}

const subjects = [subject('scanner.tar.gz')];
const root = subject('tree').sha256;
const channel = (name: string, log = origin): Uint8Array =>
  channelStatement({
    origin: log,
    channel: name,
    kind: 'releases',
    sequence: 2,
    previous: leafIndex(9),
    issued: 1_795_514_400,
    expires: 1_795_604_400,
    current: [],
    withdrawn: [],
  });
const summary = (resourceUri: string): Uint8Array =>
  verificationSummaryStatement({
    subjects,
    verifierId: 'https://bsi.example',
    timeVerified: 1_795_514_400,
    resourceUri,
    policyUri: 'https://bsi.example/rules/4',
    result: 'FAILED',
    reason: 'calls home',
  });
const provenance = (name: string): Uint8Array =>
  provenanceStatement({
    subjects: [subject(name)],
    buildType: 'b:t',
    builderId: 'b:i',
    externalParameters: {},
  });

/** Each kind, who may say it, and how it is said about a product. */
const kinds: [string, Role[], (product: string) => Uint8Array][] = [
  ['release', ['release'], (product) => releasePayload(`pkg:generic/${product}@1`)],
  ['provenance', ['provenance', 'rebuild'], (product) => provenance(`pkg:generic/${product}@1`)],
  ['verification summary', ['approve'], (product) => summary(`pkg:generic/${product}@1`)],
  ['channel', ['channel'], (product) => channel(product)],
  [
    'withdrawal',
    ['withdraw'],
    (product) => withdrawalStatement({ purl: `pkg:generic/${product}@1`, reason: 'bad', subjects }),
  ],
  [
    'source commitment',
    ['provenance'],
    (product) => sourceCommitmentStatement({ root, files: 3, purl: `pkg:generic/${product}@1` }),
  ],
];

describe.each(kinds)('a %s', (kind, allowed, about) => {
  it.each(roles)('is judged by its role when the issuer has only %s', async (role) => {
    const entry = await signed(about('acme/scanner'), signers.get(role)!);
    const examined = examine(state, entry, nodeVerifier);
    if (!allowed.includes(role)) {
      await expect(examined).rejects.toMatchObject({
        code: 'not-admitted',
        message: expect.stringContaining(`needs ${allowed.join(' or ')}`) as string,
      });
      return;
    }
    const { claim } = await examined;
    expect(claim).toMatchObject({ kind, signer: signers.get(role)!.publicKey.fingerprint });
    expect(() => authorize(state, claim)).not.toThrow();
    expect(advance(state, claim)).toBe(state);
  });

  it('is refused for a product that the issuer may not speak for', async () => {
    const entry = await signed(about('evil/scanner'), signers.get(allowed[0]!)!);
    await expect(examine(state, entry, nodeVerifier)).rejects.toMatchObject({
      code: 'not-admitted',
      message: expect.stringMatching(/may not speak for pkg:(generic|channel)\/evil/) as string,
    });
  });

  it('is refused once its issuer was revoked', async () => {
    const issuer = signers.get(allowed[0]!)!;
    const { claim } = await examine(
      state,
      await signed(about('acme/scanner'), issuer),
      nodeVerifier,
    );
    const after = await changed(state, registrar, { issuer, name: 'gone', action: 'revoke' });
    expect(() => authorize(after, claim)).toThrow(/was revoked/);
  });
});

describe('a channel statement', () => {
  it('claims its place in its channel, under the digest of the channel', async () => {
    const entry = await signed(channel('acme/stable'), signers.get('channel')!);
    const { claim, subjects: digests } = await examine(state, entry, nodeVerifier);
    expect(claim).toMatchObject({ channel: { name: 'acme/stable', sequence: 2, previous: 9 } });
    expect(digests).toEqual([channelDigest('acme/stable')]);
  });

  it('of another log is refused', async () => {
    const foreign = channel('acme/stable', 'log.evil.example');
    await expect(
      examine(state, await signed(foreign, signers.get('channel')!), nodeVerifier),
    ).rejects.toMatchObject({
      code: 'not-admitted',
      message: expect.stringMatching(/log\.evil\.example, this is log\.acme\.example/) as string,
    });
  });
});

it('a review of source that names no product is judged by its role alone', async () => {
  const review = summary('git+https://git.acme.example/scanner');
  const entry = await signed(review, signers.get('approve')!);
  const { claim } = await examine(state, entry, nodeVerifier);
  expect(claim).toMatchObject({ kind: 'verification summary', purls: [] });
});
