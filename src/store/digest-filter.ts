/**
 * A blocked Bloom filter over digests: says for certain that a digest is new, which nearly all are,
 * without a look-up in the engine. Grows by layers, each twice as large as the one before.
 */

/** 512 bits, a cache line: all bits of a digest lie in one block. */
const BLOCK_WORDS = 16;
/** At 16 bits for each digest about one new digest in a thousand is looked up in vain. */
const DIGESTS_PER_BLOCK = 32;
const BITS_PER_DIGEST = 8;
const FIRST_LAYER_BLOCKS = 1 << 14;

interface Layer {
  readonly words: Uint32Array;
  readonly blocks: number;
  count: number;
}

export class DigestFilter {
  readonly #layers: Layer[] = [emptyLayer(FIRST_LAYER_BLOCKS)];

  /** Digests are SHA-256 values: their bytes are as good as random, and serve as the hashes. */
  add(digest: Uint8Array): void {
    let layer = this.#layers.at(-1) as Layer;
    if (layer.count >= layer.blocks * DIGESTS_PER_BLOCK) {
      layer = emptyLayer(2 * layer.blocks);
      this.#layers.push(layer);
    }
    layer.count += 1;
    const block = blockOf(digest, layer);
    for (let i = 0; i < BITS_PER_DIGEST; i++) {
      const bit = bitOf(digest, i);
      const at = block + (bit >>> 5);
      layer.words[at] = (layer.words[at] as number) | (1 << (bit & 31));
    }
  }

  /** False: it was never added. True: perhaps it was. */
  mayHave(digest: Uint8Array): boolean {
    return this.#layers.some((layer) => has(layer, digest));
  }
}

function emptyLayer(blocks: number): Layer {
  return { words: new Uint32Array(blocks * BLOCK_WORDS), blocks, count: 0 };
}

function has(layer: Layer, digest: Uint8Array): boolean {
  const block = blockOf(digest, layer);
  for (let i = 0; i < BITS_PER_DIGEST; i++) {
    const bit = bitOf(digest, i);
    if (((layer.words[block + (bit >>> 5)] as number) & (1 << (bit & 31))) === 0) return false;
  }
  return true;
}

/** First word of the digest's block, chosen by its first four bytes. */
function blockOf(digest: Uint8Array, { blocks }: Layer): number {
  return ((word(digest, 0) >>> 0) % blocks) * BLOCK_WORDS;
}

/** One of the 512 bits of a block, chosen by two bytes behind the first four. */
function bitOf(digest: Uint8Array, i: number): number {
  const at = 4 + 2 * i;
  return (((digest[at] as number) << 8) | (digest[at + 1] as number)) & 511;
}

function word(digest: Uint8Array, at: number): number {
  return (
    ((digest[at] as number) << 24) |
    ((digest[at + 1] as number) << 16) |
    ((digest[at + 2] as number) << 8) |
    (digest[at + 3] as number)
  );
}
