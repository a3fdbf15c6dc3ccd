/**
 * The small port through which signature primitives come in: Node's own crypto on the server,
 * WebCrypto and noble in the browser. Nothing in the core knows which one runs.
 */

export type SignatureAlgorithm = 'ed25519' | 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-pss' | 'ml-dsa-44';

/** A public key that was parsed and checked; made by the functions of public-key.ts only. */
export interface PublicKey {
  readonly algorithm: SignatureAlgorithm;
  /** DER SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** The key itself: 32 bytes (Ed25519), 1312 (ML-DSA-44), the uncompressed point (ECDSA), DER RSAPublicKey (RSA). */
  readonly raw: Uint8Array;
  /** Lowercase hex SHA-256 of `spki`: the key's name wherever Daybook needs one. */
  readonly fingerprint: string;
}

/**
 * `verify` answers false for a signature that is wrong in any way, malformed ones included; it never throws for input.
 * Hashes: ECDSA P-256 with SHA-256; P-384 with SHA-384, or SHA-256 as cosign does; RSA-PSS with SHA-256,
 * any salt length. ECDSA signatures are ASN.1 DER. ML-DSA-44 has an empty context.
 */
export interface SignatureVerifier {
  verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): Promise<boolean>;
}

export interface Signer {
  readonly publicKey: PublicKey;
  sign(message: Uint8Array): Promise<Uint8Array>;
}
