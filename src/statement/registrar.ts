/** The registrar: the keys that admit issuers, a threshold of them together. */
import { DaybookError } from '../errors.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import type { EnvelopeSignature } from './dsse.ts';
import type { Registrar } from './genesis.ts';

/**
 * Exactly the registrar's threshold of signatures, each naming its key, all keys distinct. Gives
 * their fingerprints, sorted.
 */
export async function verifyRegistrar(
  { threshold, keys }: Registrar,
  message: Uint8Array,
  signatures: readonly EnvelopeSignature[],
  verifier: SignatureVerifier,
): Promise<string[]> {
  const signers = new Set(signatures.map(({ keyid }) => keyid));
  if (signatures.length !== threshold || signers.size !== threshold) {
    throw new DaybookError(
      'not-admitted',
      `${signatures.length} signatures by ${signers.size} keys, want those of exactly ${threshold} registrar keys`,
    );
  }
  for (const { keyid, sig } of signatures) {
    const key = keys.find(({ fingerprint }) => fingerprint === keyid);
    if (key === undefined) {
      throw new DaybookError(
        'not-admitted',
        `keyid "${keyid}" is no registrar key's fingerprint; the registrar's are ${keys.map(({ fingerprint }) => fingerprint).join(', ')}`,
      );
    }
    if (!(await verifier.verify(key, message, sig))) {
      throw new DaybookError(
        'signature-invalid',
        `the signature of registrar key ${keyid} does not verify`,
      );
    }
  }
  return [...signers].sort();
}
