/** What every rule of a release policy is given, and what it answers. */
import { DaybookError, type ErrorCode } from '../../errors.ts';
import { matchesScope, type Purl } from '../../statement/purl.ts';
import type { PolicyKey, ProductRule, ReleasePolicy } from '../release-policy.ts';
import type { ShownFile, ShownTree, SignedStatement } from '../shown.ts';
import type { TrustState } from '../trust-state.ts';

export interface ChosenRelease {
  readonly signed: SignedStatement;
  readonly purl: Purl;
  readonly kind: string | undefined;
}

/** One artifact, its release file, and all that the rules compare them with. */
export interface Case {
  readonly sha256: Uint8Array;
  readonly policy: ReleasePolicy;
  readonly rule: ProductRule;
  readonly state: TrustState;
  /** Seconds since 1970: the greatest of own clock, stored time and quorum times. */
  readonly time: number;
  readonly tree: ShownTree;
  readonly release: ChosenRelease;
  /** Of the release file, and signed by keys of the policy. */
  readonly statements: readonly SignedStatement[];
  /** Channel files that verified. */
  readonly channels: readonly ShownChannel[];
  /** Why other channel files did not. */
  readonly refusedChannels: readonly string[];
  readonly warn: (warning: string) => void;
}

export interface ShownChannel {
  readonly file: ShownFile;
  readonly signed: SignedStatement;
}

/** Why a rule passed, for a person to read, and the entries that show it. */
export interface Finding {
  readonly detail: string;
  readonly indexes: readonly number[];
}

/** A refusal by a rule; `indexes` are the entries that it is about. */
export class Refusal extends DaybookError {
  readonly indexes: readonly number[];

  constructor(code: ErrorCode, message: string, about: readonly SignedStatement[] = []) {
    super(code, message);
    this.indexes = about.map(({ index }) => index);
  }
}

export function found(detail: string, about: readonly SignedStatement[] = []): Finding {
  return { detail, indexes: about.map(({ index }) => index) };
}

export function isSignedBy({ key }: SignedStatement, keys: readonly PolicyKey[]): boolean {
  return keys.some((each) => each.key.fingerprint === key.key.fingerprint);
}

/** Whether every purl that a statement names is this release: the same product, and the same version if it names one. */
export function areAbout(purls: readonly Purl[], release: Purl): boolean {
  // In a statement, unlike in a scope, * is no wildcard.
  return purls.every((purl) => !purl.path.includes('*') && matchesScope(purl, release));
}

/** The newest statement of each key: what one says later takes the place of what it said before. */
export function newestByKey(statements: readonly SignedStatement[]): SignedStatement[] {
  const newest = new Map<string, SignedStatement>();
  for (const signed of statements) {
    const { fingerprint } = signed.key.key;
    const other = newest.get(fingerprint);
    if (other === undefined || other.index < signed.index) newest.set(fingerprint, signed);
  }
  return [...newest.values()];
}

/** One for each key, and for each organisation, where the policy names it: nobody counts twice. */
export function voices(statements: readonly SignedStatement[]): SignedStatement[] {
  const byVoice = new Map<string, SignedStatement>();
  for (const signed of newestByKey(statements)) {
    const { organisation, key } = signed.key;
    byVoice.set(
      organisation === undefined ? `key ${key.fingerprint}` : `of ${organisation}`,
      signed,
    );
  }
  return [...byVoice.values()];
}

export function listed(statements: readonly SignedStatement[]): string {
  return statements.map(({ key, index }) => `${key.name} (entry ${index})`).join(', ') || 'nobody';
}
