/**
 * Release policies: what a client demands of a release before it installs it. A JSON document, whose
 * form is release-policy-schema.ts; here its names become keys, scopes and seconds.
 */
import { decodeBase64 } from '../encoding/base64.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import type { PublicKey } from '../signature/port.ts';
import { publicKeyFromSpki } from '../signature/public-key.ts';
import { checkChannelName } from '../statement/channel.ts';
import { purlScope, type PurlScope } from '../statement/purl.ts';
import { parseDuration } from './duration.ts';
import { parsePolicy, type TrustPolicy } from './policy.ts';
import { releasePolicySchema, type ReleasePolicyJson } from './release-policy-schema.ts';

export interface PolicyKey {
  readonly name: string;
  readonly key: PublicKey;
  readonly organisation: string | undefined;
  /** What it signed counts below this index only. */
  readonly until: number | undefined;
}

export interface Threshold {
  readonly threshold: number;
  /** Distinct keys, at least `threshold` of them. */
  readonly keys: readonly PolicyKey[];
}

export interface Places {
  readonly sites?: readonly string[] | undefined;
  readonly jurisdictions?: readonly string[] | undefined;
}

export interface ChannelRule {
  readonly channel: string;
  readonly keys: readonly PolicyKey[];
  /** Seconds, counted from the statement's `issued`. */
  readonly maxAge: number;
  /** A hard limit above `maxAge`, counted from `issued` too; seconds. */
  readonly grace: number | undefined;
}

export interface ProductRule {
  readonly scope: PurlScope;
  readonly issuers: readonly PolicyKey[];
  readonly builders:
    | { readonly keys: readonly PolicyKey[]; readonly ids?: readonly string[] | undefined }
    | undefined;
  readonly source:
    | {
        readonly repository?: string | undefined;
        readonly commits?: readonly string[] | undefined;
        /** Lowercase hex. */
        readonly commitments?: readonly string[] | undefined;
      }
    | undefined;
  readonly rebuilds: (Threshold & { readonly sourceChecked: boolean }) | undefined;
  readonly approvals: Threshold | undefined;
  readonly reviews: Threshold | undefined;
  readonly assembly: Places | undefined;
  readonly signing: Places | undefined;
  readonly channels: readonly ChannelRule[];
  /** Seconds. */
  readonly checkpointMaxAge: number | undefined;
  /** Seconds. */
  readonly publicFor: number | undefined;
  readonly downgrade: 'refuse' | 'allow';
  readonly override: boolean;
}

export interface ReleasePolicy {
  readonly version: number;
  readonly trust: TrustPolicy;
  /** Who signs the next version. */
  readonly root: Threshold | undefined;
  readonly keys: ReadonlyMap<string, PolicyKey>;
  readonly organisations: {
    readonly log: string | undefined;
    readonly registrar: string | undefined;
    /** By the witness's name in `trust`. */
    readonly witnesses: ReadonlyMap<string, string>;
  };
  readonly products: readonly ProductRule[];
  readonly floors: { readonly treeSize: number; readonly channels: ReadonlyMap<string, number> };
}

const maxDepth = 16;

/** Whether these bytes are meant as a release policy, signed or not, and not as a tlog-policy: they begin as JSON does. */
export function isReleasePolicy(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => ![0x20, 0x09, 0x0a, 0x0d].includes(byte));
  return first === 0x7b;
}

/** Throws `bad-policy`, with the member that is wrong. */
export function parseReleasePolicy(bytes: Uint8Array): ReleasePolicy {
  const json = within('the policy', () => parseStrictJson(bytes, { maxDepth }));
  const parsed = releasePolicySchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw bad(issue?.path.join('.') || 'the policy', issue?.message ?? 'is malformed');
  }
  return resolve(parsed.data);
}

function resolve(json: ReleasePolicyJson): ReleasePolicy {
  const { version, root, organisations, floors } = json;
  const keys = new Map(
    Object.entries(json.keys).map(([name, { key, organisation, until }]) => [
      name,
      {
        name,
        key: within(`keys.${name}`, () => publicKeyFromSpki(decodeBase64(key))),
        organisation,
        until,
      },
    ]),
  );
  refuseSameKey([...keys.values()]);
  const find = (names: readonly string[], what: string): PolicyKey[] => keysOf(keys, names, what);
  const channels = Object.entries(floors.channels);
  for (const [name] of channels) within('floors.channels', () => checkChannelName(name));
  return {
    version,
    trust: within('trust', () => parsePolicy(`${json.trust.join('\n')}\n`)),
    root: root && thresholdOf(root, 'root', find),
    keys,
    organisations: {
      log: organisations.log,
      registrar: organisations.registrar,
      witnesses: new Map(Object.entries(organisations.witnesses)),
    },
    products: json.products.map((product, i) => resolveProduct(product, `products.${i}`, find)),
    floors: { treeSize: floors.treeSize, channels: new Map(channels) },
  };
}

type FindKeys = (names: readonly string[], what: string) => PolicyKey[];

function resolveProduct(
  json: ReleasePolicyJson['products'][number],
  where: string,
  find: FindKeys,
): ProductRule {
  const { builders, rebuilds, approvals, reviews } = json;
  const names = json.channels.map(({ channel }) => channel);
  if (new Set(names).size < names.length) throw bad(`${where}.channels`, 'names a channel twice');
  return {
    scope: within(`${where}.purl`, () => purlScope(json.purl)),
    issuers: find(json.issuers, `${where}.issuers`),
    builders: builders && { keys: find(builders.keys, `${where}.builders`), ids: builders.ids },
    source: json.source,
    rebuilds: rebuilds && {
      ...thresholdOf(rebuilds, `${where}.rebuilds`, find),
      sourceChecked: rebuilds.sourceChecked,
    },
    approvals: approvals && thresholdOf(approvals, `${where}.approvals`, find),
    reviews: reviews && thresholdOf(reviews, `${where}.reviews`, find),
    assembly: json.assembly,
    signing: json.signing,
    channels: json.channels.map((rule, i) => resolveChannel(rule, `${where}.channels.${i}`, find)),
    checkpointMaxAge: optionalDuration(json.checkpointMaxAge),
    publicFor: optionalDuration(json.publicFor),
    downgrade: json.downgrade,
    override: json.override,
  };
}

function resolveChannel(
  json: ReleasePolicyJson['products'][number]['channels'][number],
  where: string,
  find: FindKeys,
): ChannelRule {
  const maxAge = parseDuration(json.maxAge);
  const grace = optionalDuration(json.grace);
  if (grace !== undefined && grace <= maxAge) {
    throw bad(`${where}.grace`, `is ${json.grace}, want more than maxAge, ${json.maxAge}`);
  }
  return {
    channel: within(`${where}.channel`, () => checkChannelName(json.channel)),
    keys: find(json.keys, `${where}.keys`),
    maxAge,
    grace,
  };
}

function optionalDuration(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseDuration(text);
}

function thresholdOf(
  { threshold, keys }: { readonly threshold: number; readonly keys: readonly string[] },
  what: string,
  find: FindKeys,
): Threshold {
  const found = find(keys, what);
  if (threshold > found.length) {
    throw bad(`${what}.threshold`, `is ${threshold}, but there are ${found.length} keys`);
  }
  return { threshold, keys: found };
}

function keysOf(
  keys: ReadonlyMap<string, PolicyKey>,
  names: readonly string[],
  what: string,
): PolicyKey[] {
  if (new Set(names).size < names.length) throw bad(what, 'names a key twice');
  return names.map((name) => {
    const key = keys.get(name);
    if (key === undefined) throw bad(what, `names the key "${name}", which is not in keys`);
    return key;
  });
}

/** One key under two names would count twice. */
function refuseSameKey(keys: readonly PolicyKey[]): void {
  const names = new Map<string, string>();
  for (const { name, key } of keys) {
    const other = names.get(key.fingerprint);
    if (other !== undefined) throw bad(`keys.${name}`, `is the same key as ${other}`);
    names.set(key.fingerprint, name);
  }
}

function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof DaybookError)) throw cause;
    throw bad(what, cause.message, cause);
  }
}

function bad(what: string, problem: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-policy', `release policy refused: ${what}: ${problem}`, { cause });
}
