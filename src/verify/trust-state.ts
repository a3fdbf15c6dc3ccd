/**
 * What a client has seen, so that nothing older is accepted later: tree heads, channel sequences,
 * releases, the policy's version, a time. Two lines: JSON, and its SHA-256, since a damaged state must
 * not pass for an older one.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import * as z from 'zod';
import { concatBytes, decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { parseStrictJson } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const schema = z.strictObject({
  version: z.literal(1),
  time: z.int().nonnegative(),
  policyVersion: z.int().nonnegative(),
  heads: z.record(z.string(), z.strictObject({ size: z.int().nonnegative(), root: hash })),
  channels: z.record(z.string(), z.strictObject({ sequence: z.int().min(1), leafHash: hash })),
  releases: z.record(z.string(), z.int().nonnegative()),
});

export interface TrustState {
  /** Latest quorum time that was seen, in seconds since 1970; never from the client's own clock. */
  readonly time: number;
  readonly policyVersion: number;
  /** By origin; `root` in lowercase hex, as is `leafHash`. */
  readonly heads: Readonly<Record<string, { readonly size: number; readonly root: string }>>;
  /** By origin and channel, `<origin> <channel>`. */
  readonly channels: Readonly<
    Record<string, { readonly sequence: number; readonly leafHash: string }>
  >;
  /** Index of the newest release that was accepted, by `<origin> <product>`. */
  readonly releases: Readonly<Record<string, number>>;
}

export const emptyTrustState: TrustState = {
  time: 0,
  policyVersion: 0,
  heads: {},
  channels: {},
  releases: {},
};

export const MAX_TRUST_STATE_BYTES = 16 * 1024 * 1024;

/** Throws `state-unreadable`: the caller must then accept nothing. */
export function parseTrustState(bytes: Uint8Array): TrustState {
  try {
    const text = decodeUtf8(bytes);
    const [json = ''] = text.split('\n', 1);
    if (text !== `${json}\n${encodeHex(sha256(utf8(json)))}\n`) {
      throw new DaybookError('state-unreadable', 'its second line is not the SHA-256 of its first');
    }
    const state = schema.parse(parseStrictJson(utf8(json), { maxDepth: 8 }));
    const { time, policyVersion, heads, channels, releases } = state;
    return { time, policyVersion, heads, channels, releases };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DaybookError('state-unreadable', `the trust state is damaged: ${reason}`, { cause });
  }
}

export function formatTrustState(state: TrustState): Uint8Array {
  const { time, policyVersion, heads, channels, releases } = state;
  const json = utf8(JSON.stringify({ version: 1, time, policyVersion, heads, channels, releases }));
  return concatBytes(json, utf8(`\n${encodeHex(sha256(json))}\n`));
}
