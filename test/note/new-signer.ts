/** New keys for tests that sign. */
import { generateKey, signerFromPem } from '../../src/keys/node-signer.ts';
import type { NoteSigner } from '../../src/note/sign.ts';
import { verifierKey, type NoteKeyType } from '../../src/note/vkey.ts';
import type { SignatureAlgorithm, Signer } from '../../src/signature/port.ts';

export async function newSigner(algorithm: SignatureAlgorithm): Promise<Signer> {
  return signerFromPem(await generateKey(algorithm));
}

export async function newNoteSigner(name: string, type: NoteKeyType): Promise<NoteSigner> {
  const signer = await newSigner(type === 0x06 ? 'ml-dsa-44' : 'ed25519');
  return { key: verifierKey(name, type, signer.publicKey), signer };
}
