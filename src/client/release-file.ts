/**
 * Makes release and channel files (docs/formats.md) from a log that is not trusted: what it says of
 * itself is put in only where it is in the tree of a checkpoint that was verified.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { leafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { rfc6962 } from '../merkle/hash.ts';
import { proveMultiInclusion, verifyMultiInclusion } from '../merkle/multi-inclusion.ts';
import type { ReadHashes } from '../merkle/node.ts';
import {
  formatReleaseFile,
  MAX_RELEASE_ENTRIES,
  MAX_RELEASE_FILE_BYTES,
  parseReleaseFile,
  type ReleaseFile,
  type ReleaseEntry,
} from '../proof/release-file.ts';
import { channelPredicateType, checkChannelName, readChannel } from '../statement/channel.ts';
import type { PublicKey, SignatureVerifier } from '../signature/port.ts';
import { isEnvelopeSignedBy, parseEnvelope } from '../statement/dsse.ts';
import { parseStatement, type Statement } from '../statement/in-toto.ts';
import { lookupDigests } from '../statement/lookup-digests.ts';
import { provenancePredicateType, readProvenance } from '../statement/provenance.ts';
import type { Http } from '../http/outbound.ts';
import type { FindEntries } from './entry-finder.ts';
import type { HeadKeeper, TrustedHead } from './trusted-head.ts';

/** The tree that a release file is made from, and what to look for in it. */
export interface ReleaseTree {
  readonly head: TrustedHead;
  readonly find: FindEntries;
  /** Reads tiles that were verified against `head`. */
  readonly read: ReadHashes;
  readonly verifier: SignatureVerifier;
  /** Statements of these keys are wanted; of all when undefined. */
  readonly issuers: readonly PublicKey[] | undefined;
}

/** Source commitments whose reviews are looked for. */
const MAX_COMMITMENTS = 16;

/**
 * All statements in the tree that name a file with this digest, and all that name a source commitment
 * of its provenance, since reviews are about the source; of these, the wanted ones. Of more than a file takes, the newest. Throws
 * `not-found` when there is none, `inclusion-invalid` when the log lied.
 */
export async function makeReleaseFile(
  tree: ReleaseTree,
  sha256: Uint8Array,
  channels: readonly Uint8Array[],
): Promise<Uint8Array> {
  const about = await entriesAbout(tree, sha256);
  if (about.length === 0) {
    throw new DaybookError(
      'not-found',
      `no statement in ${tree.head.origin} (size ${tree.head.size}) names a file with SHA-256 ${encodeHex(sha256)}`,
    );
  }
  const found = new Map(about.map((entry) => [entry.index, entry]));
  for (const root of commitmentsIn(about)) {
    for (const entry of await entriesAbout(tree, root)) found.set(entry.index, entry);
  }
  const entries = [...found.values()].sort((a, b) => a.index - b.index).slice(-MAX_RELEASE_ENTRIES);
  return prove(tree, entries, channels);
}

/**
 * The newest statement of a channel that the log shows, as a channel file. Its checkpoint is trusted as
 * `heads` wants, and it is the channel's; who signed it is left to whoever has a policy. Throws
 * `not-found`, `bad-proof`, `inclusion-invalid`, `bad-statement`, and as `HeadKeeper.observed`.
 */
export async function fetchChannelFile(
  http: Http,
  heads: HeadKeeper,
  name: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { body, checkpoint, proof, only } = await fetchChannel(http, name, signal);
  const head = await heads.observed(checkpoint);
  const leaves = [{ index: only.index, hash: rfc6962.leaf(only.entry) }];
  verifyMultiInclusion({ leaves, size: head.size, proof, root: head.root });
  checkChannelEntry(only, name, head.origin);
  return body;
}

/**
 * A channel file of this statement, which nobody has verified, under the checkpoint of `tree`. Throws as
 * `fetchChannelFile`, and `not-found` when that checkpoint does not cover the statement yet.
 */
export async function makeChannelFile(
  tree: ReleaseTree,
  only: ReleaseEntry,
  name: string,
): Promise<Uint8Array> {
  if (only.index >= tree.head.size) {
    throw new DaybookError(
      'not-found',
      `the newest statement of the channel ${name}, entry ${only.index}, is not in the tree of size ${tree.head.size} yet: try again later`,
    );
  }
  checkChannelEntry(only, name, tree.head.origin);
  return prove(tree, [only], []);
}

/** A channel file as the log shows it: nothing of it is verified. */
export interface ShownChannel extends ReleaseFile {
  readonly body: Uint8Array;
  /** Its one entry. */
  readonly only: ReleaseEntry;
}

export async function fetchChannel(
  http: Http,
  name: string,
  signal?: AbortSignal,
): Promise<ShownChannel> {
  const { body } = await http.call(`channels/${checkChannelName(name)}`, {
    fresh: true,
    maxBytes: MAX_RELEASE_FILE_BYTES,
    signal,
  });
  const file = parseReleaseFile(body);
  const [only, ...others] = file.entries;
  if (only === undefined || others.length > 0 || file.channels.length > 0) {
    throw new DaybookError('bad-proof', `the file of the channel ${name} has more than one entry`);
  }
  return { ...file, body, only };
}

/** The newest statement of a channel among entries that come newest first. Throws `not-found`. */
export async function newestOfChannel(
  entries: AsyncIterable<readonly ReleaseEntry[]>,
  name: string,
  log: string,
): Promise<ReleaseEntry> {
  for await (const some of entries) {
    const found = some.findLast(({ entry }) => isOfChannel(entry, name, log));
    if (found !== undefined) return found;
  }
  throw new DaybookError('not-found', `no entry of ${log} is a statement of the channel ${name}`);
}

function isOfChannel(entry: Uint8Array, name: string, log: string): boolean {
  try {
    checkChannelEntry({ index: leafIndex(0), entry }, name, log);
    return true;
  } catch {
    return false;
  }
}

/** Throws `bad-statement` unless the entry is a statement of this channel of this log. */
function checkChannelEntry({ index, entry }: ReleaseEntry, name: string, log: string): void {
  const statement = statementIn(entry);
  if (statement?.predicateType !== channelPredicateType) {
    throw new DaybookError('bad-statement', `entry ${index} is no channel statement`);
  }
  const { origin, channel } = readChannel(statement);
  if (origin !== log || channel !== name) {
    throw new DaybookError(
      'bad-statement',
      `entry ${index} is of the channel ${channel} of ${origin}, want ${name} of ${log}`,
    );
  }
}

async function prove(
  { head, read }: ReleaseTree,
  entries: readonly ReleaseEntry[],
  channels: readonly Uint8Array[],
): Promise<Uint8Array> {
  const indexes = entries.map(({ index }) => index);
  const { leaves, proof } = await proveMultiInclusion(indexes, head.size, read);
  entries.forEach(({ index, entry }, i) => {
    if (equalBytes(rfc6962.leaf(entry), leaves[i]?.hash ?? new Uint8Array())) return;
    throw new DaybookError(
      'inclusion-invalid',
      `what the log sent as entry ${index} is not in its tree of size ${head.size}`,
    );
  });
  return formatReleaseFile({ checkpoint: head.note, entries, proof, channels });
}

/**
 * The newest wanted entries in the tree that name `digest`, as many as a file takes; what the log
 * wrongly counts among them is left out.
 */
async function entriesAbout(tree: ReleaseTree, digest: Uint8Array): Promise<ReleaseEntry[]> {
  const found: ReleaseEntry[] = [];
  for await (const entries of tree.find(digest)) {
    const wanted = await Promise.all(entries.map(({ entry }) => isWanted(tree, entry, digest)));
    found.push(...entries.filter((_, i) => wanted[i]));
    if (found.length >= MAX_RELEASE_ENTRIES) break;
  }
  return found;
}

async function isWanted(
  { issuers, verifier }: ReleaseTree,
  entry: Uint8Array,
  digest: Uint8Array,
): Promise<boolean> {
  if (!foundUnder(entry).some((other) => equalBytes(other, digest))) return false;
  return issuers === undefined || isEnvelopeSignedBy(parseEnvelope(entry), issuers, verifier);
}

function foundUnder(entry: Uint8Array): readonly Uint8Array[] {
  const statement = statementIn(entry);
  try {
    return statement === undefined ? [] : lookupDigests(statement);
  } catch {
    return [];
  }
}

/** Of provenance; each once. */
function commitmentsIn(entries: readonly ReleaseEntry[]): Uint8Array[] {
  const roots = new Map<string, Uint8Array>();
  for (const { entry } of entries) {
    const statement = statementIn(entry);
    if (statement?.predicateType !== provenancePredicateType) continue;
    for (const root of commitmentsOf(statement)) roots.set(encodeHex(root), root);
  }
  return [...roots.values()].slice(-MAX_COMMITMENTS);
}

function commitmentsOf(statement: Statement): readonly Uint8Array[] {
  try {
    return readProvenance(statement).commitments;
  } catch {
    return [];
  }
}

/** Undefined for what is no statement: an open log may hold anything. */
function statementIn(entry: Uint8Array): Statement | undefined {
  try {
    return parseStatement(parseEnvelope(entry).payload);
  } catch (error) {
    if (error instanceof DaybookError) return undefined;
    throw error;
  }
}
