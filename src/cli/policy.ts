/** `daybook policy`: release policies, from a draft to the newest one in the field. */
import type { Command } from 'commander';
import { errorKinds } from '../errors.ts';
import { readKeyFile } from '../keys/key-file.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { formatEnvelope, signEnvelope, type Envelope } from '../statement/dsse.ts';
import { checkPolicy } from '../verify/check-policy.ts';
import { describePolicy } from '../verify/describe-policy.ts';
import type { PolicyFinding } from '../verify/policy-finding.ts';
import { parseReleasePolicy, type ReleasePolicy } from '../verify/release-policy.ts';
import {
  isSignedPolicy,
  MAX_POLICY_DOCUMENT_BYTES,
  parsePolicyEnvelope,
  policyPayloadType,
  policySigners,
} from '../verify/signed-policy.ts';
import { registerExplain } from './explain.ts';
import { readBytes, writeAtomically } from './files.ts';
import { note, print, printJson } from './output.ts';
import { updatePolicy } from './policy-update.ts';

export function register(program: Command): void {
  const policy = program
    .command('policy')
    .description('Release policies: what a client demands before it installs.');
  policy
    .command('check')
    .description('Say in sentences what a policy demands, and what is wrong or weak in it.')
    .argument('<F>', 'release policy, signed or not')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExit code 11 when an error was found, 0 for warnings only.')
    .action(check);
  policy
    .command('sign')
    .description('Sign a policy with root keys; each holder of one may add a signature in turn.')
    .argument('<F>', 'release policy, as JSON or signed already')
    .requiredOption('--key <K...>', 'private root keys, of this policy or of the one before')
    .requiredOption('--out <G>', 'signed policy to write')
    .action(sign);
  policy
    .command('update')
    .description('Walk from the version that is there to the newest, verifying each in its turn.')
    .requiredOption('--policy <G>', 'policy to update; it is replaced as a whole')
    .requiredOption('--from <DIR|URL>', 'where <version>.policy files are')
    .option('--state <DIR>', 'where it is remembered what was seen (default: XDG state)')
    .action(updatePolicy);
  registerExplain(policy);
}

interface Draft {
  readonly policy: ReleasePolicy;
  readonly envelope: Envelope;
}

/** A policy as it is written, however many have signed it yet. */
async function readDraft(path: string): Promise<Draft> {
  const bytes = await readBytes(path, MAX_POLICY_DOCUMENT_BYTES);
  const envelope = isSignedPolicy(bytes)
    ? parsePolicyEnvelope(bytes)
    : { payloadType: policyPayloadType, payload: bytes, signatures: [] };
  return { policy: parseReleasePolicy(envelope.payload), envelope };
}

async function check(path: string, { json }: { json?: true }): Promise<void> {
  const { policy, envelope } = await readDraft(path);
  const sentences = describePolicy(policy);
  const findings = [...(await checkSignatures(policy, envelope)), ...checkPolicy(policy)];
  const ok = findings.every(({ severity }) => severity !== 'error');
  if (json) printJson({ ok, version: policy.version, sentences, findings });
  else {
    print(...sentences, '');
    for (const { severity, code, message } of findings) {
      print(`${severity.padEnd(7)}  ${code.padEnd(20)}  ${message}`);
    }
    if (findings.length === 0) print('nothing is wrong or weak in it');
  }
  if (!ok) process.exitCode = errorKinds['bad-policy'].exit;
}

async function checkSignatures(
  { root }: ReleasePolicy,
  envelope: Envelope,
): Promise<PolicyFinding[]> {
  if (envelope.signatures.length === 0 || root === undefined) return [];
  const signers = await policySigners(envelope, root, nodeVerifier);
  if (signers.length >= root.threshold) return [];
  const message = `it is signed by ${signers.join(', ') || 'none'} of its own root keys, want ${root.threshold}; sign it with \`daybook policy sign\``;
  return [{ severity: 'error', code: 'policy-unsigned', message }];
}

async function sign(path: string, options: { key: readonly string[]; out: string }): Promise<void> {
  const { policy, envelope } = await readDraft(path);
  const signers = await Promise.all(options.key.map((key) => readKeyFile(key)));
  const added = await signEnvelope(policyPayloadType, envelope.payload, signers);
  const fingerprints = new Set(added.signatures.map(({ keyid }) => keyid));
  const kept = envelope.signatures.filter(({ keyid }) => !fingerprints.has(keyid));
  const bytes = formatEnvelope({ ...added, signatures: [...kept, ...added.signatures] });
  const signed = parsePolicyEnvelope(bytes);
  await writeAtomically(options.out, bytes);

  const names = new Map([...policy.keys.values()].map(({ name, key }) => [key.fingerprint, name]));
  for (const fingerprint of fingerprints) {
    if (names.has(fingerprint)) continue;
    note(`The key ${fingerprint} is not in this policy: it counts for the version before only.`);
  }
  const errors = checkPolicy(policy).filter(({ severity }) => severity === 'error');
  for (const { code, message } of errors) note(`error  ${code}  ${message}`);
  const { root, version } = policy;
  if (root === undefined) {
    note('This policy names no root keys: clients refuse it as a signed one. Add "root".');
    return;
  }
  const counted = await policySigners(signed, root, nodeVerifier);
  print(
    `${options.out}: version ${version}, signed by ${counted.join(', ') || 'none'} of its own root keys, which need ${root.threshold}`,
  );
}
