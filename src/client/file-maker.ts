/**
 * Makes release and channel files: from what the log lists and, while it is away, from all that a mirror
 * holds. A mirror has files only, no index, and so it is read from its end.
 */
import { Http } from '../http/outbound.ts';
import type { ReadHashes } from '../merkle/node.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { MAX_NOTE_BYTES, parseNote } from '../note/note.ts';
import { originHash } from '../note/origin-hash.ts';
import type { ReleaseEntry } from '../proof/release-file.ts';
import type { PublicKey, SignatureVerifier } from '../signature/port.ts';
import { checkChannelName } from '../statement/channel.ts';
import { askingLog, newestFirst, type FindEntries } from './entry-finder.ts';
import {
  fetchChannel,
  fetchChannelFile,
  makeChannelFile,
  makeReleaseFile,
  newestOfChannel,
  type ShownChannel,
} from './release-file.ts';
import { isAway, type Sources } from './sources.ts';
import type { HeadKeeper, TrustedHead } from './trusted-head.ts';
import type { VerifiedTiles } from './verified-tiles.ts';

export interface ReleaseFileOptions {
  /** Channels whose newest statements are put in, for media without a network. */
  readonly channels?: readonly string[];
  /**
   * Only statements that one of these keys signed: where others log so many about the file that those
   * which a policy asks for would not fit.
   */
  readonly issuers?: readonly PublicKey[] | undefined;
  /**
   * Monitoring prefix (C2SP tlog-witness) of a monitor, mirror or witness: its newest checkpoint is
   * proven against, for a policy that wants its cosignature.
   */
  readonly auditor?: string | undefined;
  readonly signal?: AbortSignal;
}

export interface FileMakerParts {
  readonly sources: Sources;
  readonly heads: HeadKeeper;
  readonly tiles: VerifiedTiles;
  readonly verifier: SignatureVerifier;
  /** The newest checkpoint that is trusted. */
  readonly newest: (signal?: AbortSignal) => Promise<TrustedHead>;
}

export class FileMaker {
  readonly #parts: FileMakerParts;
  readonly #log: Http;

  constructor(parts: FileMakerParts) {
    this.#parts = parts;
    this.#log = parts.sources.log;
  }

  /** As `LogClient.releaseFile`. */
  async releaseFile(
    sha256: Uint8Array,
    { channels = [], issuers, auditor, signal }: ReleaseFileOptions,
  ): Promise<Uint8Array> {
    const wanted = { verifier: this.#parts.verifier, issuers };
    try {
      // Before the checkpoint, so that it covers them.
      const shown = await Promise.all(
        channels.map((name) => fetchChannel(this.#log, name, signal)),
      );
      const head = await this.#provenAgainst(auditor, signal);
      const find = askingLog(this.#log, head.size, signal);
      const tree = { ...wanted, head, read: this.#reader(head), find };
      const files = await Promise.all(
        channels.map((name, i) => makeChannelFile(tree, (shown[i] as ShownChannel).only, name)),
      );
      return await makeReleaseFile(tree, sha256, files);
    } catch (error) {
      if (!this.#readsMirrors(error)) throw error;
    }
    const head = await this.#provenAgainst(auditor, signal);
    const tree = { ...wanted, ...this.#readThrough(head, signal) };
    const files = await Promise.all(channels.map((name) => this.#channelOf(name, head, signal)));
    return makeReleaseFile(tree, sha256, files);
  }

  #provenAgainst(auditor: string | undefined, signal?: AbortSignal): Promise<TrustedHead> {
    return auditor === undefined ? this.#parts.newest(signal) : this.#audited(auditor, signal);
  }

  /** Whether what the log does not answer can be found in a mirror's files. */
  #readsMirrors(error: unknown): boolean {
    return this.#parts.sources.mirrors.length > 0 && isAway(error);
  }

  /** The tree of `head`, in which entries are found by reading all. */
  #readThrough(
    head: TrustedHead,
    signal?: AbortSignal,
  ): { head: TrustedHead; read: ReadHashes; find: FindEntries } {
    return { head, read: this.#reader(head), find: () => this.#newestFirst(head, signal) };
  }

  #newestFirst(
    head: TrustedHead,
    signal?: AbortSignal,
  ): AsyncGenerator<readonly ReleaseEntry[], void, undefined> {
    return newestFirst(head.size, async (index) => {
      signal?.throwIfAborted();
      return (await this.#parts.tiles.bundle(head, index)).entries;
    });
  }

  /** A channel file from a mirror. */
  async #channelOf(name: string, head: TrustedHead, signal?: AbortSignal): Promise<Uint8Array> {
    const only = await newestOfChannel(this.#newestFirst(head, signal), name, head.origin);
    const tree = { ...this.#readThrough(head, signal), verifier: this.#parts.verifier };
    return makeChannelFile({ ...tree, issuers: undefined }, only, name);
  }

  /** The checkpoint that a monitor, mirror or witness cosigned last, at its monitoring prefix. */
  async #audited(prefix: string, signal?: AbortSignal): Promise<TrustedHead> {
    const call = { accept: 'text/plain', fresh: true, maxBytes: MAX_NOTE_BYTES, signal };
    // Which log to ask for: what comes back is judged by the policy, whatever the log says here.
    const shown = await this.#parts.sources.call('checkpoint', call);
    const { origin } = parseCheckpoint(parseNote(shown.body).text);
    const path = `${originHash(origin)}/checkpoint`;
    const { body } = await new Http(prefix, this.#log.options).call(path, call);
    return this.#parts.heads.observed(body);
  }

  /** As `LogClient.channelFile`. */
  async channelFile(name: string, signal?: AbortSignal): Promise<Uint8Array> {
    try {
      return await fetchChannelFile(this.#log, this.#parts.heads, name, signal);
    } catch (error) {
      if (!this.#readsMirrors(error)) throw error;
    }
    return this.#channelOf(checkChannelName(name), await this.#parts.newest(signal), signal);
  }

  #reader(head: TrustedHead): ReadHashes {
    return tileHashReader(head.size, (tiles) => this.#parts.tiles.read(head, tiles));
  }
}
