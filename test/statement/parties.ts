/** Keys, a genesis and admission entries for the tests of admission. */
import { hash } from 'node:crypto';
import { generateKey, signerFromPem } from '../../src/keys/node-signer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { formatVkey, verifierKey } from '../../src/note/vkey.ts';
import type { Signer } from '../../src/signature/port.ts';
import {
  type AdmissionMode,
  type AdmissionState,
  advance,
  examine,
  openGenesis,
} from '../../src/statement/admission.ts';
import { formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { genesisStatement } from '../../src/statement/genesis.ts';
import { inTotoPayloadType, type Subject } from '../../src/statement/in-toto.ts';
import { type IssuerAction, issuerStatement, type Role } from '../../src/statement/issuer.ts';
import { releaseStatement } from '../../src/statement/release.ts';

export const origin = 'log.acme.example';

export async function newSigner(
  algorithm: Parameters<typeof generateKey>[0] = 'ed25519',
): Promise<Signer> {
  return signerFromPem(await generateKey(algorithm));
}

export async function signed(payload: Uint8Array, ...signers: Signer[]): Promise<Uint8Array> {
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, signers));
}

/** An envelope without a keyid, as cosign writes it. */
export async function unhinted(payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  const envelope = await signEnvelope(inTotoPayloadType, payload, [signer]);
  const signatures = envelope.signatures.map(({ sig }) => ({ keyid: '', sig }));
  return formatEnvelope({ ...envelope, signatures });
}

export const logKey = formatVkey(verifierKey(origin, 0x01, (await newSigner()).publicKey));

export async function genesisEntry(
  registrars: readonly Signer[],
  threshold = 1,
  admission: AdmissionMode = 'issuers',
): Promise<Uint8Array> {
  const payload = genesisStatement({
    origin,
    logKeys: [logKey],
    admission,
    registrar: { threshold, keys: registrars.map(({ publicKey }) => publicKey) },
  });
  return signed(payload, ...registrars.slice(0, threshold));
}

export async function newLog(...registrars: Signer[]): Promise<AdmissionState> {
  return openGenesis(await genesisEntry(registrars, registrars.length), nodeVerifier);
}

export interface Change {
  readonly action?: IssuerAction;
  readonly sequence: number;
  readonly issuer: Signer;
  readonly name?: string;
  readonly roles?: readonly Role[];
  readonly purls?: readonly string[];
  readonly origin?: string;
}

export function changePayload(change: Change): Uint8Array {
  const { action = 'admit', sequence, issuer, name = 'acme' } = change;
  const { roles = ['release'], purls = ['pkg:generic/acme/*'] } = change;
  return issuerStatement({
    origin: change.origin ?? origin,
    sequence,
    action,
    name,
    key: issuer.publicKey,
    ...(action === 'revoke' ? {} : { roles, purls }),
  });
}

/** The state after an admission entry that a one-key registrar signs. */
export async function changed(
  state: AdmissionState,
  registrar: Signer,
  change: Omit<Change, 'sequence'>,
): Promise<AdmissionState> {
  const payload = changePayload({ ...change, sequence: state.nextSequence });
  const { claim } = await examine(state, await signed(payload, registrar), nodeVerifier);
  return advance(state, claim);
}

export function subject(name: string): Subject {
  return { name, sha256: new Uint8Array(hash('sha256', name, 'buffer')) };
}

export function releasePayload(purl = 'pkg:generic/acme/scanner@1.2.3'): Uint8Array {
  return releaseStatement({ purl, subjects: [subject('scanner.tar.gz')] });
}
