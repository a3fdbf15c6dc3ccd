import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { concatBytes, decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { publicKeyFromSpki } from '../../src/signature/public-key.ts';
import {
  type Envelope,
  formatEnvelope,
  parseEnvelope,
  preAuthEncoding,
  signEnvelope,
} from '../../src/statement/dsse.ts';
import { newSigner } from './parties.ts';

const envelope: fc.Arbitrary<Envelope> = fc.record({
  payloadType: fc.string({ unit: 'grapheme', maxLength: 40 }),
  payload: fc.uint8Array({ maxLength: 200 }),
  signatures: fc.array(
    fc.record({
      keyid: fc.string({ unit: 'grapheme', maxLength: 10 }),
      sig: fc.uint8Array({ minLength: 1, maxLength: 100 }),
    }),
    { maxLength: 3 },
  ),
});

const refusal = (json: unknown): string => {
  try {
    parseEnvelope(utf8(typeof json === 'string' ? json : JSON.stringify(json)));
  } catch (error) {
    expect(error).toMatchObject({ code: 'bad-entry' });
    return (error as Error).message;
  }
  return 'accepted';
};
const good = { payloadType: 't', payload: 'aGk=', signatures: [{ keyid: 'k', sig: 'AQ==' }] };
const withSignature = (signature: unknown) => ({ ...good, signatures: [signature] });

describe('an envelope', () => {
  it('is read back as it was written', () => {
    fc.assert(
      fc.property(envelope, (given) => {
        const bytes = formatEnvelope(given);
        expect(parseEnvelope(bytes)).toEqual(given);
        expect(formatEnvelope(parseEnvelope(bytes))).toEqual(bytes);
      }),
    );
  });

  it('may use the URL-safe alphabet, members in any order, white space and no keyid', () => {
    const payload = Uint8Array.of(0xfb, 0xff, 0xbf);
    const text = `{"signatures": [ {"sig": "-_-_"} ],\n "payload": "-_-_", "payloadType": "t"}`;
    const signatures = [{ keyid: '', sig: payload }];
    expect(parseEnvelope(utf8(text))).toEqual({ payloadType: 't', payload, signatures });
  });

  it.each<[string, unknown, RegExp]>([
    ['an array', [], /envelope is an array, want an object/],
    ['no JSON', '{', /envelope: not JSON/],
    ['a missing payload', { ...good, payload: undefined }, /payload is missing, want a string/],
    ['a payload of another type', { ...good, payload: 1 }, /payload is 1, want a string/],
    ['null for the type', { ...good, payloadType: null }, /payloadType is null/],
    ['a long payload type', { ...good, payloadType: 'x'.repeat(257) }, /257 characters/],
    ['no signatures', { ...good, signatures: {} }, /signatures is of type object|want an array/],
    [
      'too many signatures',
      { ...good, signatures: Array(17).fill(good.signatures[0]) },
      /has 17 elements/,
    ],
    ['an unknown member', { ...good, extra: 1 }, /unknown member "extra"; known: payload, /],
    [
      'an own __proto__',
      '{"__proto__":{},"payloadType":"t","payload":"","signatures":[]}',
      /"__proto__"/,
    ],
    [
      'an unknown signature member',
      withSignature({ sig: 'AQ==', alg: 'x' }),
      /unknown member "alg"/,
    ],
    [
      'the payload twice',
      '{"payload":"","payload":"","payloadType":"t","signatures":[]}',
      /"payload" occurs twice/,
    ],
    ['unpadded base64', { ...good, payload: 'aGk' }, /payload: .*base64/],
    ['stray bits', { ...good, payload: 'aGl=' }, /payload: .*base64/],
    ['both alphabets at once', { ...good, payload: '+_+_' }, /payload: .*base64/],
    ['white space in base64', { ...good, payload: 'aG k=' }, /payload: .*base64/],
    ['an empty signature', withSignature({ sig: '' }), /sig has 0 bytes/],
    [
      'a huge signature',
      withSignature({ sig: encodeBase64(new Uint8Array(4097)) }),
      /sig has 4097 bytes/,
    ],
    [
      'a keyid over 256 bytes',
      withSignature({ keyid: 'é'.repeat(129), sig: 'AQ==' }),
      /keyid has 258 bytes/,
    ],
    [
      'a keyid that is no text',
      withSignature({ keyid: '\ud800', sig: 'AQ==' }),
      /keyid: .*surrogate/,
    ],
    ['null for the keyid', withSignature({ keyid: null, sig: 'AQ==' }), /keyid is null/],
    ['a certificate', withSignature({ sig: 'AQ==', cert: 'x' }), /keyless.*cosign attest --key/],
    [
      'a DSSE extension',
      withSignature({ sig: 'AQ==', extension: {} }),
      /keyless.*cosign attest --key/,
    ],
    [
      'a sigstore bundle',
      {
        mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
        verificationMaterial: {},
        dsseEnvelope: good,
      },
      /sigstore bundle: submit only its dsseEnvelope/,
    ],
    ['deep nesting', `${'['.repeat(60_000)}`, /nested more than/],
  ])('with %s is refused', (_, json, message) => {
    expect(refusal(json)).toMatch(message);
  });
});

describe('the pre-authentication encoding', () => {
  it('agrees with a naive one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.uint8Array(), (type, body) => {
        const naive = Buffer.concat([
          Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `),
          body,
        ]);
        expect(Buffer.from(preAuthEncoding(type, body))).toEqual(naive);
      }),
    );
  });

  it('and the envelope of the DSSE specification verify', async () => {
    const vector = JSON.parse(
      readFileSync(new URL('../vectors/dsse-spec/protocol.json', import.meta.url), 'utf8'),
    ) as Record<'payload' | 'payloadType' | 'pae' | 'x' | 'y', string> & { envelope: unknown };
    const { payloadType, payload, signatures } = parseEnvelope(
      utf8(JSON.stringify(vector.envelope)),
    );
    expect(decodeUtf8(payload)).toBe(vector.payload);
    const message = preAuthEncoding(payloadType, payload);
    expect(decodeUtf8(message)).toBe(vector.pae);

    const coordinate = (decimal: string) =>
      Buffer.from(BigInt(decimal).toString(16).padStart(64, '0'), 'hex');
    const spkiPrefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex');
    const key = publicKeyFromSpki(
      concatBytes(spkiPrefix, coordinate(vector.x), coordinate(vector.y)),
    );
    const raw = signatures[0]!.sig;
    const der = derSignature(raw.slice(0, 32), raw.slice(32));
    expect(await nodeVerifier.verify(key, message, der)).toBe(true);
    expect(await nodeVerifier.verify(key, utf8(`${vector.pae}!`), der)).toBe(false);
  });
});

describe('signEnvelope', () => {
  it('signs the pre-authentication encoding with each key and names it by its fingerprint', async () => {
    const signers = [await newSigner('ed25519'), await newSigner('ecdsa-p256')];
    const { signatures } = await signEnvelope('t', utf8('hi'), signers);
    expect(signatures).toHaveLength(2);
    for (const [i, { keyid, sig }] of signatures.entries()) {
      const { publicKey } = signers[i]!;
      expect(keyid).toBe(publicKey.fingerprint);
      expect(await nodeVerifier.verify(publicKey, utf8('DSSEv1 1 t 2 hi'), sig)).toBe(true);
    }
  });
});

function derSignature(r: Uint8Array, s: Uint8Array): Uint8Array {
  const integer = (value: Uint8Array) => {
    const first = value.findIndex((byte) => byte !== 0);
    const digits = value.slice(first);
    const body = digits[0]! >= 0x80 ? concatBytes(Uint8Array.of(0), digits) : digits;
    return concatBytes(Uint8Array.of(2, body.length), body);
  };
  const body = concatBytes(integer(r), integer(s));
  return concatBytes(Uint8Array.of(0x30, body.length), body);
}
