import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { treeSize } from '../../src/encoding/integer.ts';
import { asHash } from '../../src/merkle/hash.ts';
import { formatCheckpoint, parseCheckpoint } from '../../src/note/checkpoint.ts';

/** From the specification. */
const example = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
`;
const root = encodeBase64(new Uint8Array(32));
const badCheckpoint = (message: RegExp): unknown =>
  expect.objectContaining({
    code: 'bad-checkpoint',
    message: expect.stringMatching(message) as string,
  });

describe('checkpoints', () => {
  it('reads and writes the example of the specification', () => {
    const checkpoint = parseCheckpoint(example);
    expect(checkpoint).toMatchObject({
      origin: 'example.com/behind-the-sofa',
      size: 20852163,
      extensions: [],
    });
    expect(formatCheckpoint(checkpoint)).toBe(example);
  });

  it('reads back any that it writes', () => {
    const word = fc.string({ unit: fc.constantFrom(...'ab +—é'), minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        word,
        fc.maxSafeNat(),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        fc.array(word, { maxLength: 3 }),
        (origin, size, hash, extensions) => {
          const checkpoint = { origin, size: treeSize(size), root: asHash(hash), extensions };
          expect(parseCheckpoint(formatCheckpoint(checkpoint))).toEqual(checkpoint);
        },
      ),
    );
  });

  it('keeps extension lines', () => {
    expect(parseCheckpoint(`a\n0\n${root}\nfirst\nsecond\n`).extensions).toEqual([
      'first',
      'second',
    ]);
  });

  it.each([
    ['no root', 'a\n0\n', /2 full lines/],
    ['an unfinished root', `a\n0\n${root}`, /2 full lines/],
    ['nothing', '', /0 full lines/],
    ['no origin', `\n0\n${root}\n`, /line 1 is empty/],
    ['an empty extension', `a\n0\n${root}\n\nb\n`, /line 4 is empty/],
    ['an empty line at the end', `a\n0\n${root}\n\n`, /line 4 is empty/],
    ['a leading zero', `a\n00\n${root}\n`, /"00" is not a decimal/],
    ['a sign', `a\n+1\n${root}\n`, /"\+1"/],
    ['a size of 2^53', `a\n9007199254740992\n${root}\n`, /9007199254740992/],
    ['a size of 2^64', `a\n18446744073709551616\n${root}\n`, /18446744073709551616/],
    ['a short root', `a\n0\nAAAA\n`, /3 bytes, want 32/],
    ['a root without padding', `a\n0\n${root.slice(0, -1)}\n`, /not canonical base64/],
  ])('refuses one with %s', (_, text, message) => {
    expect(() => parseCheckpoint(text)).toThrow(badCheckpoint(message));
  });

  it('does not write a line that is empty or two lines', () => {
    const checkpoint = parseCheckpoint(example);
    for (const line of ['', 'a\n5', 'a\r']) {
      expect(() => formatCheckpoint({ ...checkpoint, origin: line })).toThrow(badCheckpoint(/./));
      expect(() => formatCheckpoint({ ...checkpoint, extensions: [line] })).toThrow(
        badCheckpoint(/./),
      );
    }
  });
});
