import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { decodeHex, encodeHex } from '../../src/encoding/hex.ts';
import {
  formatOpening,
  MAX_OPENING_BYTES,
  parseOpening,
} from '../../src/statement/source-opening.ts';
import {
  checkOpening,
  commitSource,
  fileModes,
  openFile,
  type FileMode,
  type SourceFile,
} from '../../src/statement/source-tree.ts';

const sha256 = (...parts: (Uint8Array | string)[]): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const saltOf = (master: Uint8Array, path: string): Buffer =>
  createHmac('sha256', master).update(path).digest();

/** The definition, as docs/formats.md has it. */
function naiveRoot(files: readonly SourceFile[], master: Uint8Array): Buffer {
  const leaves = [...files]
    .sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)))
    .map(({ path, mode, sha256: content }) =>
      sha256('\0', saltOf(master, path), mode, content, path),
    );
  const count = Buffer.alloc(8);
  count.writeBigUInt64BE(BigInt(files.length));
  return sha256('daybook source v1\n', count, naiveTree(leaves));
}

function naiveTree(leaves: readonly Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256('\x01', naiveTree(leaves.slice(0, split)), naiveTree(leaves.slice(split)));
}

const segment = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 8 })
  .filter((text) => !/[\0/]/.test(text) && text !== '.' && text !== '..');
const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const file: fc.Arbitrary<SourceFile> = fc.record({
  path,
  mode: fc.constantFrom<FileMode>(...fileModes),
  sha256: bytes32,
});
const tree = fc.uniqueArray(file, { minLength: 1, maxLength: 40, selector: (each) => each.path });

const vectors = 'test/vectors/daybook-source';
const vector = JSON.parse(readFileSync(`${vectors}/tree.json`, 'utf8')) as {
  readonly master: string;
  readonly files: readonly {
    readonly path: string;
    readonly mode: FileMode;
    readonly content: string;
    readonly sha256: string;
    readonly salt: string;
  }[];
  readonly rootOfFirst: readonly string[];
  readonly root: string;
};
const master = decodeHex(vector.master);
const files = vector.files.map((each) => ({ ...each, sha256: decodeHex(each.sha256) }));
const root = decodeHex(vector.root);

describe('the vectors', () => {
  test('commit to the roots that are stated, in whatever order the files come', () => {
    for (const [i, stated] of vector.rootOfFirst.entries()) {
      const first = files.slice(0, i + 1).reverse();
      expect(encodeHex(commitSource(first, master).root)).toBe(stated);
    }
    for (const { content, sha256: stated } of vector.files) {
      expect(sha256(content).toString('hex')).toBe(stated);
    }
  });

  test('have the opening that is stated', () => {
    const stated = readFileSync(`${vectors}/opening.json`);
    expect(decodeUtf8(formatOpening(openFile(files, master, 'src/main.c')))).toBe(
      stated.toString(),
    );
    checkOpening(parseOpening(stated), root);
  });

  const refused = JSON.parse(readFileSync(`${vectors}/refused.json`, 'utf8')) as {
    readonly name: string;
    readonly code: string;
    readonly opening: unknown;
  }[];
  test.each(refused)('refuse $name', ({ code, opening }) => {
    const open = (): void => checkOpening(parseOpening(utf8(JSON.stringify(opening))), root);
    expect(open).toThrow(expect.objectContaining({ code }));
  });
});

test('is what the definition says, whatever the files and their order', () => {
  fc.assert(
    fc.property(tree, bytes32, (source, secret) => {
      const { root: committed, files: count } = commitSource(source, secret);
      expect(encodeHex(committed)).toBe(naiveRoot(source, secret).toString('hex'));
      expect(count).toBe(source.length);
      expect(commitSource([...source].reverse(), secret).root).toEqual(committed);
    }),
    { numRuns: 100 },
  );
});

test('opens each file, through the opening file too, to its own root only', () => {
  fc.assert(
    fc.property(tree, bytes32, fc.nat(), (source, secret, pick) => {
      const chosen = source[pick % source.length]!;
      const { root: committed } = commitSource(source, secret);
      const opening = parseOpening(formatOpening(openFile(source, secret, chosen.path)));
      expect(opening).toMatchObject({ path: chosen.path, mode: chosen.mode });
      checkOpening(opening, committed);
      const other = commitSource(
        source.map((each) => (each === chosen ? { ...each, sha256: sha256(each.sha256) } : each)),
        secret,
      );
      expect(() => checkOpening(opening, other.root)).toThrow(
        expect.objectContaining({ code: 'inclusion-invalid' }),
      );
    }),
    { numRuns: 60 },
  );
});

test('changes with each path, mode, content, the master secret and the number of files', () => {
  const roots = [
    commitSource(files, master),
    commitSource(files.slice(1), master),
    commitSource(files, sha256(master)),
    ...files.flatMap((file, i) => {
      const change = (changed: Partial<SourceFile>): ReturnType<typeof commitSource> =>
        commitSource(files.with(i, { ...file, ...changed }), master);
      const mode = file.mode === '100644' ? '100755' : '100644';
      return [change({ path: `${file.path}2` }), change({ mode }), change({ sha256: master })];
    }),
  ];
  expect(new Set(roots.map((each) => encodeHex(each.root))).size).toBe(roots.length);
});

describe('hides', () => {
  const same = sha256('the same content');
  const twins: SourceFile[] = ['a', 'b', 'c', 'd'].map((name) => ({
    path: name,
    mode: '100644',
    sha256: same,
  }));

  test('that two files have the same content', () => {
    const opening = openFile(twins, master, 'a');
    // What an outsider sees of the neighbour is its leaf hash, the first hash of the proof.
    const guesses = [
      sha256('\0', '100644', same, 'b'),
      sha256('\0', opening.salt, '100644', same, 'b'),
      sha256('\0', saltOf(opening.salt, 'b'), '100644', same, 'b'),
    ].map(encodeHex);
    expect(guesses).not.toContain(encodeHex(opening.proof[0]!));
    const own = sha256('\0', opening.salt, '100644', same, 'a');
    expect(encodeHex(opening.proof[0]!)).not.toBe(encodeHex(own));
  });

  test('the names, contents, salts of all files but the one that is opened, and the master', () => {
    const shown = decodeUtf8(formatOpening(openFile(files, master, 'src/main.c')));
    expect(shown).not.toContain(vector.master);
    for (const hidden of vector.files.filter(({ path }) => path !== 'src/main.c')) {
      expect(shown).not.toContain(JSON.stringify(hidden.path).slice(1, -1));
      expect(shown).not.toContain(hidden.sha256);
      expect(shown).not.toContain(hidden.salt);
    }
  });

  test('every other salt: each is a function of the master that no salt gives', () => {
    const salts = twins.map(({ path }) => encodeHex(openFile(twins, master, path).salt));
    expect(new Set(salts).size).toBe(twins.length);
    const others = twins.map(({ path }) => encodeHex(openFile(twins, sha256(master), path).salt));
    expect(new Set([...salts, ...others]).size).toBe(2 * twins.length);
  });
});

describe('refuses', () => {
  const [first] = files;
  test.each([
    ['no file', [], master, 'bad-statement'],
    ['a path given twice', [first, first], master, 'bad-statement'],
    ['a path with an empty segment', [{ ...first, path: 'a//b' }], master, 'bad-statement'],
    ['a path that ends in a slash', [{ ...first, path: 'a/' }], master, 'bad-statement'],
    ['a path that is not Unicode', [{ ...first, path: '\ud800' }], master, 'bad-statement'],
    ['a path too long', [{ ...first, path: 'a'.repeat(4097) }], master, 'bad-statement'],
    ['an unknown mode', [{ ...first, mode: '40000' }], master, 'bad-statement'],
    ['a digest of 31 bytes', [{ ...first, sha256: master.slice(1) }], master, 'bad-encoding'],
    ['a master secret of 31 bytes', files, master.slice(1), 'bad-key'],
  ] as [string, SourceFile[], Uint8Array, string][])('%s', (_, source, secret, code) => {
    expect(() => commitSource(source, secret)).toThrow(expect.objectContaining({ code }));
  });

  test('to open what is not there', () => {
    expect(() => openFile(files, master, 'src')).toThrow(
      expect.objectContaining({ code: 'not-found' }),
    );
  });

  test('whatever bytes come as an opening, with an error of its own', () => {
    const stated = new Uint8Array(readFileSync(`${vectors}/opening.json`));
    fc.assert(
      fc.property(fc.nat(stated.length - 1), fc.nat(255), (at, byte) => {
        const changed = stated.with(at, byte);
        try {
          checkOpening(parseOpening(changed), root);
          // White space and the order of members carry nothing.
          expect(JSON.parse(decodeUtf8(changed))).toEqual(JSON.parse(decodeUtf8(stated)));
        } catch (error) {
          expect(['bad-proof', 'bad-statement', 'inclusion-invalid']).toContain(
            (error as { code?: string }).code,
          );
        }
      }),
      { numRuns: 500 },
    );
    expect(() => parseOpening(new Uint8Array(MAX_OPENING_BYTES + 1))).toThrow(
      expect.objectContaining({ code: 'bad-proof' }),
    );
  });
});
