/**
 * A mirror (C2SP tlog-mirror, pulling): follows one log, keeps a full copy of it as static files, and
 * cosigns a checkpoint when everything below it is verified and durable. The order is its safety: the
 * checkpoint to follow to is recorded; tiles and entries are durable; the cosignature is recorded;
 * only then does the file `checkpoint` show it.
 */
import type { LogClient } from '../client/log-client.ts';
import type { TrustedHead } from '../client/trusted-head.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { GrowingTree } from '../merkle/growing-tree.ts';
import { asHash, HASH_BYTES, type Hash } from '../merkle/hash.ts';
import type { ReadHashes } from '../merkle/node.ts';
import { treeRoot } from '../merkle/root.ts';
import { tileHashReader } from '../merkle/tile-reader.ts';
import {
  bundlePath,
  TILE_WIDTH,
  tilePath,
  tileWidth,
  type Tile,
  type TileId,
} from '../merkle/tile.ts';
import { mergeSignatures } from '../note/add-checkpoint.ts';
import { formatNote, MAX_SIGNATURES, parseNote, type SignedNote } from '../note/note.ts';
import { signNote, type NoteSigner } from '../note/sign.ts';
import { convict } from '../verify/evidence.ts';
import type { TrustPolicy } from '../verify/policy.ts';
import { parseHead, type NotedHead } from '../verify/signed-head.ts';
import type { MirrorFiles } from './mirror-files.ts';
import type { MirrorState, SignedHead } from './mirror-state.ts';

export interface MirrorParts {
  readonly client: LogClient;
  readonly files: MirrorFiles;
  readonly state: MirrorState;
  /** Whose signatures are kept where a note has more than there is room for. */
  readonly policy: TrustPolicy;
  readonly signers: readonly NoteSigner[];
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** So much is copied between two records of how far the copy goes. */
const CHUNK_BUNDLES = 256;
const CHUNK_BYTES = 64 << 20;
/** An idle log's checkpoint is cosigned again so often, in seconds: a mirror that stopped must show. */
const COSIGN_AGAIN = 600;

export class Mirror {
  readonly #parts: MirrorParts;
  /** All full bundles that are durable. */
  #tree: GrowingTree;
  #signed: SignedHead | undefined;
  /** The log's note that was cosigned last; unknown after a start. */
  #cosigned: Uint8Array | undefined;

  private constructor(parts: MirrorParts, tree: GrowingTree) {
    this.#parts = parts;
    this.#tree = tree;
    this.#signed = parts.state.signed;
  }

  /** Throws `store-corrupt` unless the files lead to the root that is recorded. */
  static async open(parts: MirrorParts): Promise<Mirror> {
    const { files, state } = parts;
    const mirror = new Mirror(parts, await loadTree(files, state));
    // A kill may have come between the record and the file.
    if (mirror.#signed) await files.replace('checkpoint', mirror.#signed.note);
    return mirror;
  }

  /** The mirror checkpoint; undefined before the first one. */
  get signed(): SignedHead | undefined {
    return this.#signed;
  }

  /**
   * Copies what the log has published since, and cosigns it; gives whether there is a new mirror
   * checkpoint. Safe to repeat after any error. Throws what `LogClient.checkpoint` and `.bundles` throw,
   * `store-failed` for files that cannot be written, and `clock-went-back`.
   */
  async update(signal?: AbortSignal): Promise<boolean> {
    const head = await this.#parts.client.checkpoint(signal);
    const { size = 0 } = this.#signed ?? {};
    if (head.size > size) await this.#copy(head, signal);
    return this.#cosign(head);
  }

  /** The root of the first `size` entries, which the mirror checkpoint covers, from the files. */
  rootAt(size: number): Promise<Hash> {
    return treeRoot(size, this.#reader(size), hasher);
  }

  /** Evidence that `head`, not larger than the mirror checkpoint, is of another tree; undefined when it is not. */
  async convict(head: NotedHead): Promise<Uint8Array | undefined> {
    if (this.#signed === undefined || head.size > this.#signed.size) return undefined;
    return convict(head, parseHead(this.#signed.note), this.#reader(this.#signed.size));
  }

  #reader(size: number): ReadHashes {
    const covered = this.#signed?.size ?? 0;
    return tileHashReader(
      size,
      (tiles) => Promise.all(tiles.map((tile) => this.#readTile(tile, covered))),
      hasher,
    );
  }

  async #readTile({ level, index, width }: Tile, covered: number): Promise<Uint8Array> {
    const { files } = this.#parts;
    const partial = tilePath({ level, index, width: tileWidth(level, index, covered) });
    const full = tilePath({ level, index, width: TILE_WIDTH });
    const hashes = (await files.read(partial)) ?? (await fileOf(files, full));
    return hashes.subarray(0, width * HASH_BYTES);
  }

  async #copy(head: TrustedHead, signal?: AbortSignal): Promise<void> {
    const { client, files } = this.#parts;
    const tree = this.#tree.clone();
    const before = this.#signed?.size ?? 0;
    /** Tiles that were partial in the mirror checkpoint so far. */
    const outgrown: TileId[] = [];
    let chunk = { bundles: 0, bytes: 0 };
    let edge = tree;
    for await (const { first, entries, leaves, bytes } of client.bundles(
      tree.size / TILE_WIDTH,
      head,
    )) {
      signal?.throwIfAborted();
      const full = entries.length === TILE_WIDTH;
      // Partial tiles are never hashed into the tree that goes on growing.
      if (!full) edge = tree.clone();
      const tiles = full ? tree.appendTile(leaves) : edge.append(hashesIn(leaves.hashes));
      await files.put(bundlePath(first / TILE_WIDTH, entries.length), bytes);
      for (const tile of tiles) {
        await files.put(tilePath({ ...tile, width: TILE_WIDTH }), tile.hashes);
        if (tileWidth(tile.level, tile.index, before) > 0) outgrown.push(tile);
      }
      chunk.bundles += 1;
      chunk.bytes += bytes.length;
      if (full && (chunk.bundles >= CHUNK_BUNDLES || chunk.bytes >= CHUNK_BYTES)) {
        await this.#keep(tree);
        chunk = { bundles: 0, bytes: 0 };
      }
    }
    if (edge.size !== head.size || !equalBytes(edge.root(), head.root)) {
      throw new DaybookError('internal', `the copy of ${head.size} entries has another root`);
    }
    for (let level = 0; TILE_WIDTH ** level <= head.size; level++) {
      const index = Math.floor(head.size / TILE_WIDTH ** (level + 1));
      const hashes = edge.partialTile(level);
      const width = hashes.length / HASH_BYTES;
      if (width > 0) await files.put(tilePath({ level, index, width }), hashes);
    }
    await this.#keep(tree);
    await this.#dropPartials(outgrown);
  }

  /** All that was put is durable, and recorded, before the tree counts as kept. */
  async #keep(tree: GrowingTree): Promise<void> {
    const { files, state } = this.#parts;
    await files.settle();
    await state.keep({ size: tree.size, root: tree.root() });
    this.#tree = tree.clone();
  }

  /** Partial tiles may go when the full one is there; the checkpoint that needed them stays provable by it. */
  async #dropPartials(outgrown: readonly TileId[]): Promise<void> {
    for (const { level, index } of outgrown) {
      await this.#parts.files.drop(`${tilePath({ level, index, width: TILE_WIDTH })}.p`);
      if (level === 0) await this.#parts.files.drop(`${bundlePath(index, TILE_WIDTH)}.p`);
    }
  }

  async #cosign(head: TrustedHead): Promise<boolean> {
    const { files, state, signers } = this.#parts;
    const now = this.#parts.now();
    const last = this.#signed;
    if (last && now < last.time) {
      throw new DaybookError(
        'clock-went-back',
        `the clock says ${now}, but the mirror cosigned at ${last.time}: it cosigns nothing before that time comes again; set the clock right`,
      );
    }
    const known = last !== undefined && this.#cosigned && equalBytes(this.#cosigned, head.note);
    if (known && now - last.time < COSIGN_AGAIN) return false;
    const note = parseNote(head.note);
    const { signatures } = await signNote(note.text, signers, now);
    const cosigned = utf8(formatNote(mergeSignatures(this.#roomy(note), signatures)));
    await state.sign(cosigned);
    await files.replace('checkpoint', cosigned);
    this.#signed = state.signed;
    this.#cosigned = head.note;
    return true;
  }

  /** A note that is as full as notes may be gives up lines of unknown keys, which come last. */
  #roomy({ text, signatures }: SignedNote): SignedNote {
    const { logs, witnesses } = this.#parts.policy;
    const names = new Set([...logs, ...witnesses].map(({ key }) => key.name));
    const known = signatures.filter(({ name }) => names.has(name));
    const others = signatures.filter(({ name }) => !names.has(name));
    const room = MAX_SIGNATURES - this.#parts.signers.length;
    if (signatures.length <= room) return { text, signatures };
    return { text, signatures: [...known, ...others].slice(0, room) };
  }
}

function hashesIn(tile: Uint8Array): Hash[] {
  return Array.from({ length: tile.length / HASH_BYTES }, (_, i) =>
    asHash(tile.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)),
  );
}

async function loadTree(files: MirrorFiles, state: MirrorState): Promise<GrowingTree> {
  const { size, root } = state.kept;
  const fullTiles = (tiles: readonly TileId[]): Promise<Uint8Array[]> =>
    Promise.all(tiles.map((tile) => fileOf(files, tilePath({ ...tile, width: TILE_WIDTH }))));
  const tree = await GrowingTree.load(size, { fullTiles, tailLeaves: [] }, hasher);
  if (equalBytes(tree.root(), root)) return tree;
  throw new DaybookError(
    'store-corrupt',
    `the tiles in ${files.directory} do not lead to the root that was kept at size ${size}: bring them back from a copy`,
  );
}

async function fileOf(files: MirrorFiles, path: string): Promise<Uint8Array> {
  const bytes = await files.read(path);
  if (bytes !== undefined) return bytes;
  throw new DaybookError('store-corrupt', `${files.directory}/${path} was kept and is missing`);
}
