import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bundlePath, parseTilePath, tilePath, tileWidth, tilesOf } from '../../src/merkle/tile.ts';

describe('tile paths', () => {
  test.each([
    [{ level: 0, index: 1234067, width: 256 }, 'tile/0/x001/x234/067'],
    [{ level: 0, index: 0, width: 12 }, 'tile/0/000.p/12'],
    [{ level: 1, index: 999, width: 255 }, 'tile/1/999.p/255'],
    [{ level: 63, index: 1000, width: 1 }, 'tile/63/x001/000.p/1'],
  ])('%o is %s', (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    expect(parseTilePath(path)).toEqual({ kind: 'tile', tile });
  });

  test.each([
    [0, 1, 'tile/entries/000.p/1'],
    [1234067, 256, 'tile/entries/x001/x234/067'],
    [Number.MAX_SAFE_INTEGER, 3, 'tile/entries/x009/x007/x199/x254/x740/991.p/3'],
  ])('entries %i of width %i are %s', (index, width, path) => {
    expect(bundlePath(index, width)).toBe(path);
    expect(parseTilePath(path)).toEqual({ kind: 'entries', index, width });
  });

  test('read back what they name', () => {
    const tiles = fc.record({
      level: fc.nat({ max: 63 }),
      index: fc.maxSafeNat(),
      width: fc.integer({ min: 1, max: 256 }),
    });
    fc.assert(
      fc.property(tiles, (tile) => {
        expect(parseTilePath(tilePath(tile))).toEqual({ kind: 'tile', tile });
      }),
    );
  });

  test.each([
    '',
    'tile',
    'tile/0',
    'tile/0/',
    'tile/0/0',
    'tile/0/00',
    'tile/0/0000',
    'tile/0/1000',
    'tile/0/x001',
    'tile/0/001/002',
    'tile/0/x000/001',
    'tile/0/x000/x001/002',
    'tile/0/x001/x002',
    'tile/0/X001/002',
    'tile/0/x01/002',
    'tile/0/x001x002/003',
    'tile/0/x001//002',
    'tile/0/00a',
    'tile/0/-01',
    'tile/0/+01',
    'tile/0/٠٠١',
    'tile/00/000',
    'tile/01/000',
    'tile/64/000',
    'tile/100/000',
    'tile/-1/000',
    'tile/1.0/000',
    'tile/x/000',
    'tile/Entries/000',
    'tile/data/000',
    'tile/0/000.p',
    'tile/0/000.p/',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/000.p/256',
    'tile/0/000.p/1000',
    'tile/0/000.p/-1',
    'tile/0/000.P/1',
    'tile/0/000p/1',
    'tile/0/000.p/1/',
    'tile/0/000.p/1.p/1',
    'tile/0/000/p/1',
    '/tile/0/000',
    'tile//0/000',
    'tile/0/000/',
    'tile/0/000\n',
    'tile/0/000 ',
    ' tile/0/000',
    'tile/0/000?x',
    'tile/0/%30%30%30',
    'tile/0/../0/000',
    'tile/0/x009/x007/x199/x254/x740/992',
    'tile/0/x999/x999/x999/x999/x999/999',
    'tile/0/x001/x000/x000/x000/x000/x000/000',
  ])('"%s" is none', (path) => {
    expect(parseTilePath(path)).toBeUndefined();
  });
});

describe('tiles of a tree', () => {
  test('of 70,000 leaves are those of the specification', () => {
    const tiles = [...tilesOf(70_000)];
    const widths = (level: number): number[] =>
      tiles.filter((tile) => tile.level === level).map(({ width }) => width);
    expect(widths(0)).toEqual([...Array<number>(273).fill(256), 112]);
    expect(widths(1)).toEqual([256, 17]);
    expect(widths(2)).toEqual([1]);
    expect(tiles).toHaveLength(277);
  });

  test.each([
    [0, []],
    [1, ['tile/0/000.p/1']],
    [255, ['tile/0/000.p/255']],
    [256, ['tile/0/000', 'tile/1/000.p/1']],
    [257, ['tile/0/000', 'tile/0/001.p/1', 'tile/1/000.p/1']],
  ])('of %i leaves', (size, paths) => {
    expect([...tilesOf(size)].map(tilePath)).toEqual(paths);
  });

  test('have a width at any size, level and index', () => {
    expect(tileWidth(0, 273, 70_000)).toBe(112);
    expect(tileWidth(0, 272, 70_000)).toBe(256);
    expect(tileWidth(0, 274, 70_000)).toBe(0);
    expect(tileWidth(0, 0, 0)).toBe(0);
    expect(tileWidth(3, 0, 70_000)).toBe(0);
    expect(tileWidth(63, 0, Number.MAX_SAFE_INTEGER)).toBe(0);
    expect(tileWidth(6, 0, Number.MAX_SAFE_INTEGER)).toBe(31);
    expect(tileWidth(0, 2 ** 45 - 1, Number.MAX_SAFE_INTEGER)).toBe(255);
  });
});
