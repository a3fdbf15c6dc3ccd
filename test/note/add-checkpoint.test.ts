import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { treeSize } from '../../src/encoding/integer.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { asHash } from '../../src/merkle/hash.ts';
import {
  formatAddCheckpoint,
  formatSignatureLines,
  mergeSignatures,
  parseAddCheckpoint,
  parseSignatureLines,
} from '../../src/note/add-checkpoint.ts';
import { formatNote, parseNote } from '../../src/note/note.ts';
import { originHash } from '../../src/note/origin-hash.ts';
import { DaybookError } from '../../src/errors.ts';

/** The example of the specification. */
const example = `old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
`;
const answer = `— witness.example/w1 CMp+6LWBU0anHGH5aNDTJkH/gj79sG+T6+iP2ThYN5krrDJbR1HDnucjL39QsZTSvVjyQLrdk3DXDqI5G2HgLatVs0pWh6Up69HVOw==
— witness.example/w1 I7rEps0pvK2UqkS2gSpVUDhrhVtQV9lgF6pRrWAvjJHjyWpW7VcE3SiOlVlbQNt64vWhO+DlkL0+UfzuOBMh9ChdMkP1vi/lCAsmlw==
`;

const refusal = (body: string | Uint8Array): string => {
  try {
    parseAddCheckpoint(typeof body === 'string' ? utf8(body) : body);
  } catch (error) {
    if (error instanceof DaybookError) return error.code;
    throw error;
  }
  return 'none';
};

describe('a request', () => {
  test('reads the example of the specification, and writes it again', () => {
    const request = parseAddCheckpoint(utf8(example));
    expect(request.oldSize).toBe(20852014);
    expect(request.proof).toHaveLength(4);
    expect(parseNote(request.checkpoint).text).toContain('behind-the-sofa\n20852163\n');
    expect(formatAddCheckpoint(request)).toEqual(utf8(example));
  });

  test('comes back as it was, whatever is in it', () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash);
    const property = fc.property(
      fc.maxSafeNat(),
      fc.array(hash, { maxLength: 63 }),
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      (size, proof, checkpoint) => {
        const request = { oldSize: treeSize(size), proof, checkpoint };
        expect(parseAddCheckpoint(formatAddCheckpoint(request))).toEqual(request);
      },
    );
    fc.assert(property);
  });

  test.each([
    ['nothing', ''],
    ['no empty line', 'old 0\nexample.com/log\n0\n'],
    ['no old line', example.slice(example.indexOf('\n') + 1)],
    ['an old size with a leading zero', example.replace('old 2', 'old 02')],
    ['an old size with a sign', example.replace('old 2', 'old -2')],
    ['an old size of more than 2^53', example.replace('old 2', 'old 99999999992')],
    ['two spaces', example.replace('old ', 'old  ')],
    ['a trailing space', example.replace('old 20852014', 'old 20852014 ')],
    ['a carriage return', example.replace('old 20852014', 'old 20852014\r')],
    ['old in capitals', example.replace('old', 'OLD')],
    ['a hash that is too short', example.replace('PlRNCrwH', 'PlRN')],
    ['a hash without padding', example.replace('DDpkaw=', 'DDpkaw')],
    ['a hash whose last bits are not 0', example.replace('DDpkaw=', 'DDpkax=')],
    ['a head without an end', `old 1\n${'a'.repeat(1 << 20)}`],
  ])('is refused with %s', (_, body) => {
    expect(refusal(body)).toBe('bad-request');
  });

  test('that is no UTF-8 is refused', () => {
    expect(refusal(Uint8Array.of(0xff, 0xfe, 10, 10, 65))).toBe('bad-request');
  });

  test('is read or refused with bad-request for any bytes and for any change of a byte', () => {
    const bytes = utf8(example);
    const changed = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)).map(([at, value]) => {
      const copy = bytes.slice();
      copy[at] = value;
      return copy;
    });
    const property = fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 400 })), (body) => {
      expect(['none', 'bad-request']).toContain(refusal(body));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  test('has one form: whatever is read is written again byte for byte', () => {
    const bytes = utf8(example);
    const head = example.indexOf('\n\n');
    const pieces = fc.constantFrom(
      '\n',
      ' ',
      '=',
      '0',
      '+',
      '-',
      '/',
      '_',
      'old ',
      '\r',
      '\t',
      '\0',
    );
    // Where the head is, cut something out, put something in, or turn a bit.
    const edited = fc
      .tuple(fc.nat(head + 2), fc.nat(3), pieces, fc.boolean())
      .map(([at, cut, piece, insert]) =>
        Buffer.concat([bytes.subarray(0, at), utf8(insert ? piece : ''), bytes.subarray(at + cut)]),
      );
    const turned = fc.tuple(fc.nat(head), fc.nat(7)).map(([at, bit]) => {
      const copy = bytes.slice();
      copy[at]! ^= 1 << bit;
      return copy;
    });
    const property = fc.property(fc.oneof(edited, turned), (body) => {
      if (refusal(body) !== 'none') return;
      expect(Buffer.compare(formatAddCheckpoint(parseAddCheckpoint(body)), body)).toBe(0);
    });
    fc.assert(property, { numRuns: 5000 });
  });

  test('has at most 63 hashes', () => {
    const lines = 'PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n'.repeat(64);
    expect(() => parseAddCheckpoint(utf8(`old 1\n${lines}\nx`))).toThrow('want at most 63');
    const proof = Array.from({ length: 64 }, () => asHash(new Uint8Array(32)));
    const request = { oldSize: treeSize(1), proof, checkpoint: utf8('x') };
    expect(() => formatAddCheckpoint(request)).toThrow('want at most 63');
  });
});

describe('an answer', () => {
  test('is signature lines and nothing else', () => {
    const lines = parseSignatureLines(utf8(answer));
    expect(lines.map(({ name }) => name)).toEqual(['witness.example/w1', 'witness.example/w1']);
    expect(formatSignatureLines(lines)).toEqual(utf8(answer));
  });

  test.each([
    ['nothing', ''],
    ['no newline at the end', answer.slice(0, -1)],
    ['an empty line', `\n${answer}`],
    ['a text', `hello\n${answer}`],
  ])('is refused with %s', (_, text) => {
    expect(() => parseSignatureLines(utf8(text))).toThrow(DaybookError);
  });

  test('is merged into the note: a newer line in the place of the old one', () => {
    const note = parseNote(utf8(example.slice(example.indexOf('\n\n') + 2)));
    const [first, second] = parseSignatureLines(utf8(answer));
    const once = mergeSignatures(note, [first!, second!]);
    expect(once.signatures).toEqual([...note.signatures, first, second]);
    const newer = { ...first!, signature: new Uint8Array(72) };
    const twice = mergeSignatures(once, [newer]);
    expect(twice.signatures).toEqual([...note.signatures, newer, second]);
    expect(() => formatNote(twice)).not.toThrow();
  });
});

test('the hash of an origin is that of its line without the newline', () => {
  // printf example.com/behind-the-sofa | sha256sum
  expect(originHash('example.com/behind-the-sofa')).toBe(
    '5fd2dc0beb4ce54da5050cf6d5c75248b023abad441c3cecde3976fbe9da4fe4',
  );
});
