import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { formatDuration, parseDuration } from '../../src/verify/duration.ts';
import { parseReleasePolicy } from '../../src/verify/release-policy.ts';
import {
  bytesOf,
  keyOf,
  policyWith,
  product,
  productWith,
  signers,
  sound,
} from './policy-drafts.ts';

const refusal = (bytes: Uint8Array): string => {
  try {
    parseReleasePolicy(bytes);
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-policy' });
    return (error as Error).message;
  }
  return 'accepted';
};

describe('parseReleasePolicy', () => {
  it('turns names into keys, purls into scopes and durations into seconds', () => {
    const policy = parseReleasePolicy(bytesOf(sound));
    const [rule] = policy.products;
    expect(policy).toMatchObject({ version: 3, trust: { quorum: 'both' } });
    expect(policy.root?.keys.map(({ key }) => key.fingerprint)).toEqual(
      [signers.alice, signers.bob, signers.eve].map(({ publicKey }) => publicKey.fingerprint),
    );
    expect(policy.floors).toEqual({ treeSize: 1000, channels: new Map([['acme/stable', 12]]) });
    expect(rule).toMatchObject({
      scope: { text: 'pkg:generic/acme/*' },
      issuers: [{ name: 'release', organisation: 'Acme' }],
      rebuilds: { threshold: 2, sourceChecked: false },
      channels: [{ channel: 'acme/stable', maxAge: 25 * 3600, grace: 6 * 86_400 }],
      checkpointMaxAge: 86_400,
      publicFor: undefined,
      downgrade: 'refuse',
      override: false,
    });
  });

  it('needs little', () => {
    const { trust, keys } = sound;
    const least = { purl: 'pkg:generic/acme/*', issuers: ['release'] };
    const policy = parseReleasePolicy(bytesOf({ version: 1, trust, keys, products: [least] }));
    expect(policy).toMatchObject({ root: undefined, floors: { treeSize: 0 } });
    expect(policy.products[0]).toMatchObject({ channels: [], downgrade: 'refuse' });
  });

  const rebuilds = (threshold: number, keys: string[]): Uint8Array =>
    productWith({ rebuilds: { threshold, keys } });
  const channel = (members: object): Uint8Array =>
    productWith({
      channels: [{ channel: 'acme/stable', keys: ['channel'], maxAge: '25h', ...members }],
    });
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', utf8(''), /the policy: not JSON/],
    ['a C2SP policy alone', utf8('quorum none\n'), /the policy: not JSON/],
    ['a member twice', utf8('{"version":1,"version":2}'), /"version" occurs twice/],
    ['deep nesting', utf8('['.repeat(100)), /nested more than/],
    ['an array', bytesOf([]), /the policy/],
    ['an unknown member', policyWith({ colour: 'red' }), /colour/],
    ['an unknown member of a product', productWith({ rebuild: {} }), /products\.0: .*rebuild/],
    ['version 0', policyWith({ version: 0 }), /version/],
    ['version 1.5', policyWith({ version: 1.5 }), /version/],
    ['no product', policyWith({ products: [] }), /products/],
    ['a wrong trust line', policyWith({ trust: ['log x', 'quorum none'] }), /trust: policy line 1/],
    ['no quorum line', policyWith({ trust: [] }), /trust/],
    ['a wrong key', policyWith({ keys: { release: { key: 'AAAA' } } }), /keys\.release/],
    [
      'one key under two names',
      policyWith({ keys: { ...(sound.keys as object), again: keyOf(signers.uni) } }),
      /keys\.again: is the same key as uni/,
    ],
    [
      'a name that is not in keys',
      productWith({ issuers: ['nobody'] }),
      /"nobody", which is not in keys/,
    ],
    ['__proto__ as a name', productWith({ issuers: ['__proto__'] }), /products\.0\.issuers/],
    ['constructor as a name', productWith({ issuers: ['constructor'] }), /not in keys/],
    ['no issuer', productWith({ issuers: [] }), /products\.0\.issuers/],
    ['a name twice', rebuilds(2, ['uni', 'uni']), /products\.0\.rebuilds: names a key twice/],
    [
      'a threshold above the keys',
      rebuilds(3, ['uni', 'debian']),
      /threshold: is 3, but there are 2/,
    ],
    ['threshold 0', rebuilds(0, ['uni']), /threshold/],
    ['a root of too few', policyWith({ root: { threshold: 2, keys: ['eve'] } }), /root\.threshold/],
    ['a glob over text', productWith({ purl: 'pkg:generic/ac*' }), /products\.0\.purl/],
    ['a channel name with a space', channel({ channel: 'acme/st able' }), /channels\.0\.channel/],
    ['a duration without unit', channel({ maxAge: '25' }), /channels\.0\.maxAge/],
    ['no duration', channel({ maxAge: undefined }), /channels\.0\.maxAge/],
    [
      'a grace below maxAge',
      channel({ grace: '24h' }),
      /grace: is 24h, want more than maxAge, 25h/,
    ],
    [
      'a channel twice',
      productWith({ channels: [1, 2].map(() => (product.channels as object[])[0]) }),
      /names a channel twice/,
    ],
    ['a commit that is none', productWith({ source: { commits: ['HEAD'] } }), /source\.commits/],
    ['downgrade maybe', productWith({ downgrade: 'maybe' }), /downgrade/],
    [
      'a floor of a malformed channel',
      policyWith({ floors: { channels: { A: 1 } } }),
      /floors\.channels/,
    ],
  ])('refuses %s, and says where', (_, bytes, message) => {
    expect(refusal(bytes)).toMatch(message);
  });

  it('throws bad-policy for whatever bytes it is given', () => {
    fc.assert(fc.property(fc.uint8Array(), (bytes) => refusal(bytes) !== 'accepted'));
    fc.assert(fc.property(fc.json(), (text) => refusal(utf8(text)) !== 'accepted'));
  });

  it('throws bad-policy for whatever takes the place of a member', () => {
    const member = fc.constantFrom(...Object.keys(product));
    fc.assert(
      fc.property(member, fc.jsonValue(), (name, value) => {
        expect(refusal(productWith({ [name]: value }))).toMatch(/accepted|release policy refused/);
      }),
    );
  });
});

describe('durations', () => {
  it('are read back as they were written', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), (seconds) => {
        expect(parseDuration(formatDuration(seconds))).toBe(seconds);
      }),
    );
    expect(['90s', '60s', '48h'].map((text) => formatDuration(parseDuration(text)))).toEqual([
      '90s',
      '1m',
      '2d',
    ]);
  });

  it.each(['', '0h', '1', 'h', '1.5h', '-1h', '1w', ' 1h', '01h'])('refuse "%s"', (text) => {
    expect(() => parseDuration(text)).toThrow(/no duration/);
  });
});
