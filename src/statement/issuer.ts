/**
 * Admission of issuers: entries signed by the registrar that let a key speak in this log, change
 * what it may say, or end it for good.
 *
 *     "subject":[{"name":"acme","digest":{"sha256":"<fingerprint of the key>"}}],
 *     "predicateType":"urn:daybook:predicate:issuer:v1",
 *     "predicate":{"origin":"log.acme.example","sequence":1,"action":"admit","name":"acme",
 *       "key":"<base64 SPKI>","roles":["release"],"purls":["pkg:generic/acme/*"]}
 *
 * Unlike in other predicates, unknown members are refused.
 */
import { encodeBase64 } from '../encoding/base64.ts';
import { hasInvisible } from '../encoding/invisible.ts';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import type { JsonValue } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import type { PublicKey } from '../signature/port.ts';
import { readKey } from './genesis.ts';
import { formatStatement, type Statement } from './in-toto.ts';
import { type PurlScope, purlScope } from './purl.ts';
import { shape } from './shape.ts';

/** What an issuer may say. A release needs `release`; SLSA provenance needs `provenance` or `rebuild`. */
export type Role = (typeof roles)[number];
export const roles = [
  'release',
  'provenance',
  'rebuild',
  'approve',
  'channel',
  'withdraw',
] as const;

/**
 * `admit` makes a key an issuer, `change` replaces its name, roles and purls, `revoke` ends it. A
 * revoked key never comes back.
 */
export type IssuerAction = (typeof actions)[number];
const actions = ['admit', 'change', 'revoke'] as const;

export interface IssuerChange {
  readonly origin: string;
  /** 1 + the number of admission entries before; so an old one can never be replayed. */
  readonly sequence: number;
  readonly action: IssuerAction;
  readonly name: string;
  readonly key: PublicKey;
  /** Empty for `revoke`, as are the scopes. */
  readonly roles: readonly Role[];
  readonly scopes: readonly PurlScope[];
}

export const issuerPredicateType = 'urn:daybook:predicate:issuer:v1';
const maxNameLength = 128;
const maxScopes = 256;
const { array, string, integer, only } = shape('bad-statement');

/** Payload bytes, to be signed by the registrar's threshold of keys. Throws `bad-statement`. */
export function issuerStatement(change: {
  readonly origin: string;
  readonly sequence: number;
  readonly action: IssuerAction;
  readonly name: string;
  readonly key: PublicKey;
  readonly roles?: readonly Role[];
  readonly purls?: readonly string[];
}): Uint8Array {
  const { origin, sequence, action, name, key, roles = [], purls = [] } = change;
  const statement: Statement = {
    subject: [{ name, sha256: decodeHex(key.fingerprint) }],
    predicateType: issuerPredicateType,
    predicate: { origin, sequence, action, name, key: encodeBase64(key.spki), roles, purls },
  };
  readIssuerChange(statement);
  return formatStatement(statement);
}

/** Reads a statement of `issuerPredicateType`. Throws `bad-statement` or `bad-key`. */
export function readIssuerChange({ subject, predicate }: Statement): IssuerChange {
  only(
    predicate,
    ['origin', 'sequence', 'action', 'name', 'key', 'roles', 'purls'],
    'admission entry',
  );
  const key = readKey(predicate.key, 'key');
  const [artifact] = subject;
  if (subject.length !== 1 || !artifact || encodeHex(artifact.sha256) !== key.fingerprint) {
    throw new DaybookError(
      'bad-statement',
      `the one subject of an admission entry is the fingerprint of its key, ${key.fingerprint}`,
    );
  }
  const action = oneOf(actions, predicate.action, 'action');
  const change: IssuerChange = {
    origin: string(predicate.origin, 'origin'),
    sequence: integer(predicate.sequence, 'sequence', 1),
    action,
    name: string(predicate.name, 'name', maxNameLength),
    key,
    roles: array(predicate.roles, 'roles', roles.length).map((role) => oneOf(roles, role, 'role')),
    scopes: array(predicate.purls, 'purls', maxScopes).map((pattern) =>
      purlScope(string(pattern, 'purl')),
    ),
  };
  const empty = change.roles.length === 0 && change.scopes.length === 0;
  const complete = change.roles.length > 0 && change.scopes.length > 0;
  if (action === 'revoke' ? !empty : !complete) {
    throw new DaybookError(
      'bad-statement',
      `${action} has ${change.roles.length} roles and ${change.scopes.length} purls, want ${action === 'revoke' ? 'none' : 'at least one of each'}`,
    );
  }
  if (change.name === '' || hasInvisible(change.name)) {
    throw new DaybookError('bad-statement', 'name is empty, or has control or format characters');
  }
  return change;
}

function oneOf<const Name extends string>(
  names: readonly Name[],
  value: JsonValue | undefined,
  what: string,
): Name {
  const text = string(value, what);
  const name = names.find((known) => known === text);
  if (name === undefined) {
    throw new DaybookError(
      'bad-statement',
      `${what} is "${text.slice(0, 48)}", want one of ${names.join(', ')}`,
    );
  }
  return name;
}
