import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { asHash } from '../../src/merkle/hash.ts';
import { formatTlogProof, parseTlogProof, type TlogProof } from '../../src/proof/tlog-proof.ts';
import { webVerifier } from '../../src/signature/web-verifier.ts';
import { parseEnvelope, formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { inTotoPayloadType, formatStatement } from '../../src/statement/in-toto.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { verifyProof, type VerifyRequest } from '../../src/verify/verify-proof.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner, newSigner } from '../note/new-signer.ts';
import {
  policyOf,
  purl,
  released,
  releaseOf,
  sha256,
  signed,
  verdictOf,
  type Released,
} from './released.ts';

let good: Released;
beforeAll(async () => {
  good = await released();
});

/** The good proof with one part exchanged. */
function proofWith(change: Partial<TlogProof>): Uint8Array {
  return utf8(formatTlogProof({ ...parseTlogProof(good.request.proof), ...change }));
}

/** The good request, but for a release that stands as entry 200 of its own log. */
async function logged(
  entry: Uint8Array,
  change: Partial<VerifyRequest> = {},
): Promise<VerifyRequest> {
  const log = good.log.fork(200, entry, ...numbered(99));
  const proof = await log.proof(200, 300, await log.note(300, [log.signer, ...good.witnesses]));
  return { ...good.request, proof, ...change };
}

test.each([
  ['WebCrypto', webVerifier],
  ["Node's own crypto", nodeVerifier],
])('accepts a release that is logged and cosigned, by %s', async (_, verifier) => {
  const verdict = await verifyProof({ ...good.request, verifier });
  expect(verdict).toEqual({
    ok: true,
    checks: ['proof', 'checkpoint', 'quorum', 'inclusion', 'issuer', 'artifact', 'product'].map(
      (check) => ({ check, ok: true, detail: expect.any(String) as string }),
    ),
    facts: {
      index: 200,
      origin: 'log.example',
      size: 300,
      cosigners: ['w1', 'w2', 'w3'].map((name) => ({ name, time: 1_790_000_000 })),
      leafHash: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      issuer: good.issuer.publicKey.fingerprint,
      predicateType: 'https://in-toto.io/attestation/release/v0.1',
      name: 'scanner.bin',
      purls: [purl],
      releaseId: 'scanner',
      kind: 'build',
      source: undefined,
      builder: undefined,
    },
  });
});

test('does not judge the product when none is expected', async () => {
  const { ok, checks } = await verifyProof({ ...good.request, purl: undefined });
  expect(ok).toBe(true);
  expect(checks.map(({ check }) => check)).not.toContain('product');
});

test('accepts any subject of the statement, and scopes for the product', async () => {
  const artifact = { sha256: sha256('readme') };
  expect(await verdictOf({ ...good.request, artifact })).toBe('ok');
  for (const product of ['pkg:generic/acme/scanner', 'pkg:generic/acme/*']) {
    expect(await verdictOf({ ...good.request, purl: product })).toBe('ok');
  }
});

test('accepts an entry of a log with one entry, and without cosignatures where none are wanted', async () => {
  const log = await MemoryLog.create([await signed(releaseOf('the build'), good.issuer)]);
  const request = { ...good.request, policy: policyOf(log, []), proof: await log.proof(0) };
  expect(await verdictOf(request)).toBe('ok');
});

test.each(['ecdsa-p256', 'ecdsa-p384', 'rsa-pss'] as const)(
  'accepts %s issuers',
  async (algorithm) => {
    const issuer = await newSigner(algorithm);
    const request = await logged(await signed(releaseOf('the build'), issuer));
    const issuers = [good.issuer.publicKey, issuer.publicKey];
    expect(await verdictOf({ ...request, issuers })).toBe('ok');
  },
);

test('accepts SLSA provenance whose subject is the artifact and the product', async () => {
  const payload = provenanceStatement({
    subjects: [
      { name: purl, sha256: sha256('the build') },
      { name: 'pkg:generic/acme/other@1', sha256: sha256('other') },
    ],
    buildType: 'https://ci.acme.example/build/v1',
    builderId: 'https://ci.acme.example',
    externalParameters: {},
  });
  const request = await logged(await signed(payload, good.issuer));
  expect(await verdictOf(request)).toBe('ok');
  expect((await verifyProof(request)).facts.builder).toBe('https://ci.acme.example');
  // The other subject's product is not this artifact's.
  const other = { ...request, purl: 'pkg:generic/acme/other@1' };
  expect(await verdictOf(other)).toBe('product: artifact-mismatch');
});

describe('refuses', () => {
  const attacks: Record<string, () => Promise<VerifyRequest>> = {
    'proof: bad-proof | a proof that is cut': async () => ({
      ...good.request,
      proof: good.request.proof.slice(0, 300),
    }),
    'proof: bad-proof | an empty proof': async () => ({
      ...good.request,
      proof: new Uint8Array(0),
    }),
    'checkpoint: bad-note | a checkpoint that is cut': async () => ({
      ...good.request,
      proof: good.request.proof.slice(0, -10),
    }),
    'checkpoint: untrusted-checkpoint | a checkpoint forged under the name of the log':
      async () => {
        const forger = await MemoryLog.create(good.log.entries);
        return { ...good.request, proof: await forger.proof(200) };
      },
    'checkpoint: untrusted-checkpoint | a checkpoint that was changed after it was signed':
      async () => {
        const { checkpoint } = parseTlogProof(good.request.proof);
        const changed = Buffer.from(checkpoint).toString().replace('\n300\n', '\n301\n');
        return { ...good.request, proof: proofWith({ checkpoint: utf8(changed) }) };
      },
    'checkpoint: untrusted-checkpoint | a cosignature of a known witness that fails': async () => {
      const { checkpoint } = parseTlogProof(good.request.proof);
      const old = Buffer.from(
        await good.log.note(299, [good.log.signer, ...good.witnesses]),
      ).toString();
      const stolen = old.split('\n').find((line) => line.startsWith('— w1.example'))!;
      const mixed = Buffer.from(checkpoint)
        .toString()
        .replace(/^— w1.example .*$/m, stolen);
      return { ...good.request, proof: proofWith({ checkpoint: utf8(mixed) }) };
    },
    'checkpoint: untrusted-checkpoint | a policy that does not know the log': async () => {
      const other = await MemoryLog.create([], 'other.example');
      return { ...good.request, policy: policyOf(other, good.witnesses) };
    },
    'checkpoint: untrusted-checkpoint | another log of the policy speaking for this origin':
      async () => {
        const other = await newNoteSigner('other.example', 0x01);
        const log = good.log.fork(300);
        const checkpoint = await log.note(300, [other, ...good.witnesses]);
        const policy = policyOf(good.log, good.witnesses);
        const logs = [...policy.logs, { key: other.key }];
        return { ...good.request, policy: { ...policy, logs }, proof: proofWith({ checkpoint }) };
      },
    'quorum: quorum-missing | too few cosignatures': async () => {
      const checkpoint = await good.log.note(300, [good.log.signer, good.witnesses[0]!]);
      return { ...good.request, proof: proofWith({ checkpoint }) };
    },
    'quorum: quorum-missing | cosignatures of strangers': async () => {
      const strangers = [await newNoteSigner('w1.example', 0x04), await newNoteSigner('x', 0x04)];
      const checkpoint = await good.log.note(300, [good.log.signer, ...strangers]);
      return { ...good.request, proof: proofWith({ checkpoint }) };
    },
    'inclusion: inclusion-invalid | the proof of another leaf': async () => {
      const { hashes, index } = parseTlogProof(await good.log.proof(201, 300));
      return { ...good.request, proof: proofWith({ hashes, index }) };
    },
    'inclusion: inclusion-invalid | an index that is not the proof’s': async () => {
      const { index } = parseTlogProof(await good.log.proof(201, 300));
      return { ...good.request, proof: proofWith({ index }) };
    },
    'inclusion: inclusion-invalid | an index beyond the tree': async () => ({
      ...good.request,
      proof: utf8(Buffer.from(good.request.proof).toString().replace('index 200', 'index 300')),
    }),
    'inclusion: inclusion-invalid | a changed hash': async () => {
      const [first, ...rest] = parseTlogProof(good.request.proof).hashes;
      const changed = asHash(Uint8Array.from(first!).map((byte, i) => (i === 0 ? byte ^ 1 : byte)));
      return { ...good.request, proof: proofWith({ hashes: [changed, ...rest] }) };
    },
    'inclusion: inclusion-invalid | a hash too many': async () => {
      const { hashes } = parseTlogProof(good.request.proof);
      return { ...good.request, proof: proofWith({ hashes: [...hashes, hashes[0]!] }) };
    },
    'inclusion: inclusion-invalid | an entry that was signed but never logged': async () => {
      const extra = await signed(releaseOf('the build'), good.issuer);
      const elsewhere = Buffer.from(extra).toString().replace('"keyid"', ' "keyid"');
      return { ...good.request, proof: proofWith({ extra: utf8(elsewhere) }) };
    },
    'inclusion: inclusion-invalid | a release of the same issuer for the wrong place':
      async () => ({
        ...good.request,
        artifact: { sha256: sha256('malware') },
        proof: proofWith({ extra: await signed(releaseOf('malware'), good.issuer) }),
      }),
    'inclusion: inclusion-invalid | an inner node given out as an entry': async () => {
      // The parent of two leaves is SHA-256(1, left, right); an entry is hashed as SHA-256(0, entry).
      const [sibling] = parseTlogProof(good.request.proof).hashes;
      return { ...good.request, proof: proofWith({ extra: Buffer.concat([sibling!, sibling!]) }) };
    },
    'inclusion: bad-proof | a proof without its entry': async () => {
      const { index, hashes, checkpoint } = parseTlogProof(good.request.proof);
      return { ...good.request, proof: utf8(formatTlogProof({ index, hashes, checkpoint })) };
    },
    'issuer: bad-statement | an entry that is no envelope': async () => ({
      ...good.request,
      proof: utf8(
        formatTlogProof({
          ...parseTlogProof(await good.log.proof(5)),
          checkpoint: parseTlogProof(good.request.proof).checkpoint,
        }),
      ),
    }),
    'issuer: signature-invalid | a logged release of another issuer': async () =>
      logged(await signed(releaseOf('the build'), await newSigner('ed25519'))),
    'issuer: signature-invalid | a stranger’s release that claims the issuer’s key id':
      async () => {
        const stranger = await newSigner('ed25519');
        const envelope = await signEnvelope(inTotoPayloadType, releaseOf('the build'), [stranger]);
        const keyid = good.issuer.publicKey.fingerprint;
        const signatures = envelope.signatures.map((signature) => ({ ...signature, keyid }));
        return logged(formatEnvelope({ ...envelope, signatures }));
      },
    'issuer: signature-invalid | a payload exchanged under the signature': async () => {
      const envelope = parseEnvelope(await signed(releaseOf('the build'), good.issuer));
      return logged(formatEnvelope({ ...envelope, payload: releaseOf('malware') }), {
        artifact: { sha256: sha256('malware') },
      });
    },
    'issuer: signature-invalid | the same bytes under another payload type': async () => {
      const envelope = parseEnvelope(
        await signed(releaseOf('the build'), good.issuer, 'text/plain'),
      );
      return logged(formatEnvelope({ ...envelope, payloadType: inTotoPayloadType }));
    },
    'artifact: bad-statement | a payload that is no in-toto statement': async () =>
      logged(await signed(releaseOf('the build'), good.issuer, 'text/plain')),
    'artifact: bad-statement | a statement that rejects the artifact': async () => {
      const payload = formatStatement({
        subject: [{ sha256: sha256('the build') }],
        predicateType: 'https://slsa.dev/verification_summary/v1',
        predicate: { verificationResult: 'FAILED' },
      });
      return logged(await signed(payload, good.issuer));
    },
    'artifact: bad-statement | a release without a version': async () => {
      const payload = Buffer.from(releaseOf('the build')).toString().replace('@1.2.3', '');
      return logged(await signed(utf8(payload), good.issuer));
    },
    'artifact: artifact-mismatch | a changed artifact': async () => ({
      ...good.request,
      artifact: { sha256: sha256('the buil\x65\x01') },
    }),
    'product: artifact-mismatch | another product of the same issuer': async () => ({
      ...good.request,
      purl: 'pkg:generic/acme/driver@1.2.3',
    }),
    'product: artifact-mismatch | an older version': async () => ({
      ...good.request,
      purl: 'pkg:generic/acme/scanner@1.2.4',
    }),
  };
  test.each(Object.entries(attacks))('%s', async (name, attack) => {
    expect(await verdictOf(await attack())).toBe(name.split(' | ')[0]);
  });
});

test('says nothing about what it did not reach', async () => {
  const proof = proofWith({ extra: await signed(releaseOf('malware'), good.issuer) });
  const { facts } = await verifyProof({ ...good.request, proof });
  expect(Object.keys(facts)).toEqual(['index', 'origin', 'size', 'cosigners']);
});

test('refuses whatever byte of the proof is changed, except in the times and names of strangers', async () => {
  const { proof } = good.request;
  await fc.assert(
    fc.asyncProperty(
      fc.nat(proof.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, flip) => {
        const changed = proof.map((byte, i) => (i === at ? byte ^ flip : byte));
        const verdict = await verifyProof({ ...good.request, proof: changed });
        // A witness whose name or key id changed is a stranger, and two others are enough.
        const text = Buffer.from(proof).toString('latin1');
        const cosignatures =
          text.lastIndexOf('\n\n') + 2 + text.slice(text.lastIndexOf('\n\n') + 2).indexOf('\n');
        if (at < cosignatures) expect(verdict.ok).toBe(false);
        if (verdict.ok) expect(verdict.facts.cosigners).toHaveLength(2);
      },
    ),
    { numRuns: 600 },
  );
});

test('never throws for a proof', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 400 }), async (proof) => {
      expect((await verifyProof({ ...good.request, proof })).ok).toBe(false);
    }),
  );
});

test('throws for a request that could never succeed', async () => {
  const { request } = good;
  const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;
  const artifact = { sha256: new Uint8Array(31) };
  await expect(verifyProof({ ...request, artifact })).rejects.toThrow(code('bad-usage'));
  await expect(verifyProof({ ...request, issuers: [] })).rejects.toThrow(code('bad-usage'));
  await expect(verifyProof({ ...request, purl: 'scanner' })).rejects.toThrow(code('bad-statement'));
});
