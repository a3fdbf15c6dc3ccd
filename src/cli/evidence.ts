/** `daybook evidence`: whom an evidence file convicts, offline. */
import type { Command } from 'commander';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError, type ErrorCode } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { parseVkey, type VerifierKey } from '../note/vkey.ts';
import { isAccusation, verifyAccusation } from '../verify/accusation.ts';
import {
  MAX_EVIDENCE_BYTES,
  verifyEvidence,
  type Conviction,
  type EvidenceKeys,
} from '../verify/evidence.ts';
import { parsePolicy } from '../verify/policy.ts';
import { isReleasePolicy } from '../verify/release-policy.ts';
import { MAX_POLICY_DOCUMENT_BYTES, readPolicyDocument } from '../verify/signed-policy.ts';
import { readBytes } from './files.ts';
import { checkOptions, collect } from './options.ts';
import { asDaybookError, print, printJson } from './output.ts';

interface Options {
  readonly policy?: string;
  readonly vkey?: readonly string[];
  readonly witness?: readonly string[];
  readonly json?: true;
}

/** As `--json` prints it. Members may be added, none is taken away or changed. */
interface Report {
  readonly convicted: boolean;
  readonly file: string;
  /** Null when convicted; see docs/errors.md. */
  readonly code: ErrorCode | null;
  readonly exit: number;
  readonly reason: string | null;
  readonly origin?: string;
  readonly kind?: Conviction['kind'];
  readonly sizes?: readonly number[];
  /** Lowercase hex. */
  readonly roots?: readonly string[];
  readonly convictedWitnesses?: readonly string[];
}

export function register(program: Command): void {
  program
    .command('evidence')
    .description('Evidence against a log that signed two trees which cannot both be true.')
    .command('verify')
    .description(
      'Check offline whom FILE convicts: the log, and each witness that cosigned both trees.',
    )
    .argument('<FILE>', 'evidence file, as a monitor serves it')
    .option('--policy <F>', 'policy with the keys of the log and its witnesses')
    .option('--vkey <V>', 'public key of the log; give all that it has', collect)
    .option('--witness <V>', 'public key of a witness; may be repeated', collect)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExit code 0: convicted; 40: no evidence file; 41: it convicts nobody by these keys.',
    )
    .action(async (file: string, options: Options) => {
      try {
        const conviction = await convictionOf(file, options);
        if (options.json) printJson(reportOn(file, conviction));
        else printConviction(conviction);
      } catch (error) {
        if (!options.json) throw error;
        const { code, exit, message } = asDaybookError(error);
        printJson({ convicted: false, file, code, exit, reason: message } satisfies Report);
        process.exitCode = exit;
      }
    });
}

async function convictionOf(file: string, options: Options): Promise<Conviction> {
  const keys = await readKeys(options);
  const bytes = await readBytes(file, MAX_EVIDENCE_BYTES);
  if (!isAccusation(bytes)) return verifyEvidence(bytes, keys, nodeVerifier);
  const { origin, head, known, reason } = await verifyAccusation(bytes, keys.logKeys, nodeVerifier);
  throw new DaybookError(
    'not-convicted',
    `this is an accusation, not evidence: ${origin} did sign trees of sizes ${known.size} and ${head.size}, and whoever made the file says that it does not show how they belong together (${reason})`,
  );
}

/** Throws `bad-usage` unless a key of a log was given in some way. */
async function readKeys({ policy, vkey = [], witness = [] }: Options): Promise<EvidenceKeys> {
  checkOptions({
    '--vkey': () => vkey.map(parseVkey),
    '--witness': () => witness.map(parseVkey),
  });
  const given = { logKeys: vkey.map(parseVkey), witnessKeys: witness.map(parseVkey) };
  const named = policy === undefined ? { logKeys: [], witnessKeys: [] } : await keysIn(policy);
  const logKeys = [...named.logKeys, ...given.logKeys];
  if (logKeys.length === 0) {
    throw new DaybookError('bad-usage', "want the log's public keys: --policy F or --vkey V");
  }
  return { logKeys, witnessKeys: [...named.witnessKeys, ...given.witnessKeys] };
}

/** Of a tlog-policy or a release policy. */
async function keysIn(path: string): Promise<Record<'logKeys' | 'witnessKeys', VerifierKey[]>> {
  const bytes = await readBytes(path, MAX_POLICY_DOCUMENT_BYTES);
  const { logs, witnesses } = isReleasePolicy(bytes)
    ? (await readPolicyDocument(bytes, nodeVerifier)).trust
    : parsePolicy(bytes);
  return { logKeys: logs.map(({ key }) => key), witnessKeys: witnesses.map(({ key }) => key) };
}

function reportOn(file: string, conviction: Conviction): Report {
  const { origin, kind, sizes, roots, convictedWitnesses } = conviction;
  const found = { origin, kind, sizes, roots: roots.map(encodeHex), convictedWitnesses };
  return { convicted: true, file, code: null, exit: 0, reason: null, ...found };
}

function printConviction({ origin, kind, sizes, roots, convictedWitnesses }: Conviction): void {
  const what =
    kind === 'same-size'
      ? 'two trees of one size'
      : 'two trees, the larger of which does not continue the smaller';
  print(`CONVICTED  the log ${origin} signed ${what}`);
  sizes.forEach((size, i) => print(`  size ${size}, root ${encodeHex(roots[i] ?? roots[0])}`));
  for (const name of convictedWitnesses) print(`CONVICTED  the witness ${name} cosigned both`);
}
