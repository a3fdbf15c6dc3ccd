/** The store on LevelDB; keys and values are those of layout.ts and record.ts. */
import { setImmediate, setTimeout as delay } from 'node:timers/promises';
import { leafIndex, treeSize, type LeafIndex, type TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { rfc6962 } from '../merkle/hash.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import { encodeBundle } from '../merkle/bundle.ts';
import {
  DIGEST_KEY_BYTES,
  TILE_BYTES,
  artifactKey,
  digestKey,
  entryKey,
  indexKeyRange,
  indexOfArtifactKey,
  indexValue,
  packRuns,
  parseIndexKey,
  parseIndexValue,
  runRange,
  tileKey,
  unpackRuns,
} from './layout.ts';
import { DigestFilter } from './digest-filter.ts';
import { openDatabase, type Database, type OpenDatabase } from './opener.ts';
import {
  checkFormat,
  decodeNote,
  decodeState,
  encodeFormat,
  encodeNote,
  encodeState,
  recordKey,
  type TreeState,
} from './record.ts';
import type { Append, IndexKey, Store, StoreState, UniqueKind } from './store.ts';
import { WriteQueue } from './write-queue.ts';

export interface LevelStoreOptions {
  /** Bytes that gather in memory before LevelDB writes a table; larger means fewer, longer pauses. */
  readonly writeBufferSize?: number;
  /** Bytes of table blocks kept in memory, uncompressed. */
  readonly cacheSize?: number;
}

/** LevelDB's own default of 16 KiB would cut a bundle into hundreds of reads. */
const READ_BYTES = 1 << 20;
/** So few keys at once that the event loop stays free while the filter fills. */
const FILTER_READ_KEYS = 4096;
const FILTER_READ_BYTES = 256 << 10;

/** Milliseconds before a write, by the number of tables on LevelDB's first level; none below these. */
const EASE_OFF_MS: Readonly<Record<number, number>> = {
  6: 4,
  7: 10,
  8: 25,
  9: 50,
  10: 100,
  11: 150,
};

const uniqueKinds = ['leaf', 'dedupe', 'channel'] as const satisfies readonly UniqueKind[];

type Batch = ReturnType<Database['batch']>;

/**
 * Opens the store in `directory`, or creates it there. Throws what `openDatabase` throws, and
 * `wrong-directory` for data of another program or of a newer format.
 */
export async function openLevelStore(
  directory: string,
  options: LevelStoreOptions = {},
): Promise<Store> {
  const database = await openDatabase(directory, {
    writeBufferSize: options.writeBufferSize ?? 32 << 20,
    cacheSize: options.cacheSize ?? 8 << 20,
  });
  try {
    const state = (await readState(directory, database.db)) ?? (await createState(database.db));
    return new LevelStore(directory, database, state);
  } catch (error) {
    await database.close();
    throw error;
  }
}

async function readState(directory: string, db: Database): Promise<StoreState | undefined> {
  const [format, state, signed, published] = await db.getMany([
    recordKey('format'),
    recordKey('state'),
    recordKey('signed'),
    recordKey('published'),
  ]);
  if (format === undefined) {
    const keys = await db.keys({ limit: 1 }).all();
    if (keys.length === 0) return undefined;
    throw new DaybookError(
      'wrong-directory',
      `${directory} holds a database without Daybook's format record: it is another program's, or damaged`,
    );
  }
  checkFormat(directory, format);
  if (state === undefined) {
    throw new DaybookError('store-corrupt', `${directory} has lost its record r.state`);
  }
  return {
    ...decodeState(state),
    signed: signed && decodeNote('signed', signed),
    published: published && decodeNote('published', published),
  };
}

async function createState(db: Database): Promise<StoreState> {
  const tree: TreeState = { size: treeSize(0), verifiedSize: treeSize(0), root: rfc6962.emptyRoot };
  const batch = db.batch();
  batch.put(recordKey('format'), encodeFormat()).put(recordKey('state'), encodeState(tree));
  await batch.write({ sync: true });
  return { ...tree, signed: undefined, published: undefined };
}

class LevelStore implements Store {
  readonly #directory: string;
  readonly #database: OpenDatabase;
  readonly #db: Database;
  readonly #writes: WriteQueue;
  #state: StoreState;
  /** All digests that `lookup` can find, once `#filterIsWhole`: until then it only gathers. */
  readonly #filter = new DigestFilter();
  #filterIsWhole = false;
  readonly #filling: Promise<void>;
  #closed = false;
  // LevelDB copies keys and values as it is given them, so one of each serves all digests.
  readonly #key = new Uint8Array(DIGEST_KEY_BYTES);
  readonly #value = indexValue(leafIndex(0));

  constructor(directory: string, database: OpenDatabase, state: StoreState) {
    this.#directory = directory;
    this.#database = database;
    this.#db = database.db;
    this.#writes = new WriteQueue(directory);
    this.#state = state;
    this.#filling = this.#fillFilter();
  }

  get state(): StoreState {
    return this.#state;
  }

  async append(append: Append): Promise<void> {
    await this.#commit((batch) => {
      const { size, verifiedSize } = this.#state;
      if (append.expectedSize !== size) {
        throw new DaybookError(
          'store-conflict',
          `the append expects size ${append.expectedSize}, ${this.#directory} has size ${size}`,
        );
      }
      const tree = {
        size: treeSize(size + append.entries.length),
        verifiedSize,
        root: new Uint8Array(append.root),
      };
      this.#putAppend(batch, append);
      batch.put(recordKey('state'), encodeState(tree));
      return tree;
    });
  }

  #putAppend(batch: Batch, { expectedSize, entries, tiles, keys }: Append): void {
    for (const { first, bytes } of packRuns(expectedSize, entries)) {
      batch.put(entryKey(first), bytes);
    }
    for (const { level, index, hashes } of tiles) {
      checkTile(level, index, hashes, 'internal');
      batch.put(tileKey(level, index), hashes);
    }
    for (const { kind, digest, index } of keys) {
      if (kind === 'artifact') batch.put(artifactKey(digest, index), new Uint8Array(0));
      else {
        batch.put(digestKey(kind, digest, this.#key), indexValue(index, this.#value));
        this.#filter.add(digest);
      }
    }
  }

  /** In the background, as a large log has many keys: until it is done look-ups are slower, not wrong. */
  async #fillFilter(): Promise<void> {
    try {
      for (const kind of uniqueKinds) {
        const range = { ...indexKeyRange(kind), highWaterMarkBytes: FILTER_READ_BYTES };
        const keys = this.#db.keys(range);
        for (;;) {
          const some = await keys.nextv(FILTER_READ_KEYS);
          if (this.#closed || some.length === 0) break;
          for (const key of some) this.#filter.add(key.subarray(1));
          await setImmediate();
        }
        await keys.close();
      }
      this.#filterIsWhole = !this.#closed;
    } catch {
      // The look-up that meets the damage reports it; the filter stays unused.
    }
  }

  async recordSigned(note: Uint8Array): Promise<void> {
    await this.#recordNote('signed', note);
  }

  async recordPublished(note: Uint8Array): Promise<void> {
    await this.#recordNote('published', note);
  }

  async #recordNote(name: 'signed' | 'published', note: Uint8Array): Promise<void> {
    const copy = new Uint8Array(note);
    await this.#commit((batch) => {
      batch.put(recordKey(name), encodeNote(copy));
      return { [name]: copy };
    });
  }

  async recordVerified(size: TreeSize): Promise<void> {
    await this.#commit((batch) => {
      if (size > this.#state.size) {
        throw new DaybookError(
          'internal',
          `verified size ${size} is above the size ${this.#state.size}`,
        );
      }
      batch.put(recordKey('state'), encodeState({ ...this.#state, verifiedSize: size }));
      return { verifiedSize: size };
    });
  }

  /** Fills a batch in its turn, writes it synced, and only then lets the change be seen. */
  async #commit(fill: (batch: Batch) => Partial<StoreState>): Promise<void> {
    await this.#writes.run(
      () => {
        const batch = this.#db.batch();
        try {
          return { batch, change: fill(batch) };
        } catch (error) {
          void batch.close();
          throw error;
        }
      },
      async ({ batch, change }) => {
        await this.#easeOff();
        await batch.write({ sync: true });
        this.#state = { ...this.#state, ...change };
      },
    );
  }

  /**
   * Slows writes down a little at a time while LevelDB's compaction is behind: at twelve tables on its
   * first level it stops them all, for seconds.
   */
  async #easeOff(): Promise<void> {
    const tables = Number(this.#db.getProperty('leveldb.num-files-at-level0'));
    const wait = EASE_OFF_MS[tables];
    if (wait !== undefined) await delay(wait);
  }

  async readEntries(from: LeafIndex, count: number): Promise<Uint8Array[]> {
    if (from + count > this.#state.size) {
      throw new DaybookError(
        'not-found',
        `entries ${from} to ${from + count - 1} were asked, the size is ${this.#state.size}`,
      );
    }
    if (count === 0) return [];
    const rows = await this.#read((db) =>
      db.iterator({ ...runRange(from, count), highWaterMarkBytes: READ_BYTES }).all(),
    );
    const runs = rows.map(([key, value]) => [key, plainBytes(value)] as const);
    return unpackRuns(runs, from, count);
  }

  async readBundle(index: number, width: number): Promise<Uint8Array> {
    return encodeBundle(await this.readEntries(leafIndex(index * TILE_WIDTH), width));
  }

  async readTiles(
    tiles: readonly { readonly level: number; readonly index: number }[],
  ): Promise<Uint8Array[]> {
    const keys = tiles.map(({ level, index }) => tileKey(level, index));
    const values = await this.#read((db) => db.getMany(keys));
    return tiles.map(({ level, index }, i) => {
      const hashes = values[i];
      if (hashes === undefined) {
        throw new DaybookError('store-corrupt', `tile ${index} of level ${level} is missing`);
      }
      checkTile(level, index, hashes, 'store-corrupt');
      return plainBytes(hashes);
    });
  }

  lookup(kind: UniqueKind, digest: Uint8Array): LeafIndex | undefined {
    if (this.#filterIsWhole && !this.#filter.mayHave(digest)) return undefined;
    let value: Uint8Array | undefined;
    try {
      value = this.#db.getSync(digestKey(kind, digest, this.#key));
    } catch (error) {
      throw this.#readError(error);
    }
    return value && parseIndexValue(value);
  }

  async list(
    _kind: 'artifact',
    digest: Uint8Array,
    from: LeafIndex,
    limit: number,
  ): Promise<LeafIndex[]> {
    const range = {
      gte: artifactKey(digest, from),
      lte: artifactKey(digest, leafIndex(Number.MAX_SAFE_INTEGER)),
    };
    const keys = await this.#read((db) => db.keys({ ...range, limit }).all());
    return keys.map(indexOfArtifactKey);
  }

  async listNewest(
    _kind: 'artifact',
    digest: Uint8Array,
    end: TreeSize,
    limit: number,
  ): Promise<LeafIndex[]> {
    const range = {
      gte: artifactKey(digest, leafIndex(0)),
      lt: artifactKey(digest, leafIndex(end)),
    };
    const keys = await this.#read((db) => db.keys({ ...range, limit, reverse: true }).all());
    return keys.map(indexOfArtifactKey).reverse();
  }

  async *indexKeys(): AsyncIterable<IndexKey> {
    try {
      for (const kind of [...uniqueKinds, 'artifact'] as const) {
        const range = { ...indexKeyRange(kind), highWaterMarkBytes: READ_BYTES };
        for await (const [key, value] of this.#db.iterator(range)) {
          yield parseIndexKey(kind, key, value);
        }
      }
    } catch (error) {
      throw this.#readError(error);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#filling;
    await this.#writes.close();
    await this.#database.close();
  }

  async #read<T>(read: (db: Database) => Promise<T>): Promise<T> {
    try {
      return await read(this.#db);
    } catch (error) {
      throw this.#readError(error);
    }
  }

  #readError(cause: unknown): DaybookError {
    if (cause instanceof DaybookError) return cause;
    const damaged = (cause as { code?: unknown }).code === 'LEVEL_CORRUPTION';
    return new DaybookError(
      damaged ? 'store-corrupt' : 'store-failed',
      `${this.#directory} cannot be read: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function checkTile(
  level: number,
  index: number,
  hashes: Uint8Array,
  code: 'internal' | 'store-corrupt',
): void {
  if (hashes.length !== TILE_BYTES) {
    throw new DaybookError(
      code,
      `tile ${index} of level ${level} has ${hashes.length} bytes, want ${TILE_BYTES}`,
    );
  }
}

/** The engine gives Buffers, whose `slice` shares memory where everybody else's copies. */
function plainBytes(buffer: Uint8Array): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}
