/** A vendor takes a release back. */
import { encodeHex } from '../../encoding/hex.ts';
import { readWithdrawal } from '../../statement/withdrawal.ts';
import type { AuditedEntry } from '../draft.ts';
import { newlyListed } from './channel-listing.ts';
import { isAbout } from './products.ts';
import type { Rule } from './rule.ts';
import type { ProductRuleConfig } from './rule-config.ts';
import type { RuleScope } from './scope.ts';

export class WithdrawalRule implements Rule {
  readonly #config: ProductRuleConfig<'withdrawal'>;

  constructor(config: ProductRuleConfig<'withdrawal'>) {
    this.#config = config;
  }

  entry({ index, claim, statement }: AuditedEntry, scope: RuleScope): void {
    if (statement === undefined) return;
    const { products } = this.#config;
    if (claim?.kind === 'channel') {
      const found = newlyListed(statement, 'releases', products, scope);
      for (const { channel, digest, product, reason } of found) {
        scope.raise({
          cause: ['channel', channel, digest],
          index,
          title: `${product} is withdrawn in the channel ${channel}`,
          detail: `Entry ${index}: SHA-256 ${digest}, reason: ${reason}`,
        });
      }
    }
    if (claim?.kind !== 'withdrawal' || !isAbout(products, claim.purls)) return;
    const { purl, reason } = readWithdrawal(statement);
    const digests = statement.subject.map(({ sha256 }) => encodeHex(sha256));
    scope.raise({
      cause: ['statement', String(index)],
      index,
      title: `${purl.text} is withdrawn`,
      detail: `Entry ${index}, signed by the key ${claim.signer}: SHA-256 ${digests.slice(0, 8).join(', ')}, reason: ${reason}`,
    });
  }
}
