import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { compareManifest, formatManifest, parseManifest } from '../../src/verify/manifest.ts';

const run = promisify(execFile);
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');
const a = digest('a');
const b = digest('b');
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

/** Names that both a file system and the format accept, special characters above all. */
const names = fc
  .array(
    fc.string({
      unit: fc.constantFrom('a', 'ß', '\\', '\n', '\r', ' ', '*', '-', '.', '😀'),
      minLength: 1,
      maxLength: 6,
    }),
    { minLength: 1, maxLength: 3 },
  )
  .filter((parts) => !parts.some((part) => part === '.' || part === '..'))
  .map((parts) => parts.join('/'));

test('writes sorted lines, and escapes names as coreutils do', () => {
  const manifest = new Map([
    ['lib/z', a],
    ['bin/scanner', b],
    ['odd\\name\n', a],
  ]);
  expect(text(formatManifest(manifest))).toBe(
    `${b}  bin/scanner\n${a}  lib/z\n\\${a}  odd\\\\name\\n\n`,
  );
});

test('reads back what it wrote, in whatever order it was given', () => {
  fc.assert(
    fc.property(fc.uniqueArray(names, { minLength: 1 }), (files) => {
      const manifest = new Map(files.map((name) => [name, digest(name)]));
      const bytes = formatManifest(manifest);
      expect(parseManifest(bytes)).toEqual(manifest);
      expect(formatManifest(new Map([...manifest].reverse()))).toEqual(bytes);
    }),
  );
});

describe('with sha256sum', () => {
  async function files(contents: ReadonlyMap<string, string>): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'daybook-manifest-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    for (const [name, content] of contents) {
      await mkdir(dirname(join(directory, name)), { recursive: true });
      await writeFile(join(directory, name), content);
    }
    return directory;
  }
  const contents = new Map(
    [
      'plain',
      'folder/deep',
      'back\\slash',
      'new\nline',
      'return\r',
      ' space ',
      '*star',
      '-dash',
      'ünï',
    ].map((name) => [name, name]),
  );

  test('`sha256sum -c` accepts every file of a manifest', async () => {
    const directory = await files(contents);
    const manifest = new Map([...contents].map(([name, content]) => [name, digest(content)]));
    await writeFile(join(directory, 'MANIFEST'), formatManifest(manifest));
    const { stdout } = await run('sha256sum', ['-c', 'MANIFEST'], { cwd: directory });
    expect(stdout.match(/: OK$/gm)).toHaveLength(contents.size);
  });

  test.each([[[]], [['--binary']]])('reads what `sha256sum %s` wrote', async (options) => {
    const directory = await files(contents);
    const { stdout } = await run('sha256sum', [...options, '--', ...contents.keys()], {
      cwd: directory,
    });
    const expected = new Map([...contents].map(([name, content]) => [name, digest(content)]));
    expect(parseManifest(utf8(stdout))).toEqual(expected);
  });
});

test.each<[string, string, RegExp]>([
  ['nothing', '', /names no file/],
  ['a last line without end', `${a}  x`, /no end/],
  ['an empty line', `${a}  x\n\n`, /line 2/],
  ['another line', 'Release 1.2\n', /line 1/],
  ['another hash', `${a.slice(1)}  x\n`, /line 1/],
  ['capital hex', `${a.toUpperCase()}  x\n`, /line 1/],
  ['one space', `${a} x\n`, /line 1/],
  ['no name', `${a}  \n`, /line 1/],
  ['an absolute path', `${a}  /etc/passwd\n`, /absolute/],
  ['the folder above', `${a}  ../x\n`, /leads out/],
  ['the folder above, further on', `${a}  a/../../x\n`, /leads out/],
  ['the folder itself', `${a}  ./x\n`, /plain relative/],
  ['an empty segment', `${a}  a//x\n`, /plain relative/],
  ['a folder', `${a}  a/\n`, /plain relative/],
  ['a NUL', `${a}  a\0b\n`, /NUL/],
  ['a name twice', `${a}  x\n${b}  y\n${b}  x\n`, /line 3 names "x" a second time/],
  ['a name twice, once in binary', `${a}  x\n${a} *x\n`, /second time/],
  ['a name twice, once escaped', `${a}  x\n\\${a}  x\n`, /second time/],
  ['an unknown escape', `\\${a}  a\\tb\n`, /unknown escape/],
  ['an escape that is cut', `\\${a}  a\\\n`, /unknown escape/],
  ['a replacement character', `${a}  a\ufffd\n`, /UTF-8/],
])('refuses %s', (_, manifest, reason) => {
  expect(() => parseManifest(utf8(manifest))).toThrow(reason);
  expect(() => parseManifest(utf8(manifest))).toThrow(
    expect.objectContaining({ code: 'bad-manifest' }) as Error,
  );
});

test('refuses bytes that are not UTF-8, and to write what it would not read', () => {
  expect(() => parseManifest(Uint8Array.of(0xff, 0x0a))).toThrow(/UTF-8/);
  for (const name of ['/x', '..', 'a/./b', 'a\0']) {
    expect(() => formatManifest(new Map([[name, a]]))).toThrow(/manifest refused/);
  }
});

test('names each file that is changed, missing or too many', () => {
  const manifest = new Map([
    ['same', a],
    ['changed', a],
    ['missing', a],
  ]);
  const found = new Map([
    ['same', a],
    ['changed', b],
    ['extra', a],
  ]);
  expect(compareManifest(manifest, found)).toEqual([
    `"changed" has SHA-256 ${b}, want ${a}`,
    '"missing" is missing',
    '"extra" is not in the manifest',
  ]);
  expect(compareManifest(manifest, manifest)).toEqual([]);
});
