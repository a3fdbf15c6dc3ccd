/** Which products a rule is about. */
import { matchesScope, type Purl, type PurlScope } from '../../statement/purl.ts';
import type { Products } from './rule-config.ts';

/** Whether any of `purls` is one of the products; always true for a rule about every product. */
export function isAbout(products: Products, purls: readonly Purl[]): boolean {
  return (
    products === undefined ||
    purls.some((purl) => products.some((scope) => matchesScope(scope, purl)))
  );
}

/** Whether an issuer with these scopes may speak for any of the products. */
export function mayBeAbout(products: Products, scopes: readonly PurlScope[]): boolean {
  return (
    products === undefined ||
    scopes.some((scope) => products.some((product) => overlap(product, scope)))
  );
}

/** Whether some purl may match both; qualifiers are left out, as they only narrow. */
function overlap(a: PurlScope, b: PurlScope): boolean {
  return (
    a.type === b.type &&
    a.path.length === b.path.length &&
    a.path.every((segment, i) => segment === '*' || b.path[i] === '*' || segment === b.path[i]) &&
    (a.version === undefined || b.version === undefined || a.version === b.version)
  );
}

/** For an alert: the first few of them. */
export function listed(purls: readonly Purl[]): string {
  const shown = purls.slice(0, 4).map(({ text }) => text);
  if (shown.length === 0) return 'no named product';
  return shown.join(', ') + (purls.length > 4 ? ` and ${purls.length - 4} more` : '');
}
