/** My products under other keys, and what my keys sign although I did not release it. */
import { encodeHex } from '../../encoding/hex.ts';
import type { AssertionKind } from '../../statement/authority.ts';
import type { IssuerClaim } from '../../statement/admission.ts';
import type { AuditedEntry } from '../draft.ts';
import { isAbout, listed } from './products.ts';
import { ReleasedList } from './released-list.ts';
import type { Rule } from './rule.ts';
import type { UnexpectedReleaseConfig } from './rule-config.ts';
import type { RuleScope } from './scope.ts';

/** What only the vendor says of a product: others rebuild, approve and reject it. */
const vendorsWord: ReadonlySet<AssertionKind> = new Set([
  'release',
  'channel',
  'withdrawal',
  'source commitment',
]);
/** Kinds whose subjects are files that were released. */
const namesFiles: ReadonlySet<AssertionKind> = new Set(['release', 'provenance']);

export class UnexpectedRelease implements Rule {
  readonly #config: UnexpectedReleaseConfig;
  readonly #released: ReleasedList | undefined;

  constructor(config: UnexpectedReleaseConfig) {
    this.#config = config;
    this.#released = config.released === undefined ? undefined : new ReleasedList(config.released);
  }

  entry(audited: AuditedEntry, scope: RuleScope): void {
    const { claim } = audited;
    if (claim === undefined || claim.kind === 'admission') return;
    if (this.#config.keys.has(claim.signer)) this.#checkOwn(audited, claim, scope);
    else if (vendorsWord.has(claim.kind)) this.#checkForeign(audited, claim, scope);
  }

  #checkForeign({ index }: AuditedEntry, claim: IssuerClaim, scope: RuleScope): void {
    const { kind, purls, signer } = claim;
    if (purls.length === 0 || !isAbout(this.#config.products, purls)) return;
    scope.raise({
      cause: ['foreign', String(index)],
      index,
      title: `A ${kind} statement about ${listed(purls)} is signed by a key that is not yours`,
      detail: `Entry ${index} is signed by the key ${signer}, which the registrar admitted for this product. Ask who holds it; if nobody should, have the registrar revoke it.`,
    });
  }

  #checkOwn({ index, statement }: AuditedEntry, claim: IssuerClaim, scope: RuleScope): void {
    if (this.#released === undefined || statement === undefined || !namesFiles.has(claim.kind)) {
      return;
    }
    const { digests, problem } = this.#released.read();
    const unknown = statement.subject
      .map(({ name, sha256 }) => ({ name, digest: encodeHex(sha256) }))
      .filter(({ digest }) => !digests.has(digest));
    if (unknown.length === 0) return;
    const files = unknown
      .slice(0, 8)
      .map(({ name, digest }) => `${digest}${name === undefined ? '' : ` (${name})`}`);
    scope.raise({
      cause: ['own', String(index)],
      index,
      title: `Your key signed a ${claim.kind} statement about ${listed(claim.purls)} that you did not release`,
      detail:
        `Entry ${index} is signed by your key ${claim.signer} and names ${unknown.length === 1 ? 'a file' : `${unknown.length} files`} that the list of your releases lacks: ${files.join(', ')}${unknown.length > 8 ? ' and more' : ''}. ` +
        (problem ?? 'Unless the list is late, the key is in other hands: have it revoked.'),
    });
  }
}
