/** What attacks are made of: one change to a draft that would pass. */
import { emptyTrustState, type TrustState } from '../../../src/verify/trust-state.ts';
import { decodeUtf8, utf8 } from '../../../src/encoding/bytes.ts';
import { encodeHex } from '../../../src/encoding/hex.ts';
import { formatReleaseFile, parseReleaseFile } from '../../../src/proof/release-file.ts';
import {
  artifact,
  DAY,
  NOW,
  type Scene,
  type ChannelDraft,
  type Draft,
  type Files,
  type Made,
} from '../release-scene.ts';
import { sha256 } from '../released.ts';

export const other = sha256('another build');
export const otherTree = sha256('another tree');
export const elsewhere = [{ name: 'scanner.bin', sha256: other }];
export const seen = (changes: Partial<TrustState>): TrustState => ({
  ...emptyTrustState,
  ...changes,
});
export const stable = (draft: Draft): ChannelDraft => draft.channels.stable!;

/** Changes the release file after it was made. */
export function tamper(
  draft: Draft,
  change: (file: Mutable<ReturnType<typeof parseReleaseFile>>, made: Made) => void | Promise<void>,
): void {
  draft.given = async ({ proof, channels }, made) => {
    const file = { ...parseReleaseFile(proof) };
    await change(file, made);
    return { proof: formatReleaseFile(file), channels };
  };
}
export type Mutable<T> = { -readonly [Member in keyof T]: T[Member] };

export function give(
  draft: Draft,
  given: (files: Files, made: Made) => Files | Promise<Files>,
): void {
  draft.given = given;
}

/** Says `payload` instead, by whom it was said. */
export function say(draft: Draft, name: string, payload: Uint8Array): void {
  draft.statements[name]!.payload = payload;
}

export function rule(draft: Draft): Record<string, unknown> {
  return draft.policy.products[0];
}

export type Attack = [
  name: string,
  outcome: string,
  detail: RegExp,
  change: (draft: Draft, scene: Scene) => void | Promise<void>,
];

/** Changes the text of a note without its signatures. */
export const retext = (note: Uint8Array, from: RegExp, to: string): Uint8Array =>
  utf8(decodeUtf8(note).replace(from, to));

export function graced(draft: Draft): void {
  const grace = { channel: 'acme/stable', keys: ['acme-channel'], maxAge: '25h', grace: '7d' };
  rule(draft).channels = [grace];
  stable(draft).expires = NOW + 30 * DAY;
}

export function sequence(number: number): TrustState['channels'][string] {
  return { sequence: number, leafHash: '0'.repeat(64) };
}

export function withdraw(channel: ChannelDraft): void {
  channel.current = [];
  channel.withdrawn = [{ sha256: encodeHex(artifact), reason: 'CVE-2026-1' }];
}
