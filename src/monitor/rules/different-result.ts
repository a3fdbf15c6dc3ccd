/** One source, two results: somebody's build is not what the source gives. */
import { encodeHex } from '../../encoding/hex.ts';
import { readProvenance, type Provenance } from '../../statement/provenance.ts';
import type { Statement } from '../../statement/in-toto.ts';
import type { AuditedEntry } from '../draft.ts';
import { isAbout, listed } from './products.ts';
import type { Rule } from './rule.ts';
import type { ProductRuleConfig } from './rule-config.ts';
import { stateKey, type RuleScope } from './scope.ts';

/** The first provenance of a source that names a file, and the digests that were seen of it. */
interface Seen {
  readonly index: number;
  readonly digests: readonly string[];
}

/** Enough to see that a source gives different results; from then on it is known. */
const maxDigests = 64;

export class DifferentResult implements Rule {
  readonly #config: ProductRuleConfig<'different-result'>;

  constructor(config: ProductRuleConfig<'different-result'>) {
    this.#config = config;
  }

  entry(audited: AuditedEntry, scope: RuleScope): void {
    const { claim, statement } = audited;
    if (claim?.kind !== 'provenance' || statement === undefined) return;
    if (!isAbout(this.#config.products, claim.purls)) return;
    const provenance = readProvenance(statement);
    if (raiseFailedRebuild(audited, statement, provenance, scope)) return;
    const { source, commitments } = provenance;
    for (const from of [source, ...commitments.map(encodeHex)]) {
      if (from !== undefined) compare(audited, statement, from, scope);
    }
  }
}

/** A rebuilder that compared says itself that the result is another one. */
function raiseFailedRebuild(
  { index }: AuditedEntry,
  { subject }: Statement,
  { claims, purls, source }: Provenance,
  scope: RuleScope,
): boolean {
  const digests = subject.map(({ sha256 }) => encodeHex(sha256));
  if (claims === undefined || digests.includes(encodeHex(claims))) return false;
  scope.raise({
    cause: ['rebuild', encodeHex(claims), ...digests],
    index,
    title: `A rebuild of ${listed(purls)} came out different`,
    detail: `Entry ${index}: the rebuild was compared with ${encodeHex(claims)} and gave ${digests.slice(0, 8).join(', ')}; source ${source ?? 'not public'}.`,
  });
  return true;
}

function compare(
  { index }: AuditedEntry,
  { subject }: Statement,
  source: string,
  scope: RuleScope,
): void {
  for (const [file, digests] of digestsByFile(subject)) {
    const key = stateKey(source, file);
    const seen = scope.get<Seen>(key);
    if (seen === undefined) {
      scope.put<Seen>(key, { index, digests: digests.slice(0, maxDigests) });
      continue;
    }
    const others = digests.filter((digest) => !seen.digests.includes(digest));
    if (others.length === 0 || seen.digests.length >= maxDigests) continue;
    const all = [...seen.digests, ...others].slice(0, maxDigests);
    scope.put<Seen>(key, { index: seen.index, digests: all });
    scope.raise({
      cause: [source, file, ...others],
      index,
      title: `Two results of one source for ${file}`,
      detail: `From ${source}, entry ${seen.index} has ${seen.digests.slice(0, 8).join(', ')} and entry ${index} has ${others.slice(0, 8).join(', ')}.`,
    });
  }
}

/** By name and uri together: builds for several machines share one of them. */
function digestsByFile(subjects: Statement['subject']): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const { name, uri, sha256 } of subjects) {
    const file =
      [name, uri].filter((word) => word !== undefined).join(' of ') || 'a file without name';
    files.set(file, [...(files.get(file) ?? []), encodeHex(sha256)]);
  }
  return files;
}
