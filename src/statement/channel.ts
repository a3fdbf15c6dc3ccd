/**
 * Channel statements: all that is current and all that is withdrawn, complete and expiring, as TUF's
 * timestamp and snapshot roles are. Inclusion can not prove that nothing came later; this can.
 *
 *     "subject":[{"name":"acme/stable","digest":{"sha256":"<SHA-256 of the name>"}}],
 *     "predicateType":"urn:daybook:predicate:channel:v1",
 *     "predicate":{"origin":"log.acme.example","channel":"acme/stable","kind":"releases","sequence":2,
 *       "previous":17,"issued":"2026-11-24T10:00:00Z","expires":"2026-11-25T11:00:00Z",
 *       "current":[{"purl":"pkg:generic/acme/scanner@1.2.3","sha256":["5891…"]}],
 *       "withdrawn":[{"sha256":"0263…","purl":"pkg:generic/acme/scanner@1.2.2","reason":"CVE-2026-1"}]}
 *
 * Unlike in other predicates, unknown members are refused.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import type { JsonValue } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import { formatStatement, type Statement } from './in-toto.ts';
import { type Purl, parsePurl } from './purl.ts';
import { shape } from './shape.ts';
import { formatTime, parseTime } from './timestamp.ts';

/** A vendor's channel lists releases; a supervisor's lists what it approved and what it rejected. */
export type ChannelKind = 'releases' | 'approvals';
export const channelKinds: readonly ChannelKind[] = ['releases', 'approvals'];

export interface ListedRelease {
  /** With a version. */
  readonly purl: Purl;
  /** Of its artifacts, or of the one manifest that names them; 32 bytes each, at least one. */
  readonly sha256: readonly Uint8Array[];
}

export interface ListedWithdrawal {
  readonly sha256: Uint8Array;
  readonly purl: Purl | undefined;
  readonly reason: string;
}

export interface ChannelLink {
  readonly name: string;
  /** 1 for the first statement of the channel, and 1 more for each one after it. */
  readonly sequence: number;
  /** Index of the statement before; undefined for the first one. */
  readonly previous: LeafIndex | undefined;
}

export interface ChannelState {
  readonly origin: string;
  readonly channel: string;
  readonly kind: ChannelKind;
  readonly sequence: number;
  readonly previous: LeafIndex | undefined;
  /** Seconds since 1970, as is `expires`. */
  readonly issued: number;
  readonly expires: number;
  readonly current: readonly ListedRelease[];
  /** Withdrawn by the vendor; in a channel of kind `approvals`, rejected by the supervisor. */
  readonly withdrawn: readonly ListedWithdrawal[];
}

/** A channel's content before it is signed: digests and purls as text. */
export interface ChannelContent {
  readonly current: readonly { readonly purl: string; readonly sha256: readonly string[] }[];
  readonly withdrawn: readonly {
    readonly sha256: string;
    readonly purl?: string | undefined;
    readonly reason: string;
  }[];
}

export const channelPredicateType = 'urn:daybook:predicate:channel:v1';
const namePattern = /^[a-z0-9][a-z0-9._-]*(?:\/[a-z0-9][a-z0-9._-]*){1,3}$/;
const maxNameLength = 128;
const maxReasonLength = 1024;
/** Above what fits an entry, so that only an array's type is checked. */
const anyNumber = 65_535;
const { object, array, string, integer, only, within } = shape('bad-statement');

/** Throws `bad-statement` for what is no channel's name, such as `acme/stable`. */
export function checkChannelName(name: string): string {
  if (name.length > maxNameLength || !namePattern.test(name)) {
    throw new DaybookError(
      'bad-statement',
      `"${name.slice(0, 140)}" is no channel name, want one such as acme/stable: 2 to 4 parts of a-z, 0-9, ".", "_" and "-", at most ${maxNameLength} characters`,
    );
  }
  return name;
}

/** What an issuer's scopes must hold to publish the channel. */
export function channelPurl(name: string): Purl {
  return parsePurl(`pkg:channel/${checkChannelName(name)}`);
}

/** The subject's digest, under which all statements of a channel are found. */
export function channelDigest(name: string): Uint8Array {
  return sha256(utf8(name));
}

/** Payload bytes; the same facts give the same bytes. Throws `bad-statement`. */
export function channelStatement(
  state: Omit<ChannelState, 'current' | 'withdrawn'> & ChannelContent,
): Uint8Array {
  const { channel, issued, expires, previous } = state;
  const current = state.current
    .map(({ purl, sha256: digests }) => ({ purl, sha256: [...digests].sort() }))
    .sort((a, b) => inOrder(a.purl, b.purl) || inOrder(a.sha256.join(), b.sha256.join()));
  const withdrawn = [...state.withdrawn]
    .map(({ sha256: digest, purl, reason }) => ({ sha256: digest, purl, reason }))
    .sort((a, b) => inOrder(a.sha256, b.sha256));
  const statement: Statement = {
    subject: [{ name: checkChannelName(channel), sha256: channelDigest(channel) }],
    predicateType: channelPredicateType,
    predicate: {
      origin: state.origin,
      channel,
      kind: state.kind,
      sequence: state.sequence,
      previous: previous ?? null,
      issued: formatTime(issued),
      expires: formatTime(expires),
      current,
      withdrawn,
    },
  };
  readChannel(statement);
  return formatStatement(statement);
}

/** Reads a statement of `channelPredicateType`. Throws `bad-statement`. */
export function readChannel({ subject, predicate }: Statement): ChannelState {
  only(
    predicate,
    [
      'origin',
      'channel',
      'kind',
      'sequence',
      'previous',
      'issued',
      'expires',
      'current',
      'withdrawn',
    ],
    'channel statement',
  );
  const channel = checkChannelName(string(predicate.channel, 'channel'));
  const [named] = subject;
  if (
    subject.length !== 1 ||
    named?.name !== channel ||
    !equalBytes(named.sha256, channelDigest(channel))
  ) {
    throw refuse(`its one subject is the channel's name, with the SHA-256 of "${channel}"`);
  }
  const kind = channelKinds.find((known) => known === predicate.kind);
  if (kind === undefined) throw refuse(`its kind is none of ${channelKinds.join(', ')}`);
  const sequence = integer(predicate.sequence, 'sequence', 1);
  const previous =
    predicate.previous === null ? undefined : leafIndex(integer(predicate.previous, 'previous', 0));
  if ((sequence === 1) !== (previous === undefined)) {
    throw refuse('the first statement of a channel has previous null, every other one an index');
  }
  const issued = parseTime(predicate.issued, 'issued');
  const expires = parseTime(predicate.expires, 'expires');
  if (expires <= issued) throw refuse('it expires no later than it was issued');
  const current = array(predicate.current, 'current', anyNumber).map(parseListed);
  const withdrawn = array(predicate.withdrawn, 'withdrawn', anyNumber).map(parseWithdrawn);
  refuseTwice([
    ...current.flatMap((listed) => listed.sha256),
    ...withdrawn.map((listed) => listed.sha256),
  ]);
  const origin = string(predicate.origin, 'origin');
  return { origin, channel, kind, sequence, previous, issued, expires, current, withdrawn };
}

/**
 * May this statement come next in its channel? `indexOf` gives the index of the statement that the log
 * has of a channel and sequence. Throws `channel-conflict`.
 */
export function checkChannelLink(
  { name, sequence, previous }: ChannelLink,
  indexOf: (name: string, sequence: number) => LeafIndex | undefined,
): void {
  const taken = indexOf(name, sequence);
  if (taken !== undefined) {
    throw new DaybookError(
      'channel-conflict',
      `the channel ${name} has a statement of sequence ${sequence} already, entry ${taken}: read the newest one and sign the next`,
    );
  }
  if (sequence === 1) return;
  const before = indexOf(name, sequence - 1);
  if (before === undefined || before !== previous) {
    throw new DaybookError(
      'channel-conflict',
      `the statement ${sequence} of the channel ${name} names entry ${previous} as the one before it, but ${before === undefined ? 'the log has none' : `that is entry ${before}`} of sequence ${sequence - 1}`,
    );
  }
}

function parseListed(value: JsonValue, position: number): ListedRelease {
  const what = `current[${position}]`;
  const listed = object(value, what);
  only(listed, ['purl', 'sha256'], what);
  const purl = parsePurl(string(listed.purl, `${what}.purl`));
  if (purl.version === undefined) throw refuse(`${what}.purl "${purl.text}" has no version`);
  const digests = array(listed.sha256, `${what}.sha256`, anyNumber);
  if (digests.length === 0) throw refuse(`${what} names no digest`);
  return { purl, sha256: digests.map((digest) => parseDigest(digest, `${what}.sha256`)) };
}

function parseWithdrawn(value: JsonValue, position: number): ListedWithdrawal {
  const what = `withdrawn[${position}]`;
  const listed = object(value, what);
  only(listed, ['sha256', 'purl', 'reason'], what);
  const reason = string(listed.reason, `${what}.reason`, maxReasonLength);
  if (reason.trim() === '') throw refuse(`${what} has no reason`);
  return {
    sha256: parseDigest(listed.sha256, `${what}.sha256`),
    purl: listed.purl === undefined ? undefined : parsePurl(string(listed.purl, `${what}.purl`)),
    reason,
  };
}

function parseDigest(value: JsonValue | undefined, what: string): Uint8Array {
  const digest = within(what, () => decodeHex(string(value, what)));
  if (digest.length !== 32) throw refuse(`${what} has ${digest.length} bytes, want 32`);
  return digest;
}

function refuseTwice(digests: readonly Uint8Array[]): void {
  const seen = new Set<string>();
  for (const digest of digests.map(encodeHex)) {
    if (seen.has(digest)) throw refuse(`it lists ${digest} twice`);
    seen.add(digest);
  }
}

function inOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function refuse(problem: string): DaybookError {
  return new DaybookError('bad-statement', `channel statement refused: ${problem}`);
}
