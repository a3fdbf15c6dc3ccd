/** The audit of a log from its beginning, in a process of its own: argv is URL, vkey, `signed` or `unsigned`. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { nodeVerifier } from '../src/keys/node-verifier.ts';
import { WatchedLog } from '../src/monitor/watched-log.ts';
import { openRecordStore } from '../src/store/record-store.ts';
import { policyOfLogs } from '../src/verify/log-policy.ts';
import { scratch } from './server-process.ts';

const [url = '', vkey = '', kind] = process.argv.slice(2);
const policy = policyOfLogs([vkey]);
const origin = policy.logs[0]?.key.name ?? '';
const directory = await scratch();
const records = await openRecordStore(join(directory, 'state'), { create: true });
const none = (): void => undefined;
const log = await WatchedLog.open({
  config: { origin, policy, url, mirrors: [], cosigned: false, quietBelow: 0 },
  records,
  raise: none,
  rules: { entry: none, head: none, tick: none },
  // All but the signatures: what is fetched is hashed to the root, parsed, and judged by its claims.
  ...(kind === 'unsigned' && { verifier: { ...nodeVerifier, verify: verifyLogOnly } }),
});
const started = performance.now();
await log.poll();
const seconds = (performance.now() - started) / 1000;
const { audited, findings, problem } = log.status();
if (findings > 0 || problem !== undefined) throw new Error(`${findings} findings; ${problem}`);
await records.close();
await rm(directory, { recursive: true });
const rssMB = Math.round((process.resourceUsage().maxRSS * 1024) / 1e6);
process.stdout.write(JSON.stringify({ entries: audited, seconds, rssMB }));

async function verifyLogOnly(...signed: Parameters<typeof nodeVerifier.verify>): Promise<boolean> {
  const [key] = signed;
  const isLog = policy.logs.some((trusted) => trusted.key.key.fingerprint === key.fingerprint);
  return isLog ? nodeVerifier.verify(...signed) : true;
}
