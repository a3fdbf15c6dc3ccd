/** docs/dependencies.md, the lock file and what is installed say the same about what we depend on. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Package {
  version: string;
  license?: string;
  dev?: boolean;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
  hasInstallScript?: boolean;
}

const readJson = (path: string): unknown => JSON.parse(readFileSync(path, 'utf8'));
const { packages } = readJson('package-lock.json') as { packages: Record<string, Package> };
const manifest = readJson('package.json') as Package & { allowScripts: Record<string, boolean> };

/** Rows of the table under a heading of docs/dependencies.md, as cells without markup. */
function rows(heading: string): string[][] {
  const section = readFileSync('docs/dependencies.md', 'utf8').split(/^## /m);
  const lines = section.find((text) => text.startsWith(heading))!.split('\n');
  return lines
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1))
    .map((cells) => cells.map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')));
}

function bytesUnder(directory: string): number {
  let bytes = 0;
  for (const item of readdirSync(directory, { withFileTypes: true, recursive: true })) {
    const path = `${item.parentPath}/${item.name}`;
    if (item.isFile() && !path.slice(directory.length).includes('/node_modules/')) {
      bytes += statSync(path).size;
    }
  }
  return bytes;
}

/** Where `name` is found from the package at `from`, by Node's rule: the nearest node_modules upwards. */
function resolved(from: string, name: string): string {
  for (let folder = from; ; folder = folder.slice(0, folder.lastIndexOf('/node_modules/'))) {
    const path = `${folder}/node_modules/${name}`;
    if (path in packages) return path;
    if (!folder.includes('/node_modules/')) return `node_modules/${name}`;
  }
}

/** The package and all that it cannot do without, itself included. */
function closure(name: string): Set<string> {
  const seen = new Set([`node_modules/${name}`]);
  for (const path of seen) {
    for (const dependency of Object.keys(packages[path]!.dependencies ?? {})) {
      seen.add(resolved(path, dependency));
    }
  }
  return seen;
}

test('what is shipped: each row has the version, licence, size and company of its package', () => {
  const stated = rows('Shipped');
  const actual = Object.entries(manifest.dependencies!).map(([name, version]) => [
    name,
    version,
    packages[`node_modules/${name}`]!.license,
  ]);
  expect(stated.map((row) => row.slice(0, 3))).toEqual(actual);
  for (const [name, , , megabytes, brings] of stated) {
    const size = bytesUnder(`node_modules/${name}`) / 1e6;
    expect(Math.abs(Number(megabytes) - size), `${name} has ${size} MB`).toBeLessThan(0.1);
    expect(Number(brings), `packages that ${name} brings`).toBe(closure(name!).size - 1);
  }
});

test('what we build with: each row has the version and licence of its package', () => {
  const actual = Object.entries(manifest.devDependencies!).map(([name, version]) => [
    name,
    version,
    packages[`node_modules/${name}`]!.license,
  ]);
  expect(rows('Built and tested with').map((row) => row.slice(0, 3))).toEqual(actual);
});

test('versions are exact, and everything shipped has a permissive licence', () => {
  for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  }
  const permissive = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'];
  for (const [path, { dev, license }] of Object.entries(packages)) {
    if (dev !== true) expect(permissive, `${path} has licence ${license}`).toContain(license);
  }
});

test('every install script was reviewed', () => {
  const withScript = Object.entries(packages).filter(
    ([, { hasInstallScript }]) => hasInstallScript,
  );
  const names = withScript.map(([path]) => path.replace(/^.*node_modules\//, ''));
  const optional = ['fsevents'];
  expect(new Set(names.filter((name) => !optional.includes(name)))).toEqual(
    new Set(Object.keys(manifest.allowScripts)),
  );
});

test('the lock file names no registry', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved": "https?:/);
});
