/**
 * The newest signed head, kept outside the engine: an engine that lost its last writes shows itself
 * by standing behind this file. Two slots of a fixed size are written in turns, so that a write cut
 * short leaves the head before it whole.
 *
 *     slot = "daybook head 1\n\0" | sequence (8) | size (8) | root (32) | note length (4) | note | SHA-256 of all before
 */
import { hash } from 'node:crypto';
import { open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { treeSize, type TreeSize } from '../encoding/integer.ts';
import { concatBytes, equalBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { syncDirectory } from './directory.ts';
import { WriteQueue } from './write-queue.ts';

/** A checkpoint that the log signed. */
export interface Head {
  /** The signed note. */
  readonly note: Uint8Array;
  readonly size: TreeSize;
  /** 32 bytes. */
  readonly root: Uint8Array;
}

interface Slot {
  readonly sequence: number;
  /** Absent in the slot that a new file begins with. */
  readonly head: Head | undefined;
}

const MAGIC = utf8('daybook head 1\n\0');
const NOTE_LENGTH_AT = MAGIC.length + 48;
const NOTE_AT = NOTE_LENGTH_AT + 4;
const ROOT_BYTES = 32;
const CHECKSUM_BYTES = 32;
/** Room for some 18 ML-DSA-44 signatures. */
const SLOT_BYTES = 64 << 10;
export const MAX_HEAD_NOTE_BYTES = SLOT_BYTES - NOTE_AT - CHECKSUM_BYTES;

export class HeadFile {
  readonly #path: string;
  readonly #file: FileHandle;
  readonly #writes: WriteQueue;
  #newest: Slot;
  /** Where the newest slot is: the other one is written next. */
  #position: 0 | 1;

  private constructor(path: string, file: FileHandle, slots: readonly (Slot | undefined)[]) {
    const newest = newestSlot(path, slots);
    this.#path = path;
    this.#file = file;
    this.#writes = new WriteQueue(path);
    this.#newest = newest;
    this.#position = newest === slots[1] ? 1 : 0;
  }

  /**
   * Opens the file, or creates it; whoever opens it holds the store beside it, so nobody else does.
   * A missing file is not an error here: a log that has signed before and reads no head must refuse.
   * Throws `store-corrupt` when no slot is whole, `store-failed` when the file cannot be used.
   */
  static async open(path: string): Promise<HeadFile> {
    const file = await openOrCreate(path);
    try {
      const headFile = new HeadFile(path, file, await readSlots(path, file));
      // What was read may be in the page cache only, after a sync that failed; and a damaged slot heals.
      await headFile.#writes.run(
        () => headFile.#newest.head,
        (head) => headFile.#writeSlot(head),
      );
      return headFile;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** The newest head of a file that nobody holds open; writes nothing. Throws as `open` does. */
  static async peek(path: string): Promise<Head | undefined> {
    const file = await openFile(path, () => open(path, 'r'));
    try {
      return newestSlot(path, await readSlots(path, file)).head;
    } finally {
      await file.close();
    }
  }

  /** The newest head, or undefined when none was ever written. */
  read(): Head | undefined {
    return this.#newest.head;
  }

  /**
   * Durable when it resolves. Throws `log-forked` for a head that goes back or disagrees with the
   * newest one, `store-failed` when the write failed: the file then takes no more.
   */
  async write(head: Head): Promise<void> {
    const copy = {
      note: new Uint8Array(head.note),
      size: head.size,
      root: new Uint8Array(head.root),
    };
    await this.#writes.run(
      () => this.#check(copy),
      () => this.#writeSlot(copy),
    );
  }

  async close(): Promise<void> {
    await this.#writes.close();
    await this.#file.close();
  }

  #check({ note, size, root }: Head): void {
    if (note.length > MAX_HEAD_NOTE_BYTES || root.length !== ROOT_BYTES) {
      throw new DaybookError(
        'internal',
        `head has a note of ${note.length} bytes and a root of ${root.length}, ` +
          `want at most ${MAX_HEAD_NOTE_BYTES} and ${ROOT_BYTES}`,
      );
    }
    const before = this.#newest.head;
    if (!before) return;
    if (size < before.size || (size === before.size && !equalBytes(root, before.root))) {
      throw new DaybookError(
        'log-forked',
        `${this.#path} holds a head of size ${before.size}; one of size ${size} ` +
          (size < before.size ? 'goes back' : 'has another root'),
      );
    }
  }

  async #writeSlot(head: Head | undefined): Promise<void> {
    const slot = { sequence: this.#newest.sequence + 1, head };
    const position = this.#position === 0 ? 1 : 0;
    await writeAll(this.#file, encodeSlot(slot), position * SLOT_BYTES);
    await this.#file.datasync();
    this.#newest = slot;
    this.#position = position;
  }
}

function newestSlot(path: string, [first, second]: readonly (Slot | undefined)[]): Slot {
  const newest = second && second.sequence > (first?.sequence ?? -1) ? second : first;
  if (newest) return newest;
  throw new DaybookError(
    'store-corrupt',
    `both heads in ${path} are damaged: what this log signed last is unknown; compare it with ` +
      'what its witnesses and clients hold before you let it sign again',
  );
}

function openOrCreate(path: string): Promise<FileHandle> {
  return openFile(path, () =>
    openExisting(path).catch(async (error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      await create(path);
      return openExisting(path);
    }),
  );
}

async function openFile(path: string, open: () => Promise<FileHandle>): Promise<FileHandle> {
  try {
    return await open();
  } catch (cause) {
    throw new DaybookError(
      'store-failed',
      `${path} cannot be opened: ${(cause as Error).message}`,
      { cause },
    );
  }
}

function openExisting(path: string): Promise<FileHandle> {
  return open(path, 'r+');
}

/** The file appears under its name when it is whole, so an empty or short one is always damage. */
async function create(path: string): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, 'w', 0o644);
  try {
    const bytes = new Uint8Array(2 * SLOT_BYTES);
    bytes.set(encodeSlot({ sequence: 0, head: undefined }));
    await writeAll(file, bytes, 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncDirectory(dirname(path));
}

async function readSlots(path: string, file: FileHandle): Promise<(Slot | undefined)[]> {
  const bytes = new Uint8Array(await file.readFile());
  if (bytes.length !== 2 * SLOT_BYTES) {
    throw new DaybookError(
      'store-corrupt',
      `${path} has ${bytes.length} bytes, want ${2 * SLOT_BYTES}: it was cut or is another file`,
    );
  }
  return [decodeSlot(bytes.subarray(0, SLOT_BYTES)), decodeSlot(bytes.subarray(SLOT_BYTES))];
}

async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  const { bytesWritten } = await file.write(bytes, 0, bytes.length, position);
  if (bytesWritten !== bytes.length) {
    throw new Error(`${bytesWritten} of ${bytes.length} bytes were written`);
  }
}

function encodeSlot({ sequence, head }: Slot): Uint8Array {
  const fixed = new Uint8Array(NOTE_AT);
  const view = new DataView(fixed.buffer);
  fixed.set(MAGIC);
  view.setBigUint64(MAGIC.length, BigInt(sequence));
  if (head) {
    view.setBigUint64(MAGIC.length + 8, BigInt(head.size));
    fixed.set(head.root, MAGIC.length + 16);
    view.setUint32(NOTE_LENGTH_AT, head.note.length);
  }
  const content = head ? concatBytes(fixed, head.note) : fixed;
  return concatBytes(content, hash('sha256', content, 'buffer'));
}

/** Undefined when the slot is not whole. */
function decodeSlot(bytes: Uint8Array): Slot | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const noteLength = view.getUint32(NOTE_LENGTH_AT);
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC) || noteLength > MAX_HEAD_NOTE_BYTES) {
    return undefined;
  }
  const content = bytes.subarray(0, NOTE_AT + noteLength);
  const checksum = bytes.subarray(content.length, content.length + CHECKSUM_BYTES);
  if (!equalBytes(hash('sha256', content, 'buffer'), checksum)) return undefined;
  const sequence = Number(view.getBigUint64(MAGIC.length));
  if (noteLength === 0) return { sequence, head: undefined };
  return {
    sequence,
    head: {
      note: content.slice(NOTE_AT),
      size: treeSize(Number(view.getBigUint64(MAGIC.length + 8))),
      root: content.slice(MAGIC.length + 16, NOTE_LENGTH_AT),
    },
  };
}
