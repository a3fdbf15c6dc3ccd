/** Which issuer may say what, and whose key is tried for a signature. */
import { DaybookError } from '../errors.ts';
import type { PublicKey, SignatureAlgorithm } from '../signature/port.ts';
import type { ChannelLink } from './channel.ts';
import type { Role } from './issuer.ts';
import { matchesScope, type Purl, type PurlScope } from './purl.ts';

/** Keys tried for a signature whose keyid names none. */
const maxCandidates = 32;
/** Least and most bytes: a signature of another length costs no verification. */
const signatureLengths: Record<SignatureAlgorithm, readonly [number, number]> = {
  ed25519: [64, 64],
  'ecdsa-p256': [8, 72],
  'ecdsa-p384': [8, 104],
  'rsa-pss': [256, 1024],
  'ml-dsa-44': [2420, 2420],
};

export interface Issuer {
  readonly name: string;
  readonly key: PublicKey;
  readonly roles: readonly Role[];
  readonly scopes: readonly PurlScope[];
  /** A revoked key stays known, so that a refusal can say so, and never comes back. */
  readonly revoked: boolean;
}

/** By fingerprint of the key, in the order of admission. */
export type Issuers = ReadonlyMap<string, Issuer>;

export type AssertionKind =
  | 'release'
  | 'provenance'
  | 'verification summary'
  | 'channel'
  | 'withdrawal'
  | 'source commitment';

/** What an issuer's statement asserts, before its signature is verified. */
export interface Assertion {
  readonly kind: AssertionKind;
  /** The envelope's unauthenticated hint; it decides which keys are tried. */
  readonly keyid: string;
  readonly signatureLength: number;
  /** Any one of them is enough. */
  readonly roles: readonly Role[];
  /** All of them must be in the issuer's scopes; when there are none, the role alone decides. */
  readonly purls: readonly Purl[];
  /** Of a channel statement: the place in its channel that it claims. */
  readonly channel?: ChannelLink | undefined;
}

/**
 * The issuers whose key is tried, in the order of admission: the one that keyid names, otherwise
 * those who may make the claim at all. It depends on nothing but the state and what was sent, so
 * that a replay tries the same keys.
 */
export function candidates(issuers: Issuers, assertion: Assertion): readonly Issuer[] {
  const hinted = issuers.get(assertion.keyid);
  if (hinted !== undefined) return [hinted];
  const fitting: Issuer[] = [];
  for (const issuer of issuers.values()) {
    if (!couldSign(issuer.key, assertion.signatureLength)) continue;
    if (whyNot(issuer, assertion) === undefined) fitting.push(issuer);
    if (fitting.length === maxCandidates) break;
  }
  return fitting;
}

function couldSign({ algorithm }: PublicKey, signatureLength: number): boolean {
  const [least, most] = signatureLengths[algorithm];
  return signatureLength >= least && signatureLength <= most;
}

/** The reason why `issuer` may not make this claim, if there is one. */
export function whyNot(issuer: Issuer, { kind, roles, purls }: Assertion): string | undefined {
  if (issuer.revoked) {
    return `issuer ${issuer.name} (key ${issuer.key.fingerprint}) was revoked; admit a new key`;
  }
  if (!roles.some((role) => issuer.roles.includes(role))) {
    return `issuer ${issuer.name} has the roles ${issuer.roles.join(', ')}, but a ${kind} statement needs ${roles.join(' or ')}; the registrar can change its roles`;
  }
  const outside = purls.find((purl) => !issuer.scopes.some((scope) => matchesScope(scope, purl)));
  if (outside === undefined) return undefined;
  return `issuer ${issuer.name} may not speak for ${outside.text}: its scopes are ${listed(issuer.scopes)}; the registrar can change them`;
}

export function noIssuer(
  { kind, keyid, purls }: Assertion,
  tried: readonly Issuer[] = [],
): DaybookError {
  const product = purls.length > 0 ? ` of ${listed(purls)}` : '';
  const names = tried.map(({ name, key }) => `${name} (${key.fingerprint.slice(0, 16)}…)`);
  return new DaybookError(
    'not-admitted',
    `keyid "${keyid}" is no issuer's, and ` +
      (names.length > 0
        ? `the signature verifies under none of the keys that may sign a ${kind} statement${product}: ${names.join(', ')}`
        : `no issuer with such a key may sign a ${kind} statement${product}`) +
      '; the registrar admits keys with: daybook issuer add',
  );
}

function listed(purls: readonly Purl[]): string {
  const shown = purls.slice(0, 8).map(({ text }) => text);
  return shown.join(', ') + (purls.length > 8 ? ` and ${purls.length - 8} more` : '');
}
