/**
 * Recomputes a whole log from its entries and names all that disagrees: tiles byte by byte, index
 * keys, roots, signed checkpoints, and admission. It shares no code with the parts that write.
 */
import { existsSync } from 'node:fs';
import { DaybookError } from '../errors.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import { nodeSha256, nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import type { Hash } from '../merkle/hash.ts';
import { rootOfLeaves } from '../merkle/root.ts';
import { TILE_WIDTH, tilePath, tileWidth } from '../merkle/tile.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { openNote, parseNote } from '../note/note.ts';
import { parseVkey } from '../note/vkey.ts';
import { advance, examine, openGenesis, type AdmissionState } from '../statement/admission.ts';
import type { ChannelLink } from '../statement/channel.ts';
import { HeadFile } from '../store/head-file.ts';
import { openLevelStore } from '../store/level-store.ts';
import type { IndexKind, Store, UniqueKind } from '../store/store.ts';
import { channelPlace } from './channels.ts';
import { dataFiles } from './data-directory.ts';
import { admissionDigest } from './genesis.ts';

export interface Disagreement {
  /** A path as in tlog-tiles, `entry 12`, `index key …`, or the name of a record or file. */
  readonly where: string;
  readonly what: string;
}

export interface FsckReport {
  readonly origin: string | undefined;
  readonly size: number;
  readonly disagreements: readonly Disagreement[];
}

const HASH_BYTES = 32;
const indexKinds = ['leaf', 'dedupe', 'channel', 'artifact'] as const satisfies IndexKind[];

/**
 * Opens the directory of a log that is not running and checks all of it. Throws `store-locked`
 * while the log runs, `wrong-directory` where no log is, and `store-corrupt` or `store-failed` when
 * the database does not open at all.
 */
export async function fsck(
  directory: string,
  onProgress: (checked: number, size: number) => void = () => undefined,
): Promise<FsckReport> {
  const files = dataFiles(directory);
  if (!existsSync(files.database)) {
    throw new DaybookError(
      'wrong-directory',
      `${directory} holds no log: there is no ${files.database}`,
    );
  }
  const store = await openLevelStore(files.database);
  try {
    return await new Check(store).run(files.head, onProgress);
  } finally {
    await store.close();
  }
}

/** A checkpoint that the log signed, and where it lies. */
interface SignedHead {
  readonly where: string;
  readonly note: Uint8Array;
}

class Check {
  readonly #store: Store;
  readonly #size: number;
  readonly #found: Disagreement[] = [];
  /** rows[level]: the hashes, so far, of the tile that is being filled on that level. */
  readonly #rows: Hash[][] = [];
  /** Roots at the sizes at which something was signed. */
  readonly #roots = new Map<number, Hash>();
  /** How many index keys of each kind the entries explain. */
  readonly #explained: Record<IndexKind, number> = { leaf: 0, dedupe: 0, channel: 0, artifact: 0 };
  /** The newest statement, so far, of each channel. */
  readonly #channels = new Map<string, { sequence: number; index: LeafIndex }>();
  #admission: AdmissionState | undefined;

  constructor(store: Store) {
    this.#store = store;
    this.#size = store.state.size;
  }

  async run(
    headPath: string,
    onProgress: (checked: number, size: number) => void,
  ): Promise<FsckReport> {
    const heads = await this.#signedHeads(headPath);
    for (const { note } of heads) this.#roots.set(sizeOf(note), hasher.emptyRoot);
    for (let index = 0; index * TILE_WIDTH < this.#size; index++) {
      await this.#bundle(index);
      onProgress(Math.min(this.#size, (index + 1) * TILE_WIDTH), this.#size);
    }
    if (!equalBytes(this.#root(), this.#store.state.root)) {
      this.#disagree(
        'record state',
        `root is ${encodeHex(this.#store.state.root)}, the tree of size ${this.#size} has ${encodeHex(this.#root())}`,
      );
    }
    await this.#strayKeys();
    for (const head of heads) await this.#signedHead(head);
    return {
      origin: this.#admission?.origin,
      size: this.#size,
      disagreements: this.#found,
    };
  }

  #disagree(where: string, what: string): void {
    this.#found.push({ where, what });
  }

  async #bundle(index: number): Promise<void> {
    const width = tileWidth(0, index, this.#size);
    const entries = await this.#readBundle(index, width);
    const stored = width === TILE_WIDTH ? await this.#readTile(0, index) : undefined;
    for (const [i, entry] of entries.entries()) {
      const at = index * TILE_WIDTH + i;
      const inTree = stored?.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES) as Hash | undefined;
      const leafHash = entry && hasher.leaf(entry);
      if (leafHash && inTree && !equalBytes(leafHash, inTree)) {
        this.#disagree(
          `entry ${at}`,
          `hashes to ${encodeHex(leafHash)}, but bytes ${i * HASH_BYTES} to ${(i + 1) * HASH_BYTES - 1} of ${tilePath({ level: 0, index, width })} are ${encodeHex(inTree)}`,
        );
      }
      if (entry && leafHash) await this.#keys(leafIndex(at), entry, leafHash);
      // What is stored goes up, so that each disagreement is told once, where it is.
      await this.#grow(0, index, inTree ?? leafHash ?? hasher.emptyRoot);
      if (this.#roots.has(at + 1)) this.#roots.set(at + 1, this.#root());
    }
  }

  /** Entries of a bundle; undefined for those that cannot be read. */
  async #readBundle(index: number, width: number): Promise<(Uint8Array | undefined)[]> {
    const from = index * TILE_WIDTH;
    try {
      return await this.#store.readEntries(leafIndex(from), width);
    } catch {
      const entries: (Uint8Array | undefined)[] = [];
      for (let at = from; at < from + width; at++) {
        const [entry] = await this.#store.readEntries(leafIndex(at), 1).catch((error: unknown) => {
          this.#disagree(`entry ${at}`, reason(error));
          return [];
        });
        entries.push(entry);
      }
      return entries;
    }
  }

  async #readTile(level: number, index: number): Promise<Uint8Array | undefined> {
    try {
      return (await this.#store.readTiles([{ level, index }]))[0];
    } catch (error) {
      this.#disagree(tilePath({ level, index, width: TILE_WIDTH }), reason(error));
      return undefined;
    }
  }

  /** Adds the next hash of a level; a tile that it fills is compared with the one above. */
  async #grow(level: number, index: number, hash: Hash): Promise<void> {
    const row = (this.#rows[level] ??= []);
    row.push(hash);
    if (row.length < TILE_WIDTH) return;
    this.#rows[level] = [];
    const above = level + 1;
    const aboveIndex = Math.floor(index / TILE_WIDTH);
    const root = rootOfLeaves(row, hasher);
    const position = index % TILE_WIDTH;
    if (tileWidth(above, aboveIndex, this.#size) < TILE_WIDTH) {
      await this.#grow(above, aboveIndex, root);
      return;
    }
    const stored = await this.#tileAbove(above, aboveIndex);
    const inTree = stored?.subarray(position * HASH_BYTES, (position + 1) * HASH_BYTES) as Hash;
    if (stored && !equalBytes(root, inTree)) {
      const width = TILE_WIDTH;
      this.#disagree(
        tilePath({ level: above, index: aboveIndex, width }),
        `bytes ${position * HASH_BYTES} to ${(position + 1) * HASH_BYTES - 1} are ${encodeHex(inTree)}, but ${tilePath({ level, index, width })} has root ${encodeHex(root)}`,
      );
    }
    await this.#grow(above, aboveIndex, stored ? inTree : root);
  }

  #lastAbove: { key: string; tile: Uint8Array | undefined } | undefined;

  async #tileAbove(level: number, index: number): Promise<Uint8Array | undefined> {
    const key = `${level}/${index}`;
    if (this.#lastAbove?.key !== key) {
      this.#lastAbove = { key, tile: await this.#readTile(level, index) };
    }
    return this.#lastAbove.tile;
  }

  /** The root of what has been read: each row ends in the tree that is below it. */
  #root(): Hash {
    let below: Hash[] = [];
    for (const row of this.#rows) {
      const hashes = [...row, ...below];
      below = hashes.length === 0 ? [] : [rootOfLeaves(hashes, hasher)];
    }
    return below[0] ?? hasher.emptyRoot;
  }

  /** Is the entry admitted by those before it, and is it found under all that it can be looked up by? */
  async #keys(index: LeafIndex, entry: Uint8Array, leafHash: Hash): Promise<void> {
    this.#key('leaf', leafHash, index);
    try {
      if (index === 0) {
        this.#admission = await openGenesis(entry, nodeVerifier);
        await this.#artifacts([admissionDigest(this.#admission.origin)], index);
        return;
      }
      if (!this.#admission || this.#admission.mode === 'open') return;
      const { claim, dedupe, subjects } = await examine(
        this.#admission,
        entry,
        nodeVerifier,
        nodeSha256,
      );
      this.#admission = advance(this.#admission, claim);
      this.#key('dedupe', dedupe, index);
      if (claim.kind !== 'admission' && claim.channel) this.#channel(claim.channel, index);
      const admission = claim.kind === 'admission' ? [admissionDigest(this.#admission.origin)] : [];
      await this.#artifacts([...subjects, ...admission], index);
    } catch (error) {
      this.#disagree(`entry ${index}`, `is not valid: ${reason(error)}`);
    }
  }

  /** Is the statement the next one of its channel, and does it name the one before? */
  #channel({ name, sequence, previous }: ChannelLink, index: LeafIndex): void {
    this.#key('channel', channelPlace(name, sequence), index);
    const before = this.#channels.get(name);
    if (sequence !== (before?.sequence ?? 0) + 1 || previous !== before?.index) {
      this.#disagree(
        `entry ${index}`,
        `is statement ${sequence} of channel ${name} after entry ${previous ?? 'none'}, ` +
          `want ${(before?.sequence ?? 0) + 1} after entry ${before?.index ?? 'none'}`,
      );
    }
    this.#channels.set(name, { sequence, index });
  }

  #key(kind: UniqueKind, digest: Uint8Array, index: LeafIndex): void {
    this.#explained[kind] += 1;
    const named = this.#store.lookup(kind, digest);
    if (named === index) return;
    this.#disagree(
      keyName(kind, digest),
      named === undefined
        ? `is missing, want entry ${index}`
        : `names entry ${named}, want ${index}`,
    );
  }

  async #artifacts(digests: readonly Uint8Array[], index: LeafIndex): Promise<void> {
    const distinct = new Map(digests.map((digest) => [encodeHex(digest), digest]));
    for (const digest of distinct.values()) {
      this.#explained.artifact += 1;
      const [named] = await this.#store.list('artifact', digest, index, 1);
      if (named !== index) {
        this.#disagree(keyName('artifact', digest), `does not name entry ${index}`);
      }
    }
  }

  /** All keys that entries explain were looked for; if there are more, some name what is not so. */
  async #strayKeys(): Promise<void> {
    const counted = { leaf: 0, dedupe: 0, channel: 0, artifact: 0 };
    for await (const { kind } of this.#store.indexKeys()) counted[kind] += 1;
    for (const kind of indexKinds) {
      if (counted[kind] === this.#explained[kind]) continue;
      this.#disagree(
        `index keys ${kind}`,
        `there are ${counted[kind]}, the entries explain ${this.#explained[kind]}`,
      );
    }
    if (counted.leaf <= this.#explained.leaf) return;
    for await (const { kind, digest, index } of this.#store.indexKeys()) {
      if (kind !== 'leaf') return;
      const [entry] =
        index < this.#size ? await this.#store.readEntries(index, 1).catch(() => []) : [];
      if (entry && equalBytes(hasher.leaf(entry), digest)) continue;
      this.#disagree(keyName(kind, digest), `names entry ${index}, which has another hash`);
    }
  }

  async #signedHeads(headPath: string): Promise<SignedHead[]> {
    const { signed, published } = this.#store.state;
    const heads: SignedHead[] = [];
    if (signed) heads.push({ where: 'record signed', note: signed });
    if (published) heads.push({ where: 'record published', note: published });
    try {
      const head = await HeadFile.peek(headPath);
      if (head) heads.push({ where: 'file head', note: head.note });
    } catch (error) {
      this.#disagree('file head', reason(error));
    }
    return heads.filter(({ where, note }) => {
      try {
        sizeOf(note);
        return true;
      } catch (error) {
        this.#disagree(where, reason(error));
        return false;
      }
    });
  }

  async #signedHead({ where, note }: SignedHead): Promise<void> {
    try {
      const signedNote = parseNote(note);
      const { origin, size, root } = parseCheckpoint(signedNote.text);
      const computed = this.#roots.get(size);
      if (size > this.#size) {
        this.#disagree(where, `is of size ${size}, but there are only ${this.#size} entries`);
      } else if (computed && !equalBytes(computed, root)) {
        this.#disagree(
          where,
          `has root ${encodeHex(root)} at size ${size}, the tree has ${encodeHex(computed)}`,
        );
      }
      const { origin: ours, logKeys } = this.#admission ?? { origin, logKeys: [] };
      if (origin !== ours) this.#disagree(where, `is of origin ${origin}, the log is ${ours}`);
      await openNote(signedNote, logKeys.map(parseVkey), nodeVerifier);
    } catch (error) {
      this.#disagree(where, reason(error));
    }
  }
}

function sizeOf(note: Uint8Array): number {
  return parseCheckpoint(parseNote(note).text).size;
}

function keyName(kind: IndexKind, digest: Uint8Array): string {
  return `index key ${kind} ${encodeHex(digest)}`;
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
