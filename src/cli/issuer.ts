/**
 * `daybook issuer`: admission entries, signed by the registrar here and logged by the running log.
 * Each carries the next sequence number, so that none can be replayed.
 */
import { Option, type Command } from 'commander';
import { DaybookError } from '../errors.ts';
import { readKeyFile, readPublicKeyFile } from '../keys/key-file.ts';
import type { Signer } from '../signature/port.ts';
import { publicKeyFromSpki } from '../signature/public-key.ts';
import { formatEnvelope, signEnvelope } from '../statement/dsse.ts';
import { inTotoPayloadType } from '../statement/in-toto.ts';
import { issuerStatement, roles as allRoles, type Role } from '../statement/issuer.ts';
import { print, printJson } from './output.ts';
import { RunningLog, type Admission, type AdmittedIssuer } from './running-log.ts';

interface Options {
  readonly data: string;
  readonly registrar?: readonly string[];
  readonly name?: string;
  readonly key?: string;
  readonly role?: readonly Role[];
  readonly purl?: readonly string[];
  readonly json?: true;
}

/** An admission entry but for what the log's state adds to it. */
type Change = Omit<Parameters<typeof issuerStatement>[0], 'origin' | 'sequence'>;

/** Others may admit issuers at the same time; more often than this in a row is no coincidence. */
const MAX_TRIES = 8;

export function register(program: Command): void {
  const issuer = program
    .command('issuer')
    .description('Who may log what: admission entries, signed by the registrar, of a running log.');
  changing(issuer, 'add', 'admit a key for the products that it may release')
    .requiredOption('--name <N>', "issuer's name")
    .requiredOption('--key <F.pub>', "issuer's public key")
    .requiredOption('--purl <scope...>', "products, such as 'pkg:generic/acme/*'")
    .addOption(roleOption().default(['release']))
    .action((options: Options) => apply(options, () => addition(options)));
  changing(issuer, 'change', 'change the name, roles or products of an admitted key')
    .option('--name <N>', "issuer's name: of the one to change, or the new one with --key")
    .option('--key <F.pub>', "issuer's public key")
    .option('--purl <scope...>', 'products, instead of those it has')
    .addOption(roleOption())
    .action((options: Options) => apply(options, (admission) => alteration(options, admission)));
  changing(issuer, 'revoke', 'end a key for good; what it logged stays')
    .option('--name <N>', "issuer's name")
    .option('--key <F.pub>', "issuer's public key")
    .action((options: Options) => apply(options, (admission) => revocation(options, admission)));
  issuer
    .command('list')
    .description('list the issuers')
    .requiredOption('--data <DIR>', 'data directory of the running log')
    .option('--json', 'print them as JSON')
    .action(list);
}

function changing(issuer: Command, name: string, description: string): Command {
  return issuer
    .command(name)
    .description(description)
    .requiredOption('--data <DIR>', 'data directory of the running log')
    .option('--registrar <F...>', 'private keys of the registrar (default: DIR/registrar.key)');
}

function roleOption(): Option {
  return new Option('--role <role...>', 'what it may say').choices(allRoles);
}

/** Asks for the state, signs the change that fits it and logs it, until nobody was faster. */
async function apply(
  options: Options,
  changeFor: (admission: Admission) => Promise<Change>,
): Promise<void> {
  const log = await RunningLog.find(options.data);
  const signers = await Promise.all(
    (options.registrar ?? [log.files.registrarKey]).map((path) => readKeyFile(path)),
  );
  for (let attempt = 1; ; attempt++) {
    const admission = await log.admission();
    if (admission.mode === 'open') {
      throw new DaybookError(
        'bad-usage',
        `the log ${log.origin} is open to everybody: it has no issuers`,
      );
    }
    const change = await changeFor(admission);
    const { name, action } = change;
    if (isDone(change, admission)) {
      print(`nothing to do: ${name} (${change.key.fingerprint}) is like that already`);
      return;
    }
    const statement = { ...change, origin: log.origin, sequence: admission.sequence + 1 };
    const envelope = await signEnvelope(
      inTotoPayloadType,
      issuerStatement(statement),
      registrarSigners(admission, signers),
    );
    try {
      const { index } = await log.submit(formatEnvelope(envelope));
      print(
        `${pastTense[action]} ${name} (${change.key.fingerprint}): entry ${index} of ${log.origin}`,
      );
      return;
    } catch (error) {
      const conflict = error instanceof DaybookError && error.code === 'admission-conflict';
      if (!conflict || attempt === MAX_TRIES) throw error;
    }
  }
}

const pastTense = { admit: 'admitted', change: 'changed', revoke: 'revoked' } as const;

async function addition({ name = '', key = '', purl = [], role = [] }: Options): Promise<Change> {
  return { action: 'admit', name, key: await readPublicKeyFile(key), roles: role, purls: purl };
}

async function alteration(options: Options, admission: Admission): Promise<Change> {
  const issuer = await find(options, admission);
  const { name = issuer.name, role = issuer.roles as Role[], purl = issuer.purls } = options;
  return { action: 'change', name, key: publicKeyFromSpki(issuer.spki), roles: role, purls: purl };
}

async function revocation(options: Options, admission: Admission): Promise<Change> {
  const { name, spki } = await find(options, admission);
  return { action: 'revoke', name, key: publicKeyFromSpki(spki) };
}

async function find({ key, name }: Options, { issuers }: Admission): Promise<AdmittedIssuer> {
  if (key === undefined && name === undefined) {
    throw new DaybookError('bad-usage', 'say which issuer: give --name or --key');
  }
  const fingerprint = key === undefined ? undefined : (await readPublicKeyFile(key)).fingerprint;
  const found = issuers.filter((issuer) =>
    fingerprint === undefined
      ? issuer.name === name && !issuer.revoked
      : issuer.fingerprint === fingerprint,
  );
  if (found.length === 1) return found[0] as AdmittedIssuer;
  throw new DaybookError(
    'bad-usage',
    `${found.length} issuers are meant by ${key ?? `"${name}"`}, want one; \`daybook issuer list\` shows them`,
  );
}

/** A repeated command, after a lost answer too, finds its work done. */
function isDone(
  { action, name, key, roles = [], purls = [] }: Change,
  { issuers }: Admission,
): boolean {
  const issuer = issuers.find(({ fingerprint }) => fingerprint === key.fingerprint);
  if (issuer === undefined || action === 'revoke') return issuer?.revoked === true;
  return (
    !issuer.revoked &&
    issuer.name === name &&
    sameSet(issuer.roles, roles) &&
    sameSet(issuer.purls, purls)
  );
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  const [left, right] = [new Set(a), new Set(b)];
  return left.size === right.size && a.every((item) => right.has(item));
}

/** Exactly as many registrar keys as the log wants. */
function registrarSigners({ registrar }: Admission, signers: readonly Signer[]): readonly Signer[] {
  const keys = new Set(registrar.keys.map(({ fingerprint }) => fingerprint));
  const wrong = signers.find(({ publicKey }) => !keys.has(publicKey.fingerprint));
  if (wrong !== undefined) {
    throw new DaybookError(
      'not-admitted',
      `key ${wrong.publicKey.fingerprint} is none of this log's registrar (${[...keys].join(', ')})`,
    );
  }
  if (signers.length < registrar.threshold) {
    throw new DaybookError(
      'bad-usage',
      `this log's registrar signs with ${registrar.threshold} keys, got ${signers.length}: give them all with --registrar`,
    );
  }
  return signers.slice(0, registrar.threshold);
}

async function list({ data, json }: Options): Promise<void> {
  const { issuers } = await (await RunningLog.find(data)).admission();
  if (json) {
    printJson(
      issuers.map(({ spki, ...issuer }) => ({
        ...issuer,
        key: Buffer.from(spki).toString('base64'),
      })),
    );
    return;
  }
  if (issuers.length === 0) print('no issuer is admitted yet');
  for (const { name, fingerprint, roles, purls, revoked } of issuers) {
    print(
      `${name}${revoked ? ' (revoked)' : ''}`,
      `  key    ${fingerprint}`,
      `  roles  ${roles.join(', ')}`,
      `  purls  ${purls.join(' ')}`,
    );
  }
}
