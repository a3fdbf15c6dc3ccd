/** Appends whose every byte follows from the size they start at, so that any reader can check them. */
import { hash, randomBytes } from 'node:crypto';
import { leafIndex, treeSize } from '../../src/encoding/integer.ts';
import type { Append, FullTile, IndexKey } from '../../src/store/store.ts';

export function digestOf(text: string): Uint8Array {
  return new Uint8Array(hash('sha256', text, 'buffer'));
}

/** Entry `index`: 0 to 600 bytes. */
function entryAt(index: number): Uint8Array {
  const seed = digestOf(`entry ${index}`);
  const entry = new Uint8Array((seed[0]! * 256 + seed[1]!) % 601);
  for (let i = 0; i < entry.length; i += 1) entry[i] = seed[i % 32]! ^ (i >> 5);
  return entry;
}

export function entriesAt(from: number, count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => entryAt(from + i));
}

export function tileAt(level: number, index: number): FullTile {
  const hashes = new Uint8Array(8192).fill(digestOf(`tile ${level} ${index}`)[0]!);
  return { level, index, hashes };
}

export function rootAt(size: number): Uint8Array {
  return digestOf(`root ${size}`);
}

/** Each entry has a dedupe, a leaf and a channel key, and one of three artifacts. */
export function appendAt(from: number, count: number): Append {
  const keys: IndexKey[] = [];
  for (let i = from; i < from + count; i += 1) {
    const index = leafIndex(i);
    keys.push({ kind: 'dedupe', digest: digestOf(`dedupe ${i}`), index });
    keys.push({ kind: 'leaf', digest: digestOf(`leaf ${i}`), index });
    keys.push({ kind: 'channel', digest: digestOf(`channel ${i}`), index });
    keys.push({ kind: 'artifact', digest: digestOf(`artifact ${i % 3}`), index });
  }
  const tiles: FullTile[] = [];
  for (let i = Math.floor(from / 256); i < Math.floor((from + count) / 256); i += 1) {
    tiles.push(tileAt(0, i));
  }
  return {
    expectedSize: treeSize(from),
    entries: entriesAt(from, count),
    tiles,
    keys,
    root: rootAt(from + count),
  };
}

export function sampleNote(bytes: number): Uint8Array {
  return new Uint8Array(randomBytes(bytes));
}
