/**
 * A tile log in memory that answers `fetch`, so that tests can make it lie: forget, fork, cut and
 * forge. What it serves when it is honest comes from the leaves by plain recursion.
 */
import { utf8 } from '../../src/encoding/bytes.ts';
import { leafIndex, treeSize } from '../../src/encoding/integer.ts';
import { encodeBundle } from '../../src/merkle/bundle.ts';
import { rfc6962, type Hash } from '../../src/merkle/hash.ts';
import { proveInclusion } from '../../src/merkle/inclusion.ts';
import type { ReadHashes } from '../../src/merkle/node.ts';
import { parseTilePath } from '../../src/merkle/tile.ts';
import { formatCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote } from '../../src/note/note.ts';
import { signNote, type NoteSigner } from '../../src/note/sign.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { formatTlogProof } from '../../src/proof/tlog-proof.ts';
import { newNoteSigner } from '../note/new-signer.ts';

type Answer = Response | undefined | Promise<Response | undefined>;

export class MemoryLog {
  readonly origin: string;
  readonly signer: NoteSigner;
  readonly entries: Uint8Array[] = [];
  /** Paths that were asked for, with their method. */
  readonly asked: string[] = [];
  /** Answers before the log does; undefined leaves it to the log. */
  intercept: (path: string, request: Request) => Answer = () => undefined;
  /** Checkpoints cover so many entries; all when undefined. */
  published: number | undefined;
  readonly #nodes = new Map<string, Hash>();

  private constructor(origin: string, signer: NoteSigner) {
    this.origin = origin;
    this.signer = signer;
  }

  static async create(
    entries: readonly Uint8Array[] = [],
    origin = 'log.example',
  ): Promise<MemoryLog> {
    const log = new MemoryLog(origin, await newNoteSigner(origin, 0x01));
    log.entries.push(...entries);
    return log;
  }

  /** Another log under the same key, with other entries from `at` on. */
  fork(at: number, ...entries: readonly Uint8Array[]): MemoryLog {
    const fork = new MemoryLog(this.origin, this.signer);
    fork.entries.push(...this.entries.slice(0, at), ...entries);
    return fork;
  }

  get vkey(): string {
    return formatVkey(this.signer.key);
  }

  get size(): number {
    return this.published ?? this.entries.length;
  }

  root(size: number): Hash {
    return size === 0 ? rfc6962.emptyRoot : this.#mth(0, size);
  }

  async note(
    size = this.size,
    signers: readonly NoteSigner[] = [this.signer],
    root = this.root(size),
  ): Promise<Uint8Array> {
    const text = formatCheckpoint({
      origin: this.origin,
      size: treeSize(size),
      root,
      extensions: [],
    });
    return utf8(formatNote(await signNote(text, signers, 1_790_000_000)));
  }

  async proof(index: number, size = this.size, checkpoint?: Uint8Array): Promise<Uint8Array> {
    const { proof: hashes } = await proveInclusion(index, size, this.read);
    return utf8(
      formatTlogProof({
        extra: this.entries[index]!,
        index: leafIndex(index),
        hashes,
        checkpoint: checkpoint ?? (await this.note(size)),
      }),
    );
  }

  readonly read: ReadHashes = async (nodes) =>
    nodes.map(({ level, index }) => this.#node(level, index));

  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init);
    request.signal.throwIfAborted();
    const path = new URL(request.url).pathname.slice(1);
    this.asked.push(`${request.method} ${path}`);
    return (await this.intercept(path, request)) ?? (await this.#answer(path, request));
  };

  async #answer(path: string, request: Request): Promise<Response> {
    if (request.method === 'POST') return this.#submit(new Uint8Array(await request.arrayBuffer()));
    if (path === 'checkpoint') return answer(await this.note());
    const index = /^proofs\/entry\/(\d+)$/.exec(path)?.[1];
    if (index !== undefined && Number(index) < this.size)
      return answer(await this.proof(Number(index)));
    const bytes = this.tile(path);
    return bytes === undefined ? problem(404, 'not-found') : answer(bytes);
  }

  async #submit(entry: Uint8Array): Promise<Response> {
    const known = this.entries.findIndex((other) => Buffer.compare(other, entry) === 0);
    const index = known === -1 ? this.entries.push(entry) - 1 : known;
    const leafHash = Buffer.from(rfc6962.leaf(entry)).toString('base64');
    if (index >= this.size) {
      const headers = { location: `/proofs/entry/${index}` };
      return Response.json({ index, leafHash, duplicate: known !== -1 }, { status: 202, headers });
    }
    const proof = Buffer.from(await this.proof(index)).toString();
    return Response.json(
      { index, leafHash, duplicate: known !== -1, proof },
      { status: known === -1 ? 201 : 200 },
    );
  }

  /** Bytes of a tile or bundle, if the log has so much. */
  tile(path: string): Uint8Array | undefined {
    const resource = parseTilePath(path);
    if (resource === undefined) return undefined;
    if (resource.kind === 'entries') {
      const first = resource.index * 256;
      const entries = this.entries.slice(first, first + resource.width);
      return entries.length < resource.width ? undefined : encodeBundle(entries);
    }
    const { level, index, width } = resource.tile;
    if ((index * 256 + width) * 256 ** level > this.entries.length) return undefined;
    const hashes = Array.from({ length: width }, (_, i) => this.#node(8 * level, index * 256 + i));
    return Buffer.concat(hashes);
  }

  #mth(from: number, to: number): Hash {
    const level = Math.floor(Math.log2(to - from));
    const split = from + 2 ** level;
    const left = this.#node(level, from / 2 ** level);
    return split === to ? left : rfc6962.node(left, this.#mth(split, to));
  }

  #node(level: number, index: number): Hash {
    const key = `${level}/${index}`;
    const known = this.#nodes.get(key);
    if (known !== undefined) return known;
    const hash =
      level === 0
        ? rfc6962.leaf(this.entries[index]!)
        : rfc6962.node(this.#node(level - 1, 2 * index), this.#node(level - 1, 2 * index + 1));
    this.#nodes.set(key, hash);
    return hash;
  }
}

export function problem(
  status: number,
  code: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json(
    { type: `urn:daybook:error:${code}`, title: code, status, detail: `told ${code}`, code },
    { status, headers: { ...headers, 'content-type': 'application/problem+json' } },
  );
}

export function answer(bytes: Uint8Array): Response {
  return new Response(new Uint8Array(bytes));
}

export function numbered(count: number, label = 'entry'): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => utf8(`${label} ${i}`));
}
