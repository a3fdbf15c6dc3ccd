/**
 * The file that opens one file of a committed source tree to a third party:
 *
 *     {"format":"daybook-source-opening/v1","path":"src/main.c","mode":"100644","sha256":"…",
 *      "salt":"…","index":3,"size":412,"proof":["…", …]}
 *
 * Whoever sent it controls each member.
 */
import { utf8 } from '../encoding/bytes.ts';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import { parseStrictJson, type JsonValue } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import { asHash, type Hash } from '../merkle/hash.ts';
import { shape } from './shape.ts';
import { fileModes, type FileMode, type Opening } from './source-tree.ts';

export const MAX_OPENING_BYTES = 64 * 1024;
const format = 'daybook-source-opening/v1';
const members = ['format', 'path', 'mode', 'sha256', 'salt', 'index', 'size', 'proof'];
/** As many as an inclusion proof can have. */
const MAX_PROOF_HASHES = 53;
const { object, array, string, integer, only, within } = shape('bad-proof');

export function formatOpening(opening: Opening): Uint8Array {
  const { path, mode, sha256, salt, index, size, proof } = opening;
  const hex = { sha256: encodeHex(sha256), salt: encodeHex(salt), index, size };
  const value = { format, path, mode, ...hex, proof: proof.map(encodeHex) };
  return utf8(`${JSON.stringify(value, undefined, 2)}\n`);
}

/** Throws `bad-proof`, whatever is wrong with it; nothing in it is verified yet. */
export function parseOpening(bytes: Uint8Array): Opening {
  if (bytes.length > MAX_OPENING_BYTES) {
    throw new DaybookError(
      'bad-proof',
      `the opening has ${bytes.length} bytes, want at most ${MAX_OPENING_BYTES}`,
    );
  }
  const json = within('opening', () => parseStrictJson(bytes, { maxDepth: 2 }));
  const opening = object(json, 'opening');
  only(opening, members, 'opening');
  if (opening.format !== format) {
    throw new DaybookError('bad-proof', `the opening's format is not "${format}"`);
  }
  return {
    path: string(opening.path, 'path'),
    mode: fileMode(opening.mode),
    sha256: hash(opening.sha256, 'sha256'),
    salt: hash(opening.salt, 'salt'),
    index: integer(opening.index, 'index', 0),
    size: integer(opening.size, 'size', 1),
    proof: array(opening.proof, 'proof', MAX_PROOF_HASHES).map((value) => hash(value, 'proof')),
  };
}

function fileMode(value: JsonValue | undefined): FileMode {
  const mode = fileModes.find((known) => known === value);
  if (mode !== undefined) return mode;
  throw new DaybookError('bad-proof', `mode is not one of ${fileModes.join(', ')}`);
}

function hash(value: JsonValue | undefined, what: string): Hash {
  const text = string(value, what, 64);
  return within(what, () => asHash(decodeHex(text)));
}
