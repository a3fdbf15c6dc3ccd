/** The floors of docs/architecture.md hold because eslint says so: here it is asked with imports that must fail. */
import { ESLint } from 'eslint';
import tseslint from 'typescript-eslint';
import { describe, expect, test } from 'vitest';

const eslint = new ESLint({ overrideConfig: tseslint.configs.disableTypeChecked });

/** The rules that `code` breaks in src/`room`, as rule names without their plugin. */
async function broken(room: string, code: string): Promise<string[]> {
  const [result] = await eslint.lintText(code, { filePath: `src/${room}/probe.ts` });
  const ofFloors = /no-restricted-(imports|globals|properties|syntax)$/;
  return result!.messages.flatMap(({ ruleId }) => ofFloors.exec(ruleId ?? '')?.[0] ?? []);
}

const floors = [
  ['encoding', 'signature', 'merkle', 'note'],
  ['statement', 'proof'],
  ['verify'],
  ['keys', 'store', 'http'],
  ['log', 'client', 'cosigner'],
  ['server', 'witness', 'mirror', 'monitor'],
  ['cli'],
];
const core = floors.slice(0, 3).flat();
const importing = (room: string): string => `import { x } from '../${room}/x.ts';\nx();\n`;

describe('a room may not import', () => {
  const upward = floors.flatMap((rooms, floor) =>
    rooms.flatMap((room) =>
      floors
        .slice(floor + 1)
        .flat()
        .map((above) => ({ room, above })),
    ),
  );
  test.each(upward)('$above from $room, a floor above', async ({ room, above }) => {
    expect(await broken(room, importing(above))).toEqual(['no-restricted-imports']);
    expect(await broken(room, importing(above).replace('{', 'type {'))).toHaveLength(1);
  });

  const beside = floors
    .slice(1)
    .flatMap((rooms) =>
      rooms.flatMap((room) => rooms.filter((other) => other !== room).map((o) => ({ room, o }))),
    );
  test.each(beside)('$o from $room, beside', async ({ room, o }) => {
    expect(await broken(room, importing(o))).toEqual(['no-restricted-imports']);
  });
});

test('a room may import from below, from itself, and the errors', async () => {
  for (const [floor, rooms] of floors.entries()) {
    for (const room of rooms) {
      for (const below of [room, ...floors.slice(0, floor).flat()]) {
        expect(await broken(room, importing(below))).toEqual([]);
      }
      expect(await broken(room, "import { DaybookError } from '../errors.ts';")).toEqual([]);
    }
  }
});

describe('the core uses no', () => {
  test.each([
    ['Node module', "import { readFile } from 'node:fs/promises';\nreadFile('x');"],
    ['Node module by its bare name', "import { createHash } from 'crypto';\ncreateHash('sha256');"],
    ['module loaded at run time', "await import('node:fs');"],
    ['Buffer', "Buffer.from('x');"],
    ['process', 'process.exit();'],
    ['clock', 'Date.now();'],
    ['clock in the form of a date', 'new Date();'],
    ['network', "await fetch('https://log.example');"],
    ['randomness', 'Math.random();'],
  ])('%s', async (_, code) => {
    for (const room of core) expect(await broken(room, code)).toHaveLength(1);
    expect(await broken('server', code)).toEqual([]);
  });
});
