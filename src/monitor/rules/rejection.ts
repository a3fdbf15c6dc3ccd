/** A supervisor says that a release failed its checks. */
import { encodeHex } from '../../encoding/hex.ts';
import { readVerificationSummary } from '../../statement/verification-summary.ts';
import type { AuditedEntry } from '../draft.ts';
import { newlyListed } from './channel-listing.ts';
import { isAbout, listed } from './products.ts';
import type { Rule } from './rule.ts';
import type { ProductRuleConfig } from './rule-config.ts';
import type { RuleScope } from './scope.ts';

export class Rejection implements Rule {
  readonly #config: ProductRuleConfig<'rejection'>;

  constructor(config: ProductRuleConfig<'rejection'>) {
    this.#config = config;
  }

  entry({ index, claim, statement }: AuditedEntry, scope: RuleScope): void {
    if (statement === undefined) return;
    const { products } = this.#config;
    if (claim?.kind === 'channel') {
      for (const { channel, digest, product, reason } of newlyListed(
        statement,
        'approvals',
        products,
        scope,
      )) {
        scope.raise({
          cause: ['channel', channel, digest],
          index,
          title: `${product} is rejected in the channel ${channel}`,
          detail: `Entry ${index}: SHA-256 ${digest}, reason: ${reason}`,
        });
      }
    }
    if (claim?.kind !== 'verification summary' || !isAbout(products, claim.purls)) return;
    const { result, verifierId, reason, resourceUri } = readVerificationSummary(statement);
    if (result !== 'FAILED') return;
    const digests = statement.subject.map(({ sha256 }) => encodeHex(sha256));
    scope.raise({
      cause: ['statement', String(index)],
      index,
      title: `${claim.purls.length > 0 ? listed(claim.purls) : resourceUri} is rejected by ${verifierId}`,
      detail: `Entry ${index}, signed by the key ${claim.signer}: SHA-256 ${digests.slice(0, 8).join(', ')}, reason: ${reason ?? 'none given'}`,
    });
  }
}
