/** What a monitor tells its operator: one alert for each cause. */
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';

export type Severity = (typeof severities)[number];
export const severities = ['critical', 'warning', 'notice'] as const;

export interface Alert {
  /** 32 hex digits, the same for the same cause: by it, an alert is raised and delivered once. */
  readonly id: string;
  /** Name of the rule in the config, or what needs none: `log-misbehaved`, `log-forked`, `log-accused`. */
  readonly rule: string;
  readonly severity: Severity;
  readonly origin: string;
  /** When the monitor noticed, in seconds since 1970. */
  readonly at: number;
  /** Index of the entry that it is about. */
  readonly index?: number;
  /** One line. Like `detail`, it may quote what strangers logged: escape it wherever it is shown. */
  readonly title: string;
  readonly detail: string;
}

/** The id of the alert that `rule` raises about a log for this cause. */
export function alertId(rule: string, origin: string, ...cause: readonly string[]): string {
  return encodeHex(sha256(utf8(JSON.stringify([rule, origin, ...cause]))).subarray(0, 16));
}
