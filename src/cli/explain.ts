/** `daybook policy explain`: why a file passes or fails a release policy, rule by rule. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { errorKinds } from '../errors.ts';
import { nodeSha256 } from '../keys/node-hasher.ts';
import { MAX_MANIFEST_BYTES } from '../verify/manifest.ts';
import { MAX_POLICY_DOCUMENT_BYTES } from '../verify/signed-policy.ts';
import { isDirectory } from './directory.ts';
import { hashFile } from './file-hash.ts';
import { readBytes } from './files.ts';
import { print, printJson } from './output.ts';
import {
  printRules,
  readJudge,
  withReleaseOptions,
  type ReleaseOptions,
} from './release-verdict.ts';
import { trustFile, withTrustState } from './trust-file.ts';

interface Options extends ReleaseOptions {
  readonly json?: true;
}

export function registerExplain(policy: Command): void {
  const command = policy
    .command('explain')
    .description('Say why FILE passes or fails, rule by rule, with the entries that show it.')
    .argument('<FILE>', 'file, or directory with its manifest')
    .requiredOption('--policy <F>', 'release policy');
  withReleaseOptions(command)
    .option('--json', 'print the verdict as JSON')
    .addHelpText('after', '\nNothing is remembered: explaining a release does not accept it.')
    .action(explain);
}

async function explain(path: string, options: Options): Promise<void> {
  const directory = await isDirectory(path);
  const base = directory ? resolve(path) : path;
  const policy = await readBytes(options.policy, MAX_POLICY_DOCUMENT_BYTES);
  const judge = await readJudge(base, policy, options);
  const sha256 = directory
    ? nodeSha256(await readBytes(`${base}.SHA256SUMS`, MAX_MANIFEST_BYTES))
    : await hashFile(path);
  const verdict = await withTrustState(trustFile(options.state), async (state) => ({
    result: await judge.judge(sha256, state),
    state,
  }));
  const { ok, code, rules, warnings, release } = verdict;
  if (options.json)
    printJson({ ok, code: code ?? null, rules, warnings, release: release ?? null });
  else {
    printRules(verdict);
    print(ok ? `PASSES  ${path}` : `FAILS   ${path} (${code})`);
  }
  process.exitCode = code === undefined ? 0 : errorKinds[code].exit;
}
