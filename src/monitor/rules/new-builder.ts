/** A builder, or a place of assembly or signing, that no statement named before. */
import { provenancePredicateType, readProvenance, type Place } from '../../statement/provenance.ts';
import { readRelease } from '../../statement/release.ts';
import type { Statement } from '../../statement/in-toto.ts';
import type { AuditedEntry } from '../draft.ts';
import { isAbout, listed } from './products.ts';
import type { Rule } from './rule.ts';
import type { NewBuilderConfig } from './rule-config.ts';
import { stateKey, type RuleScope } from './scope.ts';

interface Named {
  readonly what: 'builder' | 'place of assembly' | 'place of signing';
  /** As the statement has it. */
  readonly words: readonly string[];
}

export class NewBuilder implements Rule {
  readonly #config: NewBuilderConfig;

  constructor(config: NewBuilderConfig) {
    this.#config = config;
  }

  entry({ index, claim, statement }: AuditedEntry, scope: RuleScope): void {
    if (claim?.kind !== 'provenance' && claim?.kind !== 'release') return;
    if (statement === undefined || !isAbout(this.#config.products, claim.purls)) return;
    const { known } = this.#config;
    for (const { what, words } of namedIn(statement)) {
      // A known builder's name under another key is another builder.
      const identity = [what, ...words, ...(what === 'builder' ? [claim.signer] : [])];
      const key = stateKey(...identity);
      if (scope.get<number>(key) !== undefined) continue;
      scope.put(key, index);
      if (words.every((word) => known.has(word))) continue;
      scope.raise({
        cause: identity,
        index,
        title: `New ${what} of ${listed(claim.purls)}: ${words.join(', ')}`,
        detail: `Entry ${index}, signed by the key ${claim.signer}, is the first that names it.`,
      });
    }
  }
}

function namedIn(statement: Statement): Named[] {
  if (statement.predicateType !== provenancePredicateType) {
    // Most releases name none: they need not be parsed again.
    if (statement.predicate.daybook === undefined) return [];
    const { builder } = readRelease(statement);
    return builder === undefined ? [] : [{ what: 'builder', words: [builder] }];
  }
  const { builderId, assembly, signing } = readProvenance(statement);
  const named: readonly Named[] = [
    { what: 'builder', words: [builderId] },
    { what: 'place of assembly', words: wordsOf(assembly) },
    { what: 'place of signing', words: wordsOf(signing) },
  ];
  return named.filter(({ words }) => words.length > 0);
}

function wordsOf({ site, jurisdiction }: Place): string[] {
  return [site, jurisdiction].filter((word) => word !== undefined);
}
