/** The registrar let a key speak, changed what it may say, or ended it. */
import type { AuditedEntry } from '../draft.ts';
import { mayBeAbout } from './products.ts';
import type { Rule } from './rule.ts';
import type { NewIssuerConfig } from './rule-config.ts';
import type { RuleScope } from './scope.ts';

export class NewIssuer implements Rule {
  readonly #config: NewIssuerConfig;

  constructor(config: NewIssuerConfig) {
    this.#config = config;
  }

  entry({ index, claim }: AuditedEntry, scope: RuleScope): void {
    if (claim?.kind !== 'admission') return;
    const { action, name, key, roles, scopes } = claim.change;
    const { products, known } = this.#config;
    // A revocation names no products: it matters when the key was admitted for one of them.
    const before = scope.get<boolean>(key.fingerprint) !== undefined;
    const now = action !== 'revoke' && mayBeAbout(products, scopes);
    if (now && !before) scope.put(key.fingerprint, true);
    if (!now && before) scope.delete(key.fingerprint);
    if (!now && !before && products !== undefined) return;
    if (action === 'admit' && known.has(key.fingerprint)) return;
    const verb = { admit: 'admitted', change: 'changed', revoke: 'revoked' }[action];
    const rights = `roles ${roles.join(', ')}; products ${scopes.map(({ text }) => text).join(', ')}`;
    scope.raise({
      cause: [String(index)],
      index,
      title: `The registrar ${verb} the issuer ${name}`,
      detail: `Entry ${index}: key ${key.fingerprint}${action === 'revoke' ? '' : `; ${rights}`}.`,
    });
  }
}
