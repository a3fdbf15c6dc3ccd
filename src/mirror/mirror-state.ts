/**
 * What a mirror must never forget about a log, in its records below `log/<origin hash>/`:
 *
 *     pending   note: the newest checkpoint that the mirror follows to; it continues all before it
 *     kept      text of a checkpoint without signatures: up to there all full tiles and bundles are durable
 *     signed    note: the mirror checkpoint, as cosigned last
 */
import { decodeUtf8, equalBytes, utf8 } from '../encoding/bytes.ts';
import { treeSize, type TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { rfc6962, type Hash } from '../merkle/hash.ts';
import { formatCheckpoint, parseCheckpoint } from '../note/checkpoint.ts';
import { decodeSignature } from '../note/cosignature.ts';
import { parseNote } from '../note/note.ts';
import { originHash } from '../note/origin-hash.ts';
import type { VerifierKey } from '../note/vkey.ts';
import type { HeadState } from '../client/trusted-head.ts';
import type { RecordStore } from '../store/record-store.ts';

export interface TreeHead {
  readonly size: TreeSize;
  readonly root: Hash;
}

export interface SignedHead extends TreeHead {
  /** The log's note with the mirror's cosignatures. */
  readonly note: Uint8Array;
  /** Of the newest of the mirror's cosignatures, in seconds since 1970. */
  readonly time: number;
}

export class MirrorState {
  readonly #store: RecordStore;
  readonly #origin: string;
  readonly #prefix: string;
  readonly #keys: readonly VerifierKey[];

  /** `keys` are the mirror's own. */
  constructor(store: RecordStore, origin: string, keys: readonly VerifierKey[]) {
    this.#store = store;
    this.#origin = origin;
    this.#prefix = `log/${originHash(origin)}`;
    this.#keys = keys;
  }

  /** The pending checkpoint, as what the client of the log trusts. */
  get pending(): HeadState {
    return {
      load: async () => this.#store.get(`${this.#prefix}/pending`),
      save: (note) => this.#put('pending', note),
    };
  }

  get kept(): TreeHead {
    const text = this.#store.get(`${this.#prefix}/kept`);
    if (text === undefined) return { size: treeSize(0), root: rfc6962.emptyRoot };
    return parseCheckpoint(decodeUtf8(text));
  }

  keep({ size, root }: TreeHead): Promise<void> {
    const text = formatCheckpoint({ origin: this.#origin, size, root, extensions: [] });
    return this.#put('kept', utf8(text));
  }

  get signed(): SignedHead | undefined {
    const note = this.#store.get(`${this.#prefix}/signed`);
    if (note === undefined) return undefined;
    const { text, signatures } = parseNote(note);
    const { size, root } = parseCheckpoint(text);
    const times = this.#keys.map((key) => {
      const line = signatures.find(({ name, keyId }) => name === key.name && keyId === key.keyId);
      return (line && decodeSignature(key, line.signature)?.timestamp) ?? 0;
    });
    return { note, size, root, time: Math.max(...times) };
  }

  /**
   * Records a note that the mirror has cosigned and nobody has seen. Throws `log-forked`, and keeps
   * nothing, where it does not come after the one before: a last look at what must never happen.
   */
  async sign(note: Uint8Array): Promise<void> {
    const { size, root } = parseCheckpoint(parseNote(note).text);
    const before = this.signed;
    if (
      before &&
      (size < before.size || (size === before.size && !equalBytes(root, before.root)))
    ) {
      throw new DaybookError(
        'log-forked',
        `the mirror cosigned ${this.#origin} at size ${before.size}; what was to be cosigned at size ${size} does not continue it`,
      );
    }
    await this.#put('signed', note);
  }

  #put(name: string, value: Uint8Array): Promise<void> {
    return this.#store.commit({ put: [[`${this.#prefix}/${name}`, value]] });
  }
}
