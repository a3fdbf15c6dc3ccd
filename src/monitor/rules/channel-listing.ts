/** What a channel newly lists as withdrawn or rejected. */
import { encodeHex } from '../../encoding/hex.ts';
import { readChannel, type ChannelKind } from '../../statement/channel.ts';
import type { Statement } from '../../statement/in-toto.ts';
import { isAbout } from './products.ts';
import type { Products } from './rule-config.ts';
import { stateKey, type RuleScope } from './scope.ts';

export interface NewlyListed {
  readonly channel: string;
  readonly digest: string;
  readonly product: string;
  readonly reason: string;
}

/** Of the products, or of none that is named; each once, although every statement repeats the list. */
export function newlyListed(
  statement: Statement,
  kind: ChannelKind,
  products: Products,
  scope: RuleScope,
): NewlyListed[] {
  const state = readChannel(statement);
  if (state.kind !== kind) return [];
  const { channel } = state;
  const found: NewlyListed[] = [];
  for (const { sha256, purl, reason } of state.withdrawn) {
    if (purl !== undefined && !isAbout(products, [purl])) continue;
    const digest = encodeHex(sha256);
    const key = `listed/${stateKey(channel, digest)}`;
    if (scope.get<boolean>(key) !== undefined) continue;
    scope.put(key, true);
    found.push({ channel, digest, product: purl?.text ?? `the file ${digest}`, reason });
  }
  return found;
}
