/**
 * Characters that a reader does not see: controls, format and direction characters, and halves of a
 * pair. A fixed list, where Unicode's own classes grow: whether an entry is valid must not depend on
 * the Unicode version of who judges it.
 */
const invisible =
  /[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]/u;

export function hasInvisible(text: string): boolean {
  return invisible.test(text);
}
