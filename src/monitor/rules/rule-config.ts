/** The rules of a monitor's config, with names made keys, scopes and seconds. */
import { resolve } from 'node:path';
import type { PublicKey } from '../../signature/port.ts';
import { checkChannelName } from '../../statement/channel.ts';
import { purlScope, type PurlScope } from '../../statement/purl.ts';
import { parseDuration } from '../../verify/duration.ts';
import type { TrustPolicy } from '../../verify/policy.ts';
import type { Severity } from '../alert.ts';
import { refuseTwice, within, wrong } from '../config-refusal.ts';
import type { RuleJson } from '../config-schema.ts';

export type NamedKeys = ReadonlyMap<string, PublicKey>;

interface Common {
  /** Unique in the config. */
  readonly name: string;
  readonly severity: Severity;
  /** Origins; undefined for every log. */
  readonly logs: ReadonlySet<string> | undefined;
}

/** Fingerprints of keys, and how many of them there must be. */
export interface FingerprintThreshold {
  readonly threshold: number;
  readonly keys: ReadonlySet<string>;
}

/** Undefined for every product. */
export type Products = readonly PurlScope[] | undefined;

export interface UnexpectedReleaseConfig extends Common {
  readonly rule: 'unexpected-release';
  readonly products: readonly PurlScope[];
  /** Fingerprints. */
  readonly keys: ReadonlySet<string>;
  /** Absolute path of a list of digests. */
  readonly released: string | undefined;
}

export interface NewIssuerConfig extends Common {
  readonly rule: 'new-issuer';
  readonly products: Products;
  /** Fingerprints. */
  readonly known: ReadonlySet<string>;
}

export interface NewBuilderConfig extends Common {
  readonly rule: 'new-builder';
  readonly products: Products;
  readonly known: ReadonlySet<string>;
}

export interface UnconfirmedConfig extends Common {
  readonly rule: 'unconfirmed';
  readonly products: Products;
  /** Seconds. */
  readonly after: number;
  readonly rebuilds: FingerprintThreshold | undefined;
  readonly approvals: FingerprintThreshold | undefined;
}

/** Rules that need to know nothing but the products. */
export interface ProductRuleConfig<Kind extends string> extends Common {
  readonly rule: Kind;
  readonly products: Products;
}

export interface ChannelConfig extends Common {
  readonly rule: 'channel';
  readonly channels: readonly string[];
  /** Seconds, counted from the statement's `issued`. */
  readonly maxAge: number | undefined;
}

export interface StaleCheckpointConfig extends Common {
  readonly rule: 'stale-checkpoint';
  /** Seconds. */
  readonly after: number;
}

export interface MissingCosignerConfig extends Common {
  readonly rule: 'missing-cosigner';
  /** Names in the log's policy. */
  readonly witnesses: readonly string[];
  /** Seconds. */
  readonly after: number;
}

export type RuleConfig =
  | UnexpectedReleaseConfig
  | NewIssuerConfig
  | NewBuilderConfig
  | ProductRuleConfig<'different-result'>
  | UnconfirmedConfig
  | ProductRuleConfig<'rejection'>
  | ProductRuleConfig<'withdrawal'>
  | ChannelConfig
  | StaleCheckpointConfig
  | MissingCosignerConfig;

interface Context {
  readonly keys: NamedKeys;
  readonly logs: readonly { readonly origin: string; readonly policy: TrustPolicy }[];
  /** Relative paths start here. */
  readonly folder: string;
}

const severityOf: Readonly<Record<RuleJson['rule'], Severity>> = {
  'unexpected-release': 'critical',
  'new-issuer': 'warning',
  'new-builder': 'warning',
  'different-result': 'critical',
  unconfirmed: 'warning',
  rejection: 'critical',
  withdrawal: 'notice',
  channel: 'critical',
  'stale-checkpoint': 'warning',
  'missing-cosigner': 'warning',
};

/** Throws `bad-usage`, with the member that is wrong. */
export function resolveRules(rules: readonly RuleJson[], context: Context): RuleConfig[] {
  refuseTwice(
    'rules: the name',
    rules.map(({ name, rule }) => name ?? rule),
  );
  return rules.map((json, i) => within(`rules.${i}`, () => resolveRule(json, context)));
}

function resolveRule(json: RuleJson, context: Context): RuleConfig {
  const { keys, folder } = context;
  const common: Common = {
    name: json.name ?? json.rule,
    severity: json.severity ?? severityOf[json.rule],
    logs: json.logs && new Set(json.logs),
  };
  if (common.name.startsWith('log-')) {
    throw wrong(`the name ${common.name} begins with log-, as only the monitor's own alerts do`);
  }
  const watched = context.logs.filter(({ origin }) => common.logs?.has(origin) ?? true);
  for (const origin of json.logs ?? []) {
    if (!watched.some((log) => log.origin === origin)) throw wrong(`${origin} is none of the logs`);
  }
  switch (json.rule) {
    case 'unexpected-release': {
      const released = json.released === undefined ? undefined : resolve(folder, json.released);
      const products = json.purls.map(purlScope);
      return { ...common, rule: json.rule, products, keys: find(json.keys, keys), released };
    }
    case 'new-issuer':
      return { ...common, rule: json.rule, ...about(json), known: find(json.known ?? [], keys) };
    case 'new-builder':
      return { ...common, rule: json.rule, ...about(json), known: new Set(json.known) };
    case 'different-result':
      return { ...common, rule: json.rule, ...about(json) };
    case 'rejection':
      return { ...common, rule: json.rule, ...about(json) };
    case 'withdrawal':
      return { ...common, rule: json.rule, ...about(json) };
    case 'unconfirmed': {
      const rebuilds = json.rebuilds && thresholdOf(json.rebuilds, keys);
      const approvals = json.approvals && thresholdOf(json.approvals, keys);
      if (!rebuilds && !approvals) throw wrong('want rebuilds, approvals or both');
      const after = parseDuration(json.after);
      return { ...common, rule: json.rule, ...about(json), after, rebuilds, approvals };
    }
    case 'channel': {
      const maxAge = json.maxAge === undefined ? undefined : parseDuration(json.maxAge);
      refuseTwice('channels', json.channels);
      const channels = json.channels.map(checkChannelName);
      return { ...common, rule: json.rule, channels, maxAge };
    }
    case 'stale-checkpoint':
      return { ...common, rule: json.rule, after: parseDuration(json.after) };
    case 'missing-cosigner': {
      for (const { origin, policy } of watched) checkWitnesses(json.witnesses, origin, policy);
      const { rule, witnesses } = json;
      return { ...common, rule, witnesses, after: parseDuration(json.after) };
    }
  }
}

function about({ purls }: { readonly purls?: readonly string[] | undefined }): {
  products: Products;
} {
  return { products: purls?.map(purlScope) };
}

function find(names: readonly string[], keys: NamedKeys): ReadonlySet<string> {
  return new Set(
    names.map((name) => {
      const key = keys.get(name);
      if (key === undefined) throw wrong(`the key "${name}" is not in keys`);
      return key.fingerprint;
    }),
  );
}

function thresholdOf(
  json: { readonly threshold: number; readonly keys: readonly string[] },
  keys: NamedKeys,
): FingerprintThreshold {
  const found = find(json.keys, keys);
  if (json.threshold <= found.size) return { threshold: json.threshold, keys: found };
  throw wrong(`the threshold is ${json.threshold}, but there are ${found.size} different keys`);
}

function checkWitnesses(names: readonly string[], origin: string, policy: TrustPolicy): void {
  const known = policy.witnesses.map(({ name }) => name);
  const missing = names.find((name) => !known.includes(name));
  if (missing === undefined) return;
  throw wrong(
    `"${missing}" is no witness in the policy of ${origin}, which has ${known.join(', ') || 'none'}: give the log a policy with its witness lines`,
  );
}
