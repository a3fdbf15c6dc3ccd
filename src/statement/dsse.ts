/**
 * DSSE envelopes (secure-systems-lab/dsse, protocol.md and envelope.md 1.0.2):
 *
 *     {"payloadType":"application/vnd.in-toto+json","payload":"eyJf…","signatures":[{"keyid":"","sig":"MEUC…"}]}
 *
 * Stricter than DSSE where bytes that nobody signed would end up in the log: unknown members are
 * refused instead of ignored, and base64 must be canonical.
 */
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { concatBytes, utf8 } from '../encoding/bytes.ts';
import { type JsonObject, type JsonValue, parseStrictJson } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import type { PublicKey, SignatureVerifier, Signer } from '../signature/port.ts';
import { shape } from './shape.ts';

export interface EnvelopeSignature {
  /** An unauthenticated hint; empty when the signer gave none. */
  readonly keyid: string;
  readonly sig: Uint8Array;
}

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

const maxSignatures = 16;
const maxKeyIdBytes = 256;
const maxPayloadTypeLength = 256;
/** An ML-DSA-44 signature has 2,420 bytes, one of RSA-8192 1,024. */
const maxSignatureBytes = 4096;
const { object, array, string, only, within } = shape('bad-entry');

/** Throws `bad-entry`. */
export function parseEnvelope(bytes: Uint8Array): Envelope {
  const envelope = object(
    within('envelope', () => parseStrictJson(bytes, { maxDepth: 8 })),
    'envelope',
  );
  refuseBundle(envelope);
  only(envelope, ['payload', 'payloadType', 'signatures'], 'envelope');
  return {
    payloadType: string(envelope.payloadType, 'payloadType', maxPayloadTypeLength),
    payload: base64(envelope.payload, 'payload'),
    signatures: array(envelope.signatures, 'signatures', maxSignatures).map(parseSignature),
  };
}

function parseSignature(value: JsonValue): EnvelopeSignature {
  const signature = object(value, 'signature');
  for (const member of ['cert', 'certificate', 'extension', 'chain']) {
    if (signature[member] !== undefined) {
      throw new DaybookError(
        'bad-entry',
        `the signature carries "${member}": keyless (certificate) envelopes are not accepted; ` +
          'sign with an admitted key instead, for example cosign attest --key',
      );
    }
  }
  only(signature, ['keyid', 'sig'], 'signature');
  const keyid = signature.keyid === undefined ? '' : string(signature.keyid, 'keyid');
  const keyidBytes = within('keyid', () => utf8(keyid)).length;
  if (keyidBytes > maxKeyIdBytes) {
    throw new DaybookError(
      'bad-entry',
      `keyid has ${keyidBytes} bytes, at most ${maxKeyIdBytes} are allowed; use the key's fingerprint or leave it empty`,
    );
  }
  const sig = base64(signature.sig, 'sig');
  if (sig.length === 0 || sig.length > maxSignatureBytes) {
    throw new DaybookError(
      'bad-entry',
      `sig has ${sig.length} bytes, want 1 to ${maxSignatureBytes}`,
    );
  }
  return { keyid, sig };
}

function refuseBundle(envelope: JsonObject): void {
  if (envelope.dsseEnvelope === undefined && envelope.verificationMaterial === undefined) return;
  throw new DaybookError(
    'bad-entry',
    'this is a sigstore bundle: submit only its dsseEnvelope, signed with an admitted key ' +
      '(cosign attest --key); a keyless (certificate) signature is not accepted',
  );
}

/** Signers may use either base 64 alphabet, so both are read; each must be padded and canonical. */
function base64(value: JsonValue | undefined, what: string): Uint8Array {
  const text = string(value, what);
  const urlSafe = /[-_]/.test(text) && !/[+/]/.test(text);
  const standard = urlSafe ? text.replaceAll('-', '+').replaceAll('_', '/') : text;
  return within(what, () => decodeBase64(standard));
}

/** The JSON envelope, members in fixed order; an empty keyid is left out. */
export function formatEnvelope({ payloadType, payload, signatures }: Envelope): Uint8Array {
  return utf8(
    JSON.stringify({
      payloadType,
      payload: encodeBase64(payload),
      signatures: signatures.map(({ keyid, sig }) => ({
        ...(keyid === '' ? {} : { keyid }),
        sig: encodeBase64(sig),
      })),
    }),
  );
}

/** What is signed: `DSSEv1 29 http://example.com/HelloWorld 11 hello world`. */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const typeLength = utf8(payloadType).length;
  return concatBytes(utf8(`DSSEv1 ${typeLength} ${payloadType} ${payload.length} `), payload);
}

/** Signs with every signer, in order; each keyid is the fingerprint of the signer's key. */
export async function signEnvelope(
  payloadType: string,
  payload: Uint8Array,
  signers: readonly Signer[],
): Promise<Envelope> {
  const message = preAuthEncoding(payloadType, payload);
  const signatures = await Promise.all(
    signers.map(async (signer) => ({
      keyid: signer.publicKey.fingerprint,
      sig: await signer.sign(message),
    })),
  );
  return { payloadType, payload, signatures };
}

/** Whether a signature of the envelope verifies under one of `keys`. */
export async function isEnvelopeSignedBy(
  { payloadType, payload, signatures }: Envelope,
  keys: readonly PublicKey[],
  verifier: SignatureVerifier,
): Promise<boolean> {
  const message = preAuthEncoding(payloadType, payload);
  for (const { sig } of signatures) {
    for (const key of keys) if (await verifier.verify(key, message, sig)) return true;
  }
  return false;
}
