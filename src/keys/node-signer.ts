/** Private keys by Node's own crypto: made, read from PEM, and signing on libuv's thread pool. */
import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  randomBytes,
  sign,
  type KeyObject,
  type KeyPairKeyObjectResult,
} from 'node:crypto';
import { promisify } from 'node:util';
import { encodeBase64 } from '../encoding/base64.ts';
import { DaybookError } from '../errors.ts';
import type { PublicKey, SignatureAlgorithm, Signer } from '../signature/port.ts';
import { publicKeyFromSpki } from '../signature/public-key.ts';
import { mlDsa44Pkcs8, mlDsa44Seed, mlDsa44Signer } from './ml-dsa.ts';

/** Ed25519 and ML-DSA-44 hash in their own way. */
const digests: { readonly [A in SignatureAlgorithm]: string | null } = {
  ed25519: null,
  'ecdsa-p256': 'sha256',
  'ecdsa-p384': 'sha384',
  'rsa-pss': 'sha256',
  'ml-dsa-44': null,
};
const generate = promisify(generateKeyPair);
const pss = {
  padding: constants.RSA_PKCS1_PSS_PADDING,
  saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
};

/** A signer for an unencrypted private key in PEM (PKCS#8, or the older forms of openssl); throws `bad-key`. */
export function signerFromPem(pem: string): Signer {
  const key = readPrivateKey(pem);
  if (!key) return mlDsa44SignerFromPem(pem);
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const publicKey = publicKeyFromSpki(spki);
  return { publicKey, sign: (message) => signWith(key, publicKey, message) };
}

function readPrivateKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

/** For Node before 24; everything else that Node could not read ends here as an error. */
function mlDsa44SignerFromPem(pem: string): Signer {
  const [, label = 'no PEM block', body = ''] =
    /-----BEGIN ([A-Z0-9 ]{1,40})-----([^-]*)/.exec(pem) ?? [];
  const seed = mlDsa44Seed(Buffer.from(body, 'base64'));
  if (seed) return mlDsa44Signer(seed);
  throw new DaybookError(
    'bad-key',
    `want an unencrypted private key in PEM (-----BEGIN PRIVATE KEY-----), found ${label}`,
  );
}

function signWith(key: KeyObject, publicKey: PublicKey, message: Uint8Array): Promise<Uint8Array> {
  const { algorithm } = publicKey;
  const options = algorithm === 'rsa-pss' ? { key, ...pss } : { key };
  return new Promise((resolve, reject) => {
    sign(digests[algorithm], message, options, (error, signature) => {
      if (error) reject(error);
      else resolve(new Uint8Array(signature));
    });
  });
}

/** A new private key as PKCS#8 PEM; RSA keys have 3072 bits. */
export async function generateKey(algorithm: SignatureAlgorithm): Promise<string> {
  if (algorithm === 'ml-dsa-44') {
    const lines = encodeBase64(mlDsa44Pkcs8(randomBytes(32))).match(/.{1,64}/g) ?? [];
    return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
  }
  const { privateKey } = await generatePair(algorithm);
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
}

function generatePair(
  algorithm: Exclude<SignatureAlgorithm, 'ml-dsa-44'>,
): Promise<KeyPairKeyObjectResult> {
  switch (algorithm) {
    case 'ed25519':
      return generate('ed25519');
    case 'ecdsa-p256':
      return generate('ec', { namedCurve: 'P-256' });
    case 'ecdsa-p384':
      return generate('ec', { namedCurve: 'P-384' });
    case 'rsa-pss':
      return generate('rsa', { modulusLength: 3072 });
  }
}
