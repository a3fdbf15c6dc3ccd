/** What the tools of the field sign with a registered key is admitted as it is. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { publicKeyFromPem } from '../../src/signature/public-key.ts';
import { webVerifier } from '../../src/signature/web-verifier.ts';
import { advance, examine } from '../../src/statement/admission.ts';
import type { Role } from '../../src/statement/issuer.ts';
import { changePayload, newLog, newSigner, signed } from './parties.ts';

const vectors = new URL('../vectors/dsse-go-tools/', import.meta.url);
const registrar = await newSigner();
const genesis = await newLog(registrar);

describe.each<[string, Role, string]>([
  ['cosign-release', 'release', 'release'],
  ['cosign-slsaprovenance1', 'provenance', 'provenance'],
  ['securesystemslib-ed25519', 'release', 'release'],
  ['securesystemslib-p384', 'rebuild', 'provenance'],
  ['securesystemslib-rsa', 'release', 'release'],
])('%s', (name, role, kind) => {
  const entry = new Uint8Array(readFileSync(new URL(`${name}.json`, vectors)));
  const key = publicKeyFromPem(readFileSync(new URL(`${name}.pub.pem`, vectors), 'utf8'));

  const stateWith = async (purl: string) => {
    const issuer = { publicKey: key, sign: () => Promise.reject(new Error('no private key')) };
    const payload = changePayload({ sequence: 1, issuer, roles: [role], purls: [purl] });
    const { claim } = await examine(genesis, await signed(payload, registrar), nodeVerifier);
    return advance(genesis, claim);
  };

  it('is admitted under its key, by both verifiers', async () => {
    const state = await stateWith('pkg:generic/acme/*');
    for (const verifier of [nodeVerifier, webVerifier]) {
      const admitted = await examine(state, entry, verifier);
      expect(admitted.claim).toMatchObject({ kind, signer: key.fingerprint });
      expect(admitted.subjects.length).toBeGreaterThan(0);
    }
  });

  it('is refused once a byte of it changes', async () => {
    const state = await stateWith('pkg:generic/acme/*');
    const text = Buffer.from(entry).toString();
    const payload = /"payload": ?"([^"]+)"/.exec(text)![1]!;
    const forged = Buffer.from(payload, 'base64').toString().replace('4faeb1b2', '4faeb1b3');
    const changed = text.replace(payload, Buffer.from(forged).toString('base64'));
    await expect(examine(state, Buffer.from(changed), nodeVerifier)).rejects.toMatchObject({
      code: 'not-admitted',
    });
  });
});
