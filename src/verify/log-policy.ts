/** The policy of whoever was given nothing but a log's keys. */
import { formatVkey, parseVkey } from '../note/vkey.ts';
import { parsePolicy, type TrustPolicy } from './policy.ts';

/** Trusts the logs of these vkeys, without cosignatures. Throws `bad-key`, `bad-note` or `bad-policy`. */
export function policyOfLogs(vkeys: readonly string[]): TrustPolicy {
  // Read and written again, so that no vkey can smuggle in a line of its own.
  const lines = vkeys.map((vkey) => `log ${formatVkey(parseVkey(vkey))}\n`);
  return parsePolicy(`${lines.join('')}quorum none\n`);
}
