/**
 * Trust policies (C2SP tlog-policy): which logs to believe, and whose cosignatures they need.
 *
 *     log <vkey> [<url>]
 *     witness <name> <vkey> [<url>]
 *     group <name> all|any|<k> <member>...
 *     quorum <name>|none
 *
 * A policy is octets: names and URLs are carried as octet-text.ts says.
 */
import { concatBytes, utf8 } from '../encoding/bytes.ts';
import { parseDecimal } from '../encoding/integer.ts';
import { octetText, textOctets } from '../encoding/octet-text.ts';
import { DaybookError } from '../errors.ts';
import { parseCheckpoint, type Checkpoint } from '../note/checkpoint.ts';
import { openNote, parseNote, type OpenedSignature } from '../note/note.ts';
import { formatVkey, parseVkey, type NoteKeyType, type VerifierKey } from '../note/vkey.ts';
import type { SignatureVerifier } from '../signature/port.ts';

/** Room for hundreds of lines with ML-DSA-44 keys. */
export const MAX_POLICY_BYTES = 1024 * 1024;

const TAB = 0x09;
const NEWLINE = 0x0a;
const SPACE = 0x20;

export interface PolicyLog {
  /** The key's name is the log's origin. */
  readonly key: VerifierKey;
  readonly url?: string;
}

export interface PolicyWitness {
  /** Means something in this policy only. */
  readonly name: string;
  readonly key: VerifierKey;
  readonly url?: string;
}

export interface PolicyGroup {
  readonly name: string;
  /** How many of the members must have witnessed: from 1 to all of them. */
  readonly threshold: number;
  /** Names of witnesses, and of groups that stand before this one. */
  readonly members: readonly string[];
}

export interface TrustPolicy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: readonly PolicyGroup[];
  /** Name of a witness or group, or `none`. */
  readonly quorum: string;
}

export interface Cosignature {
  /** The policy's name for the witness. */
  readonly name: string;
  readonly key: VerifierKey;
  /** Seconds since 1970, as the witness says. */
  readonly timestamp: number;
}

export interface CheckedCheckpoint {
  /** Without extension lines where no signature of the log covers them. */
  readonly checkpoint: Checkpoint;
  /** The key of the policy by which the log signed. */
  readonly log: VerifierKey;
  /** All that verified, in the order of the policy's witnesses. */
  readonly cosignatures: readonly Cosignature[];
  /** The quorum that they reach, or `none`. */
  readonly quorum: string;
}

/**
 * Believes a checkpoint when a log of the policy signed it and the quorum cosigned it. Throws
 * `untrusted-checkpoint`, `signature-invalid` (a signature of any known key fails),
 * `quorum-missing`, and what parseNote and parseCheckpoint throw.
 */
export async function checkCheckpoint(
  noteBytes: Uint8Array,
  policy: TrustPolicy,
  verifier: SignatureVerifier,
): Promise<CheckedCheckpoint> {
  const note = parseNote(noteBytes);
  const checkpoint = parseCheckpoint(note.text);
  const keys = [...policy.logs, ...policy.witnesses].map(({ key }) => key);
  const opened = await openNote(note, keys, verifier);
  const signers = policy.logs
    .map(({ key }) => key)
    .filter((key) => key.name === checkpoint.origin && signedBy(key, opened) !== undefined);
  const log = signers.find(({ type }) => type === 0x01) ?? signers[0];
  if (!log) {
    throw new DaybookError(
      'untrusted-checkpoint',
      `no key of the policy for the log "${checkpoint.origin}" signed this checkpoint`,
    );
  }
  const cosignatures = policy.witnesses.flatMap(({ name, key }) => {
    // A cosignature without a time is no witness's answer (tlog-witness): it counts for nothing.
    const timestamp = signedBy(key, opened)?.timestamp;
    return timestamp === undefined ? [] : [{ name, key, timestamp }];
  });
  checkQuorum(policy, new Set(cosignatures.map(({ name }) => name)));
  // ML-DSA-44 leaves the extension lines unsigned: anyone may have written them.
  const signed = log.type === 0x01 ? checkpoint : { ...checkpoint, extensions: [] };
  return { checkpoint: signed, log, cosignatures, quorum: policy.quorum };
}

function signedBy(key: VerifierKey, opened: OpenedSignature[]): OpenedSignature | undefined {
  return opened.find((other) => other.key.name === key.name && other.key.keyId === key.keyId);
}

/** Whether the witnesses of these names reach the policy's quorum. */
export function reachesQuorum(
  { groups, quorum }: TrustPolicy,
  cosigners: ReadonlySet<string>,
): boolean {
  const witnessed = new Set(cosigners);
  // A group's members stand before it, so one pass is enough.
  for (const { name, threshold, members } of groups) {
    if (members.filter((member) => witnessed.has(member)).length >= threshold) witnessed.add(name);
  }
  return quorum === 'none' || witnessed.has(quorum);
}

function checkQuorum(policy: TrustPolicy, cosigners: ReadonlySet<string>): void {
  if (reachesQuorum(policy, cosigners)) return;
  const shown = [...cosigners].join(', ') || 'no witness';
  throw new DaybookError(
    'quorum-missing',
    `quorum "${policy.quorum}" is not reached: the checkpoint is cosigned by ${shown}`,
  );
}

/** A policy while its lines are read. */
interface Draft {
  readonly logs: PolicyLog[];
  readonly witnesses: PolicyWitness[];
  readonly groups: PolicyGroup[];
  quorum: string | undefined;
}

/** Throws `bad-policy` with the number of the line. */
export function parsePolicy(policy: Uint8Array | string): TrustPolicy {
  const bytes = typeof policy === 'string' ? utf8(policy) : policy;
  if (bytes.length > MAX_POLICY_BYTES) {
    throw badPolicy(`policy has ${bytes.length} bytes, want at most ${MAX_POLICY_BYTES}`);
  }
  const draft: Draft = { logs: [], witnesses: [], groups: [], quorum: undefined };
  split(bytes, NEWLINE).forEach((line, i) => {
    try {
      readLine(draft, line);
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw badPolicy(`policy line ${i + 1}: ${reason}`, cause);
    }
  });
  const { quorum } = draft;
  if (quorum === undefined) {
    throw badPolicy('policy has no quorum line: write "quorum none" to want no cosignatures');
  }
  return { ...draft, quorum };
}

function split(octets: Uint8Array, ...separators: readonly number[]): Uint8Array[] {
  const parts: Uint8Array[] = [];
  let start = 0;
  octets.forEach((octet, i) => {
    if (!separators.includes(octet)) return;
    parts.push(octets.subarray(start, i));
    start = i + 1;
  });
  return [...parts, octets.subarray(start)];
}

function readLine(draft: Draft, octets: Uint8Array): void {
  const wrong = octets.find((octet) => (octet < 0x20 && octet !== TAB) || octet === 0x7f);
  if (wrong !== undefined) throw badPolicy(`octet ${wrong} is not allowed`);
  const items = split(octets, SPACE, TAB).filter((item) => item.length > 0);
  const [keyword = '#', ...rest] = items.map(octetText);
  if (keyword.startsWith('#')) return;
  switch (keyword) {
    case 'log':
      return readLog(draft, rest);
    case 'witness':
      return readWitness(draft, rest);
    case 'group':
      return readGroup(draft, rest);
    case 'quorum':
      return readQuorum(draft, rest);
    default:
      throw badPolicy(`"${keyword}" is none of log, witness, group, quorum`);
  }
}

function readLog({ logs }: Draft, [vkey, url, ...more]: string[]): void {
  if (vkey === undefined || more.length > 0) throw badPolicy('want "log <vkey> [<url>]"');
  logs.push({ key: readKey(vkey, [0x01, 0x06], logs), ...(url === undefined ? {} : { url }) });
}

function readWitness(draft: Draft, [name, vkey, url, ...more]: string[]): void {
  if (name === undefined || vkey === undefined || more.length > 0) {
    throw badPolicy('want "witness <name> <vkey> [<url>]"');
  }
  checkNew(draft, name);
  const key = readKey(vkey, [0x04, 0x06], draft.witnesses);
  draft.witnesses.push({ name, key, ...(url === undefined ? {} : { url }) });
}

function readGroup(draft: Draft, [name, count, ...members]: string[]): void {
  if (name === undefined || count === undefined || members.length === 0) {
    throw badPolicy('want "group <name> all|any|<k> <member>..."');
  }
  checkNew(draft, name);
  const taken = new Set(draft.groups.flatMap((group) => group.members));
  for (const member of members) {
    checkDefined(draft, member);
    // So that each witness counts in one way only.
    if (taken.has(member)) throw badPolicy(`"${member}" is a member of a group already`);
    taken.add(member);
  }
  draft.groups.push({ name, threshold: readThreshold(count, members.length), members });
}

function readQuorum(draft: Draft, [name, ...more]: string[]): void {
  if (name === undefined || more.length > 0) throw badPolicy('want "quorum <name>|none"');
  if (draft.quorum !== undefined) throw badPolicy('this is the second quorum line');
  if (name !== 'none') checkDefined(draft, name);
  draft.quorum = name;
}

function isDefined({ witnesses, groups }: Draft, name: string): boolean {
  return [...witnesses, ...groups].some((other) => other.name === name);
}

function checkNew(draft: Draft, name: string): void {
  if (name === 'none') throw badPolicy('the name "none" is taken: it means no quorum');
  if (isDefined(draft, name)) throw badPolicy(`"${name}" is defined already`);
}

function checkDefined(draft: Draft, name: string): void {
  if (!isDefined(draft, name)) {
    throw badPolicy(`"${name}" is no witness or group of the lines before`);
  }
}

/** Duplicates are by public key, under whatever name: one signer must not have two voices. */
function readKey(
  vkey: string,
  types: readonly NoteKeyType[],
  others: readonly { readonly key: VerifierKey }[],
): VerifierKey {
  const key = parseVkey(vkey);
  if (!types.includes(key.type)) {
    throw badPolicy(`key of ${key.name} has type ${key.type}, want ${types.join(' or ')} here`);
  }
  if (others.some((other) => other.key.key.fingerprint === key.key.fingerprint)) {
    throw badPolicy(`the public key of ${key.name} is there already`);
  }
  return key;
}

function readThreshold(count: string, members: number): number {
  if (count === 'all') return members;
  const threshold = count === 'any' ? 1 : parseDecimal(count);
  if (threshold < 1 || threshold > members) {
    throw badPolicy(`threshold is ${threshold}, want 1 to ${members}`);
  }
  return threshold;
}

/** The octets that parsePolicy reads as this policy. */
export function formatPolicy({ logs, witnesses, groups, quorum }: TrustPolicy): Uint8Array {
  return concatBytes(
    ...logs.map(({ key, url }) => formatLine('log', formatVkey(key), url)),
    ...witnesses.map(({ name, key, url }) => formatLine('witness', name, formatVkey(key), url)),
    ...groups.map(({ name, threshold, members }) =>
      formatLine('group', name, String(threshold), ...members),
    ),
    formatLine('quorum', quorum),
  );
}

function formatLine(keyword: string, ...items: readonly (string | undefined)[]): Uint8Array {
  const rest = items.filter((item) => item !== undefined);
  const octets = rest.flatMap((item) => [Uint8Array.of(SPACE), textOctets(item)]);
  return concatBytes(utf8(keyword), ...octets, Uint8Array.of(NEWLINE));
}

function badPolicy(message: string, cause?: unknown): DaybookError {
  return new DaybookError('bad-policy', message, { cause });
}
