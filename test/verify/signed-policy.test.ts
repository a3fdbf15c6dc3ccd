import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Signer } from '../../src/signature/port.ts';
import { formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { parseReleasePolicy } from '../../src/verify/release-policy.ts';
import {
  isSignedPolicy,
  openSignedPolicy,
  policyPayloadType,
  readPolicyDocument,
  walkPolicies,
} from '../../src/verify/signed-policy.ts';
import { newSigner } from '../note/new-signer.ts';
import { bytesOf, keyOf, policyWith, signers, sound, type Json } from './policy-drafts.ts';

const { alice, bob, eve } = signers;
const current = parseReleasePolicy(bytesOf(sound));
const root = current.root!;
const refused = (code: ErrorCode, message = /./): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

async function signed(payload: Uint8Array, by: readonly Signer[], type = policyPayloadType) {
  return formatEnvelope(await signEnvelope(type, payload, by));
}
const version = (number: number, by: readonly Signer[], members: Json = {}): Promise<Uint8Array> =>
  signed(policyWith({ version: number, ...members }), by);

describe('a signed policy', () => {
  it('opens with a threshold of root keys, whatever else signed it', async () => {
    const bytes = await version(3, [signers.uni, bob, eve]);
    expect(isSignedPolicy(bytes)).toBe(true);
    expect(await openSignedPolicy(bytes, root, nodeVerifier)).toEqual(current);
    expect(await readPolicyDocument(bytes, nodeVerifier)).toEqual(current);
  });

  it('may be plain', async () => {
    expect(isSignedPolicy(bytesOf(sound))).toBe(false);
    expect(await readPolicyDocument(bytesOf(sound), nodeVerifier)).toEqual(current);
  });

  it.each<[string, readonly Signer[], RegExp]>([
    ['too few root keys', [alice], /signed by alice of the root keys, want 2 of alice, bob, eve/],
    ['one root key twice', [alice, alice], /signed by alice of/],
    ['keys that are not of the root', [signers.uni, signers.release], /signed by none/],
  ])('is refused when signed by %s', async (_, by, message) => {
    const opened = openSignedPolicy(await version(3, by), root, nodeVerifier);
    await expect(opened).rejects.toEqual(refused('policy-unsigned', message));
  });

  it('is refused when its root is not the one that signed', async () => {
    const bytes = await version(3, [alice, bob], { root: { threshold: 1, keys: ['uni'] } });
    await expect(readPolicyDocument(bytes, nodeVerifier)).rejects.toEqual(
      refused('policy-unsigned', /root of version 3 itself/),
    );
  });

  it('is refused when a bit of it changed', async () => {
    const bytes = await version(3, [alice, bob]);
    const at = bytes.indexOf(0x22, 60) + 40;
    const changed = Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 1 : byte));
    await expect(openSignedPolicy(changed, root, nodeVerifier)).rejects.toMatchObject({
      code: expect.stringMatching(/^(policy-unsigned|bad-policy)$/) as string,
    });
  });

  it.each<[string, () => Promise<Uint8Array>, RegExp]>([
    [
      'a statement',
      () => signed(bytesOf(sound), [alice, bob], 'application/vnd.in-toto+json'),
      /payloadType/,
    ],
    ['another JSON', () => signed(utf8('{}'), [alice, bob]), /release policy refused/],
    ['an envelope without signatures', () => signed(bytesOf(sound), []), /signed by none/],
    [
      'an envelope with more members',
      async () => bytesOf({ payloadType: policyPayloadType, x: 1 }),
      /unknown member/,
    ],
    ['a huge one', async () => new Uint8Array(3 * 1024 * 1024).fill(0x20), /at most/],
    ['one without root', () => version(3, [alice, bob], { root: undefined }), /names no root keys/],
  ])('is refused when it is %s', async (_, make, message) => {
    await expect(readPolicyDocument(await make(), nodeVerifier)).rejects.toThrow(message);
  });

  it('never fails in another way', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.uint8Array(), fc.json().map(utf8)), async (bytes) => {
        await expect(readPolicyDocument(bytes, nodeVerifier)).rejects.toMatchObject({
          code: 'bad-policy',
        });
      }),
    );
  });
});

describe('walkPolicies', () => {
  it('takes each version in its turn, through a change of the root', async () => {
    const [carol, dave] = [await newSigner('ed25519'), await newSigner('ecdsa-p256')];
    const keys = { ...(sound.keys as Json), carol: keyOf(carol), dave: keyOf(dave) };
    const newRoot = { keys, root: { threshold: 2, keys: ['carol', 'dave'] } };
    const next = [
      await version(4, [alice, eve]),
      await version(5, [bob, eve, carol, dave], newRoot),
      await version(6, [carol, dave], newRoot),
    ];
    expect(await walkPolicies(current, next, nodeVerifier)).toMatchObject({ version: 6 });
    // The keys of the old root count no more, and none of the steps can be left out.
    const late = await version(6, [alice, bob]);
    await expect(walkPolicies(current, [...next.slice(0, 2), late], nodeVerifier)).rejects.toEqual(
      refused('policy-unsigned', /signed by none of the root of version 5/),
    );
    await expect(walkPolicies(current, [next[0]!, next[2]!], nodeVerifier)).rejects.toEqual(
      refused('policy-unsigned', /root of version 4/),
    );
  });

  it('stays where it is with nothing newer', async () => {
    expect(await walkPolicies(current, [], nodeVerifier)).toBe(current);
  });

  it.each([
    ['an older version', 2],
    ['the same version', 3],
    ['a version further on', 5],
  ])('refuses %s', async (_, number) => {
    const walked = walkPolicies(current, [await version(number, [alice, bob])], nodeVerifier);
    await expect(walked).rejects.toEqual(
      refused('policy-rollback', new RegExp(`version ${number}, want 4`)),
    );
  });

  it('refuses a step that only the old root, or only the new one, signed', async () => {
    const newRoot = { root: { threshold: 1, keys: ['uni'] } };
    for (const by of [
      [alice, bob],
      [signers.uni, alice],
    ]) {
      const walked = walkPolicies(current, [await version(4, by, newRoot)], nodeVerifier);
      await expect(walked).rejects.toEqual(refused('policy-unsigned'));
    }
    const both = await version(4, [alice, bob, signers.uni], newRoot);
    expect(await walkPolicies(current, [both], nodeVerifier)).toMatchObject({ version: 4 });
  });

  it('refuses a plain policy, and any update of one without root', async () => {
    const plain = walkPolicies(current, [policyWith({ version: 4 })], nodeVerifier);
    await expect(plain).rejects.toEqual(refused('bad-policy'));
    const rootless = parseReleasePolicy(policyWith({ root: undefined }));
    const walked = walkPolicies(rootless, [await version(4, [alice, bob])], nodeVerifier);
    await expect(walked).rejects.toEqual(refused('policy-unsigned', /replace it by hand/));
  });
});
