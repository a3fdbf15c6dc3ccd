/**
 * The store's few small records. Each carries a checksum of its own: LevelDB checks its tables
 * only when it compacts them, and a state read wrongly would be signed.
 *
 *     state  = format (1) | size (8) | verified size (8) | root (32) | SHA-256 of all before
 *     note   = format (1) | note bytes | SHA-256 of all before
 *
 * The record `r.format` is the format as ASCII decimal, forever: it tells old data and newer data
 * apart from ours before anything else is read.
 */
import { hash } from 'node:crypto';
import { treeSize, type TreeSize } from '../encoding/integer.ts';
import { concatBytes, equalBytes, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';

/** Format of the data that this code writes and reads. */
const FORMAT = 1;

export type RecordName = 'format' | 'state' | 'signed' | 'published';

export function recordKey(name: RecordName): Uint8Array {
  return utf8(`r.${name}`);
}

export interface TreeState {
  readonly size: TreeSize;
  readonly verifiedSize: TreeSize;
  readonly root: Uint8Array;
}

const ROOT_BYTES = 32;
const CHECKSUM_BYTES = 32;

function checksum(bytes: Uint8Array): Uint8Array {
  return hash('sha256', bytes, 'buffer');
}

function seal(body: Uint8Array): Uint8Array {
  const head = concatBytes(Uint8Array.of(FORMAT), body);
  return concatBytes(head, checksum(head));
}

function unseal(name: RecordName, bytes: Uint8Array): Uint8Array {
  const head = bytes.subarray(0, -CHECKSUM_BYTES);
  if (head.length === 0 || !equalBytes(checksum(head), bytes.subarray(-CHECKSUM_BYTES))) {
    throw new DaybookError('store-corrupt', `the record r.${name} does not match its checksum`);
  }
  if (head[0] !== FORMAT) {
    throw new DaybookError(
      'store-corrupt',
      `the record r.${name} has format ${head[0]}, want ${FORMAT}`,
    );
  }
  return new Uint8Array(head.subarray(1));
}

export function encodeState({ size, verifiedSize, root }: TreeState): Uint8Array {
  if (root.length !== ROOT_BYTES) {
    throw new DaybookError('internal', `root has ${root.length} bytes, want ${ROOT_BYTES}`);
  }
  const body = new Uint8Array(16 + ROOT_BYTES);
  const view = new DataView(body.buffer);
  view.setBigUint64(0, BigInt(size));
  view.setBigUint64(8, BigInt(verifiedSize));
  body.set(root, 16);
  return seal(body);
}

/** Throws `store-corrupt`. */
export function decodeState(bytes: Uint8Array): TreeState {
  const body = unseal('state', bytes);
  if (body.length !== 16 + ROOT_BYTES) {
    throw new DaybookError('store-corrupt', `the record r.state has ${bytes.length} bytes`);
  }
  const view = new DataView(body.buffer);
  return {
    size: treeSize(Number(view.getBigUint64(0))),
    verifiedSize: treeSize(Number(view.getBigUint64(8))),
    root: body.subarray(16),
  };
}

export const encodeNote: (note: Uint8Array) => Uint8Array = seal;

/** Throws `store-corrupt`. */
export function decodeNote(name: 'signed' | 'published', bytes: Uint8Array): Uint8Array {
  return unseal(name, bytes);
}

export function encodeFormat(): Uint8Array {
  return utf8(String(FORMAT));
}

/** Throws `wrong-directory` when the data were written in a format that this code does not know. */
export function checkFormat(directory: string, bytes: Uint8Array): void {
  const found = new TextDecoder().decode(bytes);
  if (found !== String(FORMAT)) {
    throw new DaybookError(
      'wrong-directory',
      `${directory} has data format ${JSON.stringify(found.slice(0, 24))}, this Daybook reads ` +
        `format ${FORMAT}: use the version of Daybook that wrote it`,
    );
  }
}
