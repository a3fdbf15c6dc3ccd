/**
 * Small durable state in LevelDB for those who must never forget: witnesses, mirrors, monitors.
 * LevelDB skips damaged records of its write-ahead log without a word, in the middle too, so each
 * synced write is numbered, and the last number is kept in a synced file outside: a hole in the
 * numbers, or a last one behind that file's, is a lost write.
 *
 *     c | number (8)     -> bytes written since the store was made (8), sealed
 *     v | key (UTF-8)    -> value, sealed
 *
 * Sealed: the bytes and then the first 16 bytes of SHA-256(key || bytes).
 */
import { hash } from 'node:crypto';
import { join } from 'node:path';
import { readdir } from 'node:fs/promises';
import { treeSize } from '../encoding/integer.ts';
import { concatBytes, decodeUtf8, equalBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { HeadFile } from './head-file.ts';
import { openDatabase, type Database, type OpenDatabase } from './opener.ts';
import { WriteQueue } from './write-queue.ts';

/** What is written, all of it or nothing. */
export interface Change {
  readonly put?: Iterable<readonly [key: string, value: Uint8Array]>;
  readonly delete?: Iterable<string>;
}

export interface RecordStore {
  /** Whether a write has failed: then it is unknown what is durable until the store is opened anew. */
  readonly failed: boolean;
  /** What is durable. Throws `store-corrupt` for a damaged record. */
  get(key: string): Uint8Array | undefined;
  /** All records whose keys begin so, in the order of their keys' bytes. */
  list(prefix: string): AsyncIterable<readonly [key: string, value: Uint8Array]>;
  /**
   * Atomic, and durable when it resolves. Changes that come together are written together, in their
   * order. After a failed write every further one is refused with `store-failed`.
   */
  commit(change: Change): Promise<void>;
  /** Waits for the commits that were begun. */
  close(): Promise<void>;
}

interface Waiting {
  readonly change: Change;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const COUNT = 0x63;
const VALUE = 0x76;
const CHECKSUM_BYTES = 16;
/** Bytes of records behind which a write has left the write-ahead log: more than two write buffers. */
const SETTLED_BYTES = 16 << 20;
const WRITE_BUFFER_BYTES = 4 << 20;
/** So many numbers are kept at least, that a lost write is never the oldest of them. */
const LEAST_KEPT = 16;
const READ_BYTES = 1 << 20;
/** The file outside holds a head whose size is the number; its root and note say nothing more. */
const noRoot = new Uint8Array(32);
const fileNote = utf8('daybook records 1\n');

/**
 * Opens the state in `directory`; with `create`, makes an empty one where there is none and refuses
 * one that exists. Throws `state-missing`, `store-corrupt`, and what `openDatabase` throws.
 */
export async function openRecordStore(
  directory: string,
  { create }: { readonly create: boolean },
): Promise<RecordStore> {
  await checkPresence(directory, create);
  const database = await openDatabase(join(directory, 'db'), {
    writeBufferSize: WRITE_BUFFER_BYTES,
    // Values here are hashes, keys and signatures.
    compression: false,
  });
  let file: HeadFile | undefined;
  try {
    file = await HeadFile.open(join(directory, 'head'));
    const counted = await readCounts(database.db, directory);
    const least = file.read()?.size;
    if (least === undefined && !create) throw lost(directory, 'its file `head` is missing');
    if (least !== undefined && counted.number < least) {
      throw lost(directory, `write ${least} was made, the last one there is ${counted.number}`);
    }
    const store = new LevelRecordStore(directory, database, file, counted);
    if (create) await store.commit({});
    return store;
  } catch (error) {
    await file?.close();
    await database.close();
    throw error;
  }
}

async function checkPresence(directory: string, create: boolean): Promise<void> {
  const names = await readdir(directory).catch((): string[] => []);
  const present = names.includes('db') || names.includes('head');
  if (create && present) {
    throw new DaybookError('wrong-directory', `${directory} holds a state already`);
  }
  if (!create && !(names.includes('db') && names.includes('head'))) {
    throw new DaybookError(
      'state-missing',
      `${directory} does not hold the state that belongs to the key: bring it back from where it is. ` +
        'If it is lost, make a new key: the old one must never sign from an empty state',
    );
  }
}

interface Write {
  readonly number: number;
  /** Bytes that were written with it and before it. */
  readonly bytes: number;
}

interface Counted {
  /** Of the newest write. */
  readonly number: number;
  /** All that was ever written. */
  readonly bytes: number;
  /** The numbers that are still kept, oldest first. */
  readonly kept: readonly Write[];
}

/** Throws `store-corrupt` for a hole. */
async function readCounts(db: Database, directory: string): Promise<Counted> {
  const kept: Write[] = [];
  const range = { gte: Uint8Array.of(COUNT), lt: Uint8Array.of(COUNT + 1) };
  for await (const [key, value] of db.iterator({ ...range, highWaterMarkBytes: READ_BYTES })) {
    const number = uint64At(key, 1);
    const before = kept.at(-1);
    if (before && number !== before.number + 1) {
      throw lost(directory, `write ${before.number + 1} is missing, ${number} is there`);
    }
    kept.push({ number, bytes: uint64At(unseal(key, value), 0) });
  }
  const oldest = kept[0]?.number ?? 1;
  if (oldest > 1 && kept.length < LEAST_KEPT) {
    throw lost(directory, `writes up to ${oldest - 1} are not followed by ${LEAST_KEPT} others`);
  }
  const newest = kept.at(-1);
  return { number: newest?.number ?? 0, bytes: newest?.bytes ?? 0, kept };
}

class LevelRecordStore implements RecordStore {
  readonly #directory: string;
  readonly #database: OpenDatabase;
  readonly #db: Database;
  readonly #file: HeadFile;
  readonly #writes: WriteQueue;
  /** Numbers that are kept, oldest first. */
  readonly #kept: Write[];
  #number: number;
  #bytes: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #failed = false;

  constructor(directory: string, database: OpenDatabase, file: HeadFile, counted: Counted) {
    this.#directory = directory;
    this.#database = database;
    this.#db = database.db;
    this.#file = file;
    this.#writes = new WriteQueue(directory);
    this.#kept = [...counted.kept];
    this.#number = counted.number;
    this.#bytes = counted.bytes;
  }

  get failed(): boolean {
    return this.#failed;
  }

  get(key: string): Uint8Array | undefined {
    const name = valueKey(key);
    return this.#reading(() => {
      const value = this.#db.getSync(name);
      return value && unseal(name, value);
    });
  }

  async *list(prefix: string): AsyncGenerator<readonly [string, Uint8Array]> {
    const first = valueKey(prefix);
    const range = { gte: first, highWaterMarkBytes: READ_BYTES };
    for await (const [key, value] of this.#db.iterator(range)) {
      if (!equalBytes(key.subarray(0, first.length), first)) return;
      yield [decodeUtf8(key.subarray(1)), this.#reading(() => unseal(key, value))];
    }
  }

  commit(change: Change): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ change, resolve, reject });
      this.#writing ??= this.#writeAll();
    });
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#writes.close();
    await this.#file.close();
    await this.#database.close();
  }

  /** While one group is being synced, the next one gathers. */
  async #writeAll(): Promise<void> {
    // What is asked for in one turn of the event loop travels together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        await this.#write(group.map(({ change }) => change));
        for (const { resolve } of group) resolve();
      } catch (error) {
        this.#failed = true;
        for (const { reject } of group) reject(error);
      }
    }
    this.#writing = undefined;
  }

  async #write(changes: readonly Change[]): Promise<void> {
    await this.#writes.run(
      () => undefined,
      async () => {
        const number = this.#number + 1;
        const batch = this.#db.batch();
        let bytes = 0;
        const put = (key: Uint8Array, value: Uint8Array): void => {
          batch.put(key, sealed(key, value));
          bytes += key.length + value.length + CHECKSUM_BYTES;
        };
        for (const change of changes) {
          for (const key of change.delete ?? []) batch.del(valueKey(key));
          for (const [key, value] of change.put ?? []) put(valueKey(key), value);
        }
        const total = this.#bytes + bytes;
        put(countKey(number), uint64(total));
        const settled = this.#kept
          .slice(0, 1 - LEAST_KEPT)
          .filter((kept) => total - kept.bytes > SETTLED_BYTES);
        for (const kept of settled) batch.del(countKey(kept.number));
        await batch.write({ sync: true });
        await this.#file.write({ note: fileNote, size: treeSize(number), root: noRoot });
        this.#kept.splice(0, settled.length);
        this.#kept.push({ number, bytes: total });
        this.#number = number;
        this.#bytes = total;
      },
    );
  }

  #reading<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw new DaybookError('store-corrupt', `${this.#directory}: ${(cause as Error).message}`, {
        cause,
      });
    }
  }
}

function valueKey(key: string): Uint8Array {
  return concatBytes(Uint8Array.of(VALUE), utf8(key));
}

function countKey(number: number): Uint8Array {
  return concatBytes(Uint8Array.of(COUNT), uint64(number));
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
  return bytes;
}

function uint64At(bytes: Uint8Array, at: number): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(at));
}

function checksum(key: Uint8Array, value: Uint8Array): Uint8Array {
  return hash('sha256', concatBytes(key, value), 'buffer').subarray(0, CHECKSUM_BYTES);
}

function sealed(key: Uint8Array, value: Uint8Array): Uint8Array {
  return concatBytes(value, checksum(key, value));
}

/** Throws `store-corrupt`. */
function unseal(key: Uint8Array, stored: Uint8Array): Uint8Array {
  const value = new Uint8Array(stored.subarray(0, -CHECKSUM_BYTES));
  if (
    stored.length < CHECKSUM_BYTES ||
    !equalBytes(checksum(key, value), stored.subarray(-CHECKSUM_BYTES))
  ) {
    throw new DaybookError(
      'store-corrupt',
      `the record ${JSON.stringify(new TextDecoder().decode(key.subarray(1)).slice(0, 100))} does not match its checksum: ` +
        'bring the state back from where it is whole, or make a new key',
    );
  }
  return value;
}

function lost(directory: string, what: string): DaybookError {
  return new DaybookError(
    'store-corrupt',
    `${directory} has lost writes: ${what}. Whoever signs from this state may contradict what they ` +
      'signed before: bring it back from where it is whole, or make a new key',
  );
}
