/**
 * Heads of one log that are above the tree which the monitor has verified: they wait until it has
 * grown to them. The log itself may sign any number of such heads, so they are bounded, for each
 * source of its own: nobody can crowd out what others brought.
 *
 *     gossip/pending/<origin hash>/<size>/<root>    one line of JSON, a newline, the signed note
 */
import { concatBytes, decodeUtf8, equalBytes, utf8 } from '../../encoding/bytes.ts';
import { encodeHex } from '../../encoding/hex.ts';
import { parseHead, type NotedHead } from '../../verify/signed-head.ts';
import type { Records } from '../change.ts';
import type { Draft } from '../draft.ts';

export interface PendingHead {
  readonly head: NotedHead;
  /** Who brought it: `client`, `peer <name>`, `witness <name>`, or `log`. */
  readonly source: string;
  /** When it came, in milliseconds since 1970. */
  readonly since: number;
  /** Whether the log was accused of not explaining it. */
  readonly accused: boolean;
}

/** Heads of all clients together, and of each peer or witness. */
export const MAX_CLIENT_HEADS = 64;
export const MAX_NEIGHBOUR_HEADS = 16;
/** Of the notes of one source: a checkpoint with 20 ML-DSA-44 cosignatures takes 100 kB. */
const MAX_SOURCE_BYTES = 2 << 20;

export class PendingHeads {
  readonly #hash: string;
  readonly #pending = new Map<string, PendingHead>();

  private constructor(hash: string) {
    this.#hash = hash;
  }

  static async load(records: Records, hash: string): Promise<PendingHeads> {
    const heads = new PendingHeads(hash);
    for await (const [key, value] of records.list(`gossip/pending/${hash}/`)) {
      const end = value.indexOf(0x0a);
      const { source, since, accused } = JSON.parse(decodeUtf8(value.subarray(0, end))) as Omit<
        PendingHead,
        'head'
      >;
      heads.#pending.set(key, { head: parseHead(value.slice(end + 1)), source, since, accused });
    }
    return heads;
  }

  /** The smallest first. */
  all(): PendingHead[] {
    return [...this.#pending.values()].sort((a, b) => a.head.size - b.head.size);
  }

  /** Another root of the same size. */
  contradicting({ size, root }: NotedHead): PendingHead | undefined {
    return this.all().find(({ head }) => head.size === size && !equalBytes(head.root, root));
  }

  /** The same tree, whose note may bear other cosignatures. */
  known(head: NotedHead): PendingHead | undefined {
    return this.#pending.get(this.#key(head));
  }

  /**
   * Keeps a head. Where its source has too many, the largest goes, which would wait longest; false
   * when that is the new one.
   */
  add(pending: PendingHead, draft: Draft): boolean {
    const rivals = this.all().filter(({ source }) => source === pending.source);
    const most = pending.source === 'client' ? MAX_CLIENT_HEADS : MAX_NEIGHBOUR_HEADS;
    let bytes = rivals.reduce((sum, { head }) => sum + head.note.length, pending.head.note.length);
    const evicted: PendingHead[] = [];
    while (rivals.length >= most || bytes > MAX_SOURCE_BYTES) {
      const largest = rivals.pop();
      if (largest === undefined || largest.head.size < pending.head.size) return false;
      bytes -= largest.head.note.length;
      evicted.push(largest);
    }
    for (const each of evicted) this.remove(each, draft);
    this.update(pending, draft);
    return true;
  }

  /** Keeps a head in the place of the same one; what it grows by is bounded by the keys that are known. */
  update(pending: PendingHead, draft: Draft): void {
    const { head, source, since, accused } = pending;
    const key = this.#key(head);
    this.#pending.set(key, pending);
    const line = utf8(`${JSON.stringify({ source, since, accused })}\n`);
    draft.put(key, concatBytes(line, head.note));
  }

  remove({ head }: PendingHead, draft: Draft): void {
    const key = this.#key(head);
    this.#pending.delete(key);
    draft.delete(key);
  }

  #key({ size, root }: NotedHead): string {
    return `gossip/pending/${this.#hash}/${String(size).padStart(16, '0')}/${encodeHex(root)}`;
  }
}
