/**
 * What failed in the audit of a log, for good and in public: a monitor's cosignature says that every
 * entry was checked, and that what failed is in this list.
 *
 *     finding/<origin hash>/<bundle>    JSON: the findings in a bundle of 256 entries
 */
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import type { Records } from './change.ts';
import type { AuditedEntry, Draft } from './draft.ts';

export interface Finding {
  readonly index: number;
  /** A code of docs/errors.md. */
  readonly code: string;
  readonly detail: string;
}

export interface FindingsPage {
  readonly findings: readonly Finding[];
  /** Where the next page begins; undefined on the last one. */
  readonly next?: number;
}

const MAX_DETAIL = 400;
/** Whole bundles are shown, so that a page has 255 more at most. */
const PAGE = 1000;

/** Adds what failed, of consecutive entries. */
export function addFindings(hash: string, failed: readonly AuditedEntry[], draft: Draft): void {
  const byBundle = Map.groupBy(failed, ({ index }) => Math.floor(index / TILE_WIDTH));
  for (const [bundle, entries] of byBundle) {
    const key = findingKey(hash, bundle);
    const known = draft.get(key);
    const added = entries.flatMap(({ index, problem }) =>
      problem ? [{ index, code: problem.code, detail: problem.message.slice(0, MAX_DETAIL) }] : [],
    );
    draft.put(key, utf8(JSON.stringify([...(known ? parse(known) : []), ...added])));
  }
}

/** The findings at indexes from `from` on, oldest first, a bounded number of them. */
export async function findingsFrom(
  records: Pick<Records, 'list'>,
  hash: string,
  from: number,
): Promise<FindingsPage> {
  const findings: Finding[] = [];
  for await (const [key, value] of records.list(`finding/${hash}/`)) {
    const bundle = Number(key.slice(key.lastIndexOf('/') + 1));
    if ((bundle + 1) * TILE_WIDTH <= from) continue;
    if (findings.length >= PAGE) return { findings, next: bundle * TILE_WIDTH };
    findings.push(...parse(value).filter(({ index }) => index >= from));
  }
  return { findings };
}

function parse(value: Uint8Array): Finding[] {
  return JSON.parse(decodeUtf8(value)) as Finding[];
}

function findingKey(hash: string, bundle: number): string {
  return `finding/${hash}/${String(bundle).padStart(14, '0')}`;
}
