/** The config file of `daybook monitor`, and `daybook monitor check`, which only reads it. */
import type { Command } from 'commander';
import { formatVkey } from '../note/vkey.ts';
import { MAX_CONFIG_BYTES, parseMonitorConfig, type MonitorConfig } from '../monitor/config.ts';
import { openWebhook } from '../monitor/webhook.ts';
import { readBytes } from './files.ts';
import { print } from './output.ts';

/** Throws `file-unreadable`, and `bad-usage` with the member that is wrong. */
export async function readMonitorConfig(path: string): Promise<MonitorConfig> {
  return parseMonitorConfig(await readBytes(path, MAX_CONFIG_BYTES), path);
}

export function addCheck(monitor: Command): void {
  monitor
    .command('check')
    .description('read a config and the secrets that it names, and say what it means')
    .requiredOption('--config <file>', 'config of the monitor, JSON')
    .action(async ({ config }: { readonly config: string }) => check(config));
}

async function check(path: string): Promise<void> {
  const config = await readMonitorConfig(path);
  for (const webhook of config.alerts.webhooks) await openWebhook(webhook);
  const { logs, rules, alerts, gossip } = config;
  for (const { origin, policy, url, mirrors } of logs) {
    print(`log ${origin} at ${[url, ...mirrors].join(', ')}`);
    for (const { key } of policy.logs) print(`  signed by ${formatVkey(key)}`);
    for (const { name, key } of policy.witnesses) print(`  witness ${name}: ${formatVkey(key)}`);
  }
  for (const { rule, name, severity, logs: only } of rules) {
    const of = only === undefined ? 'every log' : [...only].join(', ');
    print(`rule ${name}${name === rule ? '' : ` (${rule})`}: ${severity}, on ${of}`);
  }
  for (const { url } of alerts.webhooks) print(`alerts go to ${new URL(url).host}`);
  if (gossip !== undefined)
    print(`gossip with ${gossip.peers.length} monitors and ${gossip.witnesses.length} witnesses`);
  if (rules.length === 0) print('No rule: only a log that lies or forks is alerted on.');
}
