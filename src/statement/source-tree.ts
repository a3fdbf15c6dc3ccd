/**
 * The tree behind a source commitment: a Merkle tree (RFC 6962 section 2.1) whose leaves hide names
 * and contents behind a salt for each file, so that one file can be opened without the others.
 *
 *     salt = HMAC-SHA-256(master, path)
 *     leaf = salt (32 bytes) || mode ("100644") || SHA-256(content) (32 bytes) || path (UTF-8)
 *     root = SHA-256("daybook source v1\n" || number of files (be64) || hash of the tree)
 */
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { concatBytes, equalBytes, utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { asHash, rfc6962, type Hash } from '../merkle/hash.ts';
import { rootFromInclusion, siblingsOfLeaf } from '../merkle/inclusion.ts';
import { rootOfLeaves } from '../merkle/root.ts';

/** As git has them: a file, an executable file, and a symbolic link, whose content is its target. */
export const fileModes = ['100644', '100755', '120000'] as const;
export type FileMode = (typeof fileModes)[number];

export interface SourceFile {
  /** Relative to the top of the tree, with `/`. */
  readonly path: string;
  readonly mode: FileMode;
  /** SHA-256 of the content. */
  readonly sha256: Uint8Array;
}

export interface SourceRoot {
  /** What is published: 32 bytes. */
  readonly root: Hash;
  readonly files: number;
}

/** One file of a committed tree, with all that a stranger to the rest needs to check it. */
export interface Opening extends SourceFile {
  /** 32 bytes; says nothing about the salts of other files. */
  readonly salt: Uint8Array;
  /** The place of the path among all paths, which are sorted by their bytes. */
  readonly index: number;
  /** Number of files in the tree. */
  readonly size: number;
  /** The leaf's sibling first, as in an inclusion proof. */
  readonly proof: readonly Hash[];
}

export const MASTER_BYTES = 32;
/** Linux's limit of a path. */
const MAX_PATH_BYTES = 4096;
const domain = utf8('daybook source v1\n');

/**
 * Commits to files in whatever order they come. Throws `bad-key` for a master secret that is not 32
 * bytes, `bad-statement` for no file at all, a path given twice, and what no file of a tree can be.
 */
export function commitSource(files: readonly SourceFile[], master: Uint8Array): SourceRoot {
  const { hashes } = hashTree(files, master);
  return { root: rootOf(rootOfLeaves(hashes), hashes.length), files: hashes.length };
}

/** Opens the file at `path`. Throws `not-found` when there is none, else as `commitSource`. */
export function openFile(files: readonly SourceFile[], master: Uint8Array, path: string): Opening {
  const { sorted, hashes } = hashTree(files, master);
  const index = sorted.findIndex((leaf) => leaf.file.path === path);
  const leaf = sorted[index];
  if (leaf === undefined) {
    throw new DaybookError(
      'not-found',
      `the source has no file ${JSON.stringify(path)} among its ${sorted.length}`,
    );
  }
  const { mode, sha256 } = leaf.file;
  const size = hashes.length;
  const proof = siblingsOfLeaf(index, size).map(({ from, to }) =>
    rootOfLeaves(hashes.slice(from, to)),
  );
  return { path, mode, sha256, salt: saltOf(master, leaf.pathBytes), index, size, proof };
}

/**
 * Throws `inclusion-invalid` unless the opening leads to `root`. It then shows that the tree holds
 * this file; not that it holds no other one of the same path, which takes the whole tree.
 */
export function checkOpening(opening: Opening, root: Uint8Array): void {
  const { salt, index, size, proof } = opening;
  const leafHash = leafOf(opening, salt, pathBytes(opening.path));
  const computed = rootOf(rootFromInclusion({ index, size, leafHash, proof }), size);
  if (!equalBytes(computed, root)) {
    throw new DaybookError(
      'inclusion-invalid',
      `the opening of ${JSON.stringify(opening.path)} leads to the commitment ${encodeHex(computed)}, want ${encodeHex(root)}`,
    );
  }
}

interface NamedLeaf {
  readonly file: SourceFile;
  readonly pathBytes: Uint8Array;
}

function hashTree(
  files: readonly SourceFile[],
  master: Uint8Array,
): { sorted: readonly NamedLeaf[]; hashes: readonly Hash[] } {
  if (master.length !== MASTER_BYTES) {
    throw new DaybookError(
      'bad-key',
      `the master secret has ${master.length} bytes, want ${MASTER_BYTES}`,
    );
  }
  if (files.length === 0) throw bad('it has no file');
  const sorted = files
    .map((file) => ({ file, pathBytes: pathBytes(file.path) }))
    .sort((a, b) => compareBytes(a.pathBytes, b.pathBytes));
  const twice = sorted.find(({ file }, i) => file.path === sorted[i - 1]?.file.path);
  if (twice !== undefined) throw bad(`it has ${JSON.stringify(twice.file.path)} twice`);
  const hashes = sorted.map((leaf) =>
    leafOf(leaf.file, saltOf(master, leaf.pathBytes), leaf.pathBytes),
  );
  return { sorted, hashes };
}

function saltOf(master: Uint8Array, path: Uint8Array): Uint8Array {
  return hmac(sha256, master, path);
}

/** Only the path varies in length, and it is the last: no two files have the same leaf. */
function leafOf({ mode, sha256: content }: SourceFile, salt: Uint8Array, path: Uint8Array): Hash {
  if (!fileModes.includes(mode)) {
    throw bad(`the mode "${mode as string}" is not one of ${fileModes.join(', ')}`);
  }
  return rfc6962.leaf(concatBytes(asHash(salt), utf8(mode), asHash(content), path));
}

/** The number of files is bound as well: a proof's path alone fits trees of several sizes. */
function rootOf(tree: Hash, files: number): Hash {
  const count = new Uint8Array(8);
  new DataView(count.buffer).setBigUint64(0, BigInt(files));
  return asHash(sha256(concatBytes(domain, count, tree)));
}

function pathBytes(path: string): Uint8Array {
  const segments = path.split('/');
  if (segments.some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw bad(`${JSON.stringify(path.slice(0, 200))} is no plain relative path`);
  }
  if (path.includes('\0') || !path.isWellFormed()) {
    throw bad(`the path ${JSON.stringify(path.slice(0, 200))} has a NUL or is not Unicode`);
  }
  const bytes = utf8(path);
  if (bytes.length > MAX_PATH_BYTES) {
    throw bad(`a path has ${bytes.length} bytes, want at most ${MAX_PATH_BYTES}`);
  }
  return bytes;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function bad(problem: string): DaybookError {
  return new DaybookError('bad-statement', `source tree refused: ${problem}`);
}
