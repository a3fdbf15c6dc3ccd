/** A release that is logged and cosigned: all that a client gets, to be tampered with. */
import { createHash } from 'node:crypto';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { NoteSigner } from '../../src/note/sign.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import type { Signer } from '../../src/signature/port.ts';
import { formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { inTotoPayloadType } from '../../src/statement/in-toto.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import { parsePolicy, type TrustPolicy } from '../../src/verify/policy.ts';
import { verifyProof, type Verdict, type VerifyRequest } from '../../src/verify/verify-proof.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner, newSigner } from '../note/new-signer.ts';

export const purl = 'pkg:generic/acme/scanner@1.2.3';

export function sha256(data: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(data).digest());
}

export async function signed(
  payload: Uint8Array,
  issuer: Signer,
  payloadType = inTotoPayloadType,
): Promise<Uint8Array> {
  return formatEnvelope(await signEnvelope(payloadType, payload, [issuer]));
}

export function releaseOf(artifact: string, product = purl): Uint8Array {
  const subjects = [
    { name: 'scanner.bin', sha256: sha256(artifact) },
    { name: 'readme', sha256: sha256('readme') },
  ];
  return releaseStatement({ purl: product, subjects, kind: 'build', releaseId: 'scanner' });
}

export interface Released {
  readonly log: MemoryLog;
  readonly issuer: Signer;
  readonly witnesses: readonly NoteSigner[];
  /** Where the release is. */
  readonly index: number;
  readonly request: VerifyRequest;
}

/** Entry 200 of 300, under three cosignatures of which two are wanted. */
export async function released(): Promise<Released> {
  const index = 200;
  const issuer = await newSigner('ed25519');
  const log = await MemoryLog.create(numbered(300));
  log.entries[index] = await signed(releaseOf('the build'), issuer);
  const witnesses = [
    await newNoteSigner('w1.example', 0x04),
    await newNoteSigner('w2.example', 0x04),
    await newNoteSigner('w3.example', 0x06),
  ];
  const policy = policyOf(log, witnesses);
  const note = await log.note(300, [log.signer, ...witnesses]);
  const proof = await log.proof(index, 300, note);
  const artifact = { sha256: sha256('the build') };
  return {
    log,
    issuer,
    witnesses,
    index,
    request: { artifact, proof, policy, issuers: [issuer.publicKey], purl, verifier: nodeVerifier },
  };
}

export function policyOf(
  log: MemoryLog,
  witnesses: readonly NoteSigner[],
  wanted = 2,
): TrustPolicy {
  const names = witnesses.map((_, i) => `w${i + 1}`);
  return parsePolicy(
    [
      `log ${log.vkey}`,
      ...witnesses.map(({ key }, i) => `witness ${names[i]} ${formatVkey(key)}`),
      ...(names.length > 0
        ? [`group witnesses ${wanted} ${names.join(' ')}`, 'quorum witnesses']
        : ['quorum none']),
      '',
    ].join('\n'),
  );
}

/** The verdict, in short: `ok`, or the check that failed and why. */
export async function verdictOf(request: VerifyRequest): Promise<string> {
  const verdict: Verdict = await verifyProof(request);
  const failed = verdict.checks.filter(({ ok }) => !ok);
  if (verdict.ok) return verdict.code === undefined && failed.length === 0 ? 'ok' : 'contradiction';
  if (failed.length !== 1 || failed[0] !== verdict.checks.at(-1)) return 'contradiction';
  return `${failed[0]?.check}: ${verdict.code}`;
}
