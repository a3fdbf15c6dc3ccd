/** What a channel lists, and the changes to it that `daybook channel publish` makes. */
import * as z from 'zod';
import { decodeUtf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import type { ChannelContent, ChannelState } from '../statement/channel.ts';
import { readBytes } from './files.ts';
import { isDigest } from './options.ts';
import { hashArtifacts, manifestOf } from './submit-artifacts.ts';

/** A purl with its digest, lowercase hex. */
export interface Release {
  readonly purl: string;
  readonly sha256: string;
}

export interface ChannelChanges {
  /** The whole content. */
  readonly content: ChannelContent | undefined;
  /** All that is current. */
  readonly current: readonly Release[] | undefined;
  readonly add: readonly Release[];
  /** Digests or purls that are no longer current. */
  readonly remove: readonly string[];
  /** Digests or purls, to be listed as withdrawn. */
  readonly withdraw: readonly string[];
  readonly reason: string | undefined;
}

type Current = ChannelContent['current'][number];
type Withdrawn = ChannelContent['withdrawn'][number];

export const noContent: ChannelContent = { current: [], withdrawn: [] };

const contentSchema = z.object({
  current: z.array(z.object({ purl: z.string(), sha256: z.array(z.string()) })),
  withdrawn: z
    .array(z.object({ sha256: z.string(), purl: z.string().optional(), reason: z.string() }))
    .default([]),
});

export function contentOf({ current, withdrawn }: ChannelState): ChannelContent {
  return {
    current: current.map(({ purl, sha256 }) => ({
      purl: purl.text,
      sha256: sha256.map(encodeHex),
    })),
    withdrawn: withdrawn.map(({ sha256, purl, reason }) => ({
      sha256: encodeHex(sha256),
      ...(purl !== undefined && { purl: purl.text }),
      reason,
    })),
  };
}

/** Of a file such as `daybook channel show --json` prints; members but these two are ignored. Throws `bad-usage`. */
export async function readContent(path: string): Promise<ChannelContent> {
  const bytes = await readBytes(path, MAX_ENTRY_BYTES);
  try {
    return contentSchema.parse(JSON.parse(decodeUtf8(bytes)));
  } catch (cause) {
    const problem = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
    throw new DaybookError('bad-usage', `${path} is no content of a channel: ${problem}`, {
      cause,
    });
  }
}

/** `FILE=PURL`, where FILE may be a digest instead. Throws `bad-usage` and what cannot be read. */
export async function releaseOption(option: string, text: string): Promise<Release> {
  const at = text.lastIndexOf('=pkg:');
  if (at < 1) {
    throw new DaybookError(
      'bad-usage',
      `wrong ${option}: "${text}", want FILE=PURL, such as scanner.tar.gz=pkg:generic/acme/scanner@1.2.3`,
    );
  }
  return { purl: text.slice(at + 1), sha256: await digestOf(text.slice(0, at)) };
}

/** A purl as it is, a digest as it is, and of a file or directory the digest that its release names. */
export async function targetOption(text: string): Promise<string> {
  return text.startsWith('pkg:') ? text : digestOf(text);
}

async function digestOf(text: string): Promise<string> {
  if (isDigest(text)) return text;
  const artifacts = await hashArtifacts([text]);
  return encodeHex((artifacts.subjects[0] ?? manifestOf(artifacts).subject).sha256);
}

/** Throws `bad-usage` for a change that changes nothing: it is not what was meant. */
export function changed(before: ChannelContent, changes: ChannelChanges): ChannelContent {
  let { current, withdrawn } = changes.content ?? before;
  if (changes.current !== undefined) current = grouped(changes.current);
  current = grouped([...current.flatMap(releasesOf), ...changes.add]);
  for (const target of changes.remove) current = without(current, target, '--remove').left;
  for (const target of changes.withdraw) {
    const { left, taken } = without(current, target, '--withdraw');
    const reason = changes.reason ?? '';
    const gone = taken.map((release) => ({ ...release, reason }));
    const digests = new Set(gone.map(({ sha256 }) => sha256));
    current = left;
    withdrawn = [...withdrawn.filter(({ sha256 }) => !digests.has(sha256)), ...gone];
  }
  refuseWithdrawn(current, withdrawn);
  return { current, withdrawn };
}

function releasesOf({ purl, sha256 }: Current): Release[] {
  return sha256.map((digest) => ({ purl, sha256: digest }));
}

/** One item for each purl, with all of its digests, each once. */
function grouped(releases: readonly Release[]): Current[] {
  const digests = new Map<string, Set<string>>();
  for (const { purl, sha256 } of releases) {
    digests.set(purl, (digests.get(purl) ?? new Set()).add(sha256));
  }
  return [...digests].map(([purl, sha256]) => ({ purl, sha256: [...sha256] }));
}

/** A digest that is not current can be withdrawn, too: older releases are not listed any more. */
function without(
  current: readonly Current[],
  target: string,
  option: string,
): { left: Current[]; taken: { sha256: string; purl?: string }[] } {
  const releases = current.flatMap(releasesOf);
  const isMeant = ({ purl, sha256 }: Release): boolean => purl === target || sha256 === target;
  const taken = releases.filter(isMeant);
  if (taken.length === 0 && (option === '--remove' || !isDigest(target))) {
    throw new DaybookError(
      'bad-usage',
      `wrong ${option}: ${target} is not current in this channel; \`daybook channel show\` lists what is`,
    );
  }
  const left = grouped(releases.filter((release) => !isMeant(release)));
  return { left, taken: taken.length === 0 ? [{ sha256: target }] : taken };
}

function refuseWithdrawn(current: readonly Current[], withdrawn: readonly Withdrawn[]): void {
  const gone = new Map(withdrawn.map(({ sha256, reason }) => [sha256, reason]));
  for (const { purl, sha256 } of current.flatMap(releasesOf)) {
    const reason = gone.get(sha256);
    if (reason === undefined) continue;
    throw new DaybookError(
      'bad-usage',
      `${purl} (${sha256}) was withdrawn from this channel: ${reason}; only --current brings it back`,
    );
  }
}
