/** What a monitor is told: a JSON file, whose form is config-schema.ts; here names become keys, scopes and seconds. */
import { dirname, resolve } from 'node:path';
import { decodeBase64 } from '../encoding/base64.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { parseVkey, type VerifierKey } from '../note/vkey.ts';
import { publicKeyFromSpki } from '../signature/public-key.ts';
import { parseDuration } from '../verify/duration.ts';
import { policyOfLogs } from '../verify/log-policy.ts';
import { parsePolicy, type TrustPolicy } from '../verify/policy.ts';
import { refuseTwice, within, wrong } from './config-refusal.ts';
import { monitorConfigSchema, type MonitorConfigJson } from './config-schema.ts';
import { resolveRules, type NamedKeys, type RuleConfig } from './rules/rule-config.ts';

export const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

export interface WatchedLogConfig {
  readonly origin: string;
  /** Its logs are the keys of this one origin. */
  readonly policy: TrustPolicy;
  readonly url: string;
  readonly mirrors: readonly string[];
  /** Whether `/cosigned-checkpoint` is followed instead of `/checkpoint`. */
  readonly cosigned: boolean;
  /** No rule alerts on entries below this index. */
  readonly quietBelow: number;
}

export interface WebhookConfig {
  readonly url: string;
  /** Absolute path. */
  readonly secretFile: string;
}

export interface GossipConfig {
  readonly peers: readonly { readonly name: string; readonly url: string }[];
  readonly witnesses: readonly { readonly key: VerifierKey; readonly url: string }[];
  readonly intervalSeconds: number;
  /** Whether clients may post checkpoints. */
  readonly acceptReports: boolean;
  /** Seconds after which a head that cannot be judged becomes an accusation. */
  readonly accuseAfter: number;
}

export interface MonitorConfig {
  /** Absolute path. */
  readonly data: string;
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** Each origin once. */
  readonly logs: readonly WatchedLogConfig[];
  readonly rules: readonly RuleConfig[];
  readonly alerts: { readonly webhooks: readonly WebhookConfig[] };
  readonly gossip: GossipConfig | undefined;
  readonly pollSeconds: number;
  readonly cosign: boolean;
}

/**
 * `path` is where the config was read: its own paths are relative to that. Throws `bad-usage`, with
 * the member that is wrong.
 */
export function parseMonitorConfig(bytes: Uint8Array, path: string): MonitorConfig {
  return within(`monitor config ${path} refused`, () => {
    const parsed = monitorConfigSchema.safeParse(parseStrictJson(bytes, { maxDepth: 16 }));
    if (parsed.success) return resolveConfig(parsed.data, dirname(resolve(path)));
    const problems = parsed.error.issues.map(
      (issue) => `${issue.path.join('.') || 'the file'}: ${issue.message}`,
    );
    throw wrong(problems.join('; '));
  });
}

function resolveConfig(json: MonitorConfigJson, folder: string): MonitorConfig {
  const keys: NamedKeys = new Map(
    Object.entries(json.keys).map(([name, spki]) => [
      name,
      within(`keys.${name}`, () => publicKeyFromSpki(decodeBase64(spki))),
    ]),
  );
  const logs = json.logs.map((log, i) => within(`logs.${i}`, () => resolveLog(log)));
  refuseTwice(
    'logs',
    logs.map(({ origin }) => origin),
  );
  refuseTwice(
    'alerts.webhooks',
    json.alerts.webhooks.map(({ url }) => url),
  );
  return {
    data: resolve(folder, json.data),
    listen: json.listen,
    logs,
    rules: resolveRules(json.rules, { keys, logs, folder }),
    alerts: {
      webhooks: json.alerts.webhooks.map(({ url, secretFile }, i) => ({
        url: within(`alerts.webhooks.${i}.url`, () => checkUrl(url)),
        secretFile: resolve(folder, secretFile),
      })),
    },
    gossip: json.gossip && resolveGossip(json.gossip),
    pollSeconds: json.pollSeconds,
    cosign: json.cosign,
  };
}

function resolveLog(json: MonitorConfigJson['logs'][number]): WatchedLogConfig {
  const { vkeys, policy: lines, url, mirrors, cosigned, quietBelow } = json;
  if ((vkeys === undefined) === (lines === undefined)) {
    throw wrong('want either vkeys or policy');
  }
  const policy = lines ? parsePolicy(`${lines.join('\n')}\n`) : policyOfLogs(vkeys ?? []);
  const [origin, ...others] = new Set(policy.logs.map(({ key }) => key.name));
  if (origin === undefined || others.length > 0) {
    throw wrong(
      `the keys are of ${[origin, ...others].join(', ') || 'no log'}, want one origin: give each log its own place in the list`,
    );
  }
  for (const each of [url, ...mirrors]) checkUrl(each);
  return { origin, policy, url, mirrors, cosigned, quietBelow };
}

function resolveGossip(json: NonNullable<MonitorConfigJson['gossip']>): GossipConfig {
  refuseTwice(
    'gossip.peers',
    json.peers.map(({ name }) => name),
  );
  for (const { name, url } of json.peers) within(`gossip.peers ${name}`, () => checkUrl(url));
  return {
    peers: json.peers,
    witnesses: json.witnesses.map(({ vkey, url }, i) =>
      within(`gossip.witnesses.${i}`, () => ({ key: witnessKey(vkey), url: checkUrl(url) })),
    ),
    intervalSeconds: json.intervalSeconds,
    acceptReports: json.acceptReports,
    accuseAfter: parseDuration(json.accuseAfter),
  };
}

function witnessKey(vkey: string): VerifierKey {
  const key = parseVkey(vkey);
  if (key.type === 0x01) throw wrong(`the key of ${key.name} is a log's, want a witness's`);
  return key;
}

function checkUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null) throw wrong(`"${text}" is no URL`);
  if (url.username !== '' || url.password !== '') {
    throw wrong(`the URL of ${url.host} has a user or password in it; fetch sends none`);
  }
  return text;
}
