/**
 * Batches as they stream in, cut into entries: CBOR sequences (RFC 8742) of byte strings, and lines
 * (NDJSON), whose entries are the exact bytes between the line feeds. An entry that is too large is
 * skipped without being held, and refused in its place; the next ones are still read.
 */
import { DaybookError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { ByteCollector } from '../http/byte-collector.ts';

/** An entry, possibly a view into the piece that it came in, or why it cannot be one. */
export type DecodedEntry = Uint8Array | DaybookError;

export interface EntryDecoder {
  /** Throws `bad-request` where the framing itself is wrong: nothing behind that can be read. */
  push(piece: Uint8Array): Iterable<DecodedEntry>;
  end(): Iterable<DecodedEntry>;
}

function entryTooLarge(length: number | string): DaybookError {
  return new DaybookError(
    'entry-too-large',
    `the entry has ${length} bytes, want at most ${MAX_ENTRY_BYTES}; log a manifest's digest instead`,
  );
}

const lineFeed = 0x0a;

export class LineDecoder implements EntryDecoder {
  readonly #line = new ByteCollector();
  #tooLarge = false;

  *push(piece: Uint8Array): Iterable<DecodedEntry> {
    let start = 0;
    for (let end; (end = piece.indexOf(lineFeed, start)) >= 0; start = end + 1) {
      yield this.#finish(piece.subarray(start, end));
    }
    this.#add(piece.subarray(start));
  }

  /** The last line may lack its line feed. */
  *end(): Iterable<DecodedEntry> {
    if (this.#line.length > 0 || this.#tooLarge) yield this.#finish(new Uint8Array());
  }

  #add(part: Uint8Array): void {
    if (this.#tooLarge || part.length === 0) return;
    if (this.#line.length + part.length > MAX_ENTRY_BYTES) {
      this.#tooLarge = true;
      this.#line.take();
    } else {
      this.#line.add(part);
    }
  }

  #finish(part: Uint8Array): DecodedEntry {
    if (this.#line.length === 0 && !this.#tooLarge && part.length <= MAX_ENTRY_BYTES) return part;
    this.#add(part);
    const line = this.#line.take();
    if (!this.#tooLarge) return line;
    this.#tooLarge = false;
    return entryTooLarge(`more than ${MAX_ENTRY_BYTES}`);
  }
}

const byteString = 2;

export class CborSequenceDecoder implements EntryDecoder {
  /** The head of an item that is not complete yet: its first byte and those of its length. */
  #head: number[] = [];
  /** Bytes of the current item that are still to come; undefined while its head is. */
  #missing: number | undefined;
  #length = 0;
  readonly #entry = new ByteCollector();

  *push(piece: Uint8Array): Iterable<DecodedEntry> {
    let at = 0;
    while (at < piece.length) {
      if (this.#missing === undefined) {
        this.#head.push(piece[at++] as number);
        this.#length = itemLength(this.#head) ?? -1;
        if (this.#length < 0) continue;
        this.#head = [];
        this.#missing = this.#length;
      }
      const part = piece.subarray(at, at + this.#missing);
      at += part.length;
      this.#missing -= part.length;
      if (this.#length <= MAX_ENTRY_BYTES) this.#entry.add(part);
      if (this.#missing > 0) continue;
      this.#missing = undefined;
      yield this.#length <= MAX_ENTRY_BYTES ? this.#entry.take() : entryTooLarge(this.#length);
    }
  }

  *end(): Iterable<DecodedEntry> {
    if (this.#missing === undefined && this.#head.length === 0) return;
    const missing = this.#missing ?? 'some';
    throw new DaybookError('bad-request', `the CBOR sequence is cut off: ${missing} bytes lack`);
  }
}

/** Length of a byte string by its head, undefined while the head is not complete. */
function itemLength(head: readonly number[]): number | undefined {
  const first = head[0] ?? 0;
  const size = first & 0x1f;
  if (first >> 5 !== byteString || size > 27) {
    throw new DaybookError(
      'bad-request',
      `the CBOR item begins with 0x${first.toString(16).padStart(2, '0')}, want a byte string of definite length`,
    );
  }
  if (size < 24) return size;
  if (head.length < 1 + 2 ** (size - 24)) return undefined;
  let length = 0;
  for (const byte of head.slice(1)) length = length * 256 + byte;
  return length;
}
