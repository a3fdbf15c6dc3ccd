/**
 * SHA256SUMS manifests, as `sha256sum` of GNU coreutils writes and `sha256sum -c` reads them: one
 * digest stands for a whole directory. Names are data from a stranger: none may lead out of the directory.
 */
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';

/** Lowercase hex SHA-256 by relative name, with `/` between folders. */
export type Manifest = ReadonlyMap<string, string>;

/** Far more than a release has; a manifest is held in memory. */
export const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r' };
const unescapes: Readonly<Record<string, string>> = { '\\\\': '\\', '\\n': '\n', '\\r': '\r' };

/**
 * ```
 * b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c  bin/scanner
 * \7d865e959b2466918c9863afca942d0fb89d7c9ac0c99bafc3749504ded97730  odd\\name
 * ```
 * Sorted by name, so that the same files always give the same bytes. Throws `bad-manifest` for a
 * name that `parseManifest` would refuse.
 */
export function formatManifest(manifest: Manifest): Uint8Array {
  const names = [...manifest.keys()].sort();
  return utf8(names.map((name) => formatLine(name, manifest.get(name) ?? '')).join(''));
}

/** Throws `bad-manifest` for malformed lines, names given twice and names that leave the directory. */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MAX_MANIFEST_BYTES) {
    throw bad(`it has ${bytes.length} bytes, want at most ${MAX_MANIFEST_BYTES}`);
  }
  const lines = manifestText(bytes).split('\n');
  if (lines.pop() !== '') throw bad('its last line has no end');
  const manifest = new Map<string, string>();
  for (const [i, line] of lines.entries()) {
    const [name, sha256] = parseLine(line, i + 1);
    if (manifest.has(name)) throw bad(`line ${i + 1} names ${shown(name)} a second time`);
    manifest.set(name, sha256);
  }
  if (manifest.size === 0) throw bad('it names no file');
  return manifest;
}

/** What keeps `files` from being exactly what `manifest` names, one sentence each; empty when nothing does. */
export function compareManifest(manifest: Manifest, files: Manifest): string[] {
  const differences: string[] = [];
  for (const [name, sha256] of manifest) {
    const found = files.get(name);
    if (found === undefined) differences.push(`${shown(name)} is missing`);
    else if (found !== sha256)
      differences.push(`${shown(name)} has SHA-256 ${found}, want ${sha256}`);
  }
  for (const name of files.keys()) {
    if (!manifest.has(name)) differences.push(`${shown(name)} is not in the manifest`);
  }
  return differences;
}

function manifestText(bytes: Uint8Array): string {
  try {
    return decodeUtf8(bytes);
  } catch (cause) {
    throw new DaybookError('bad-manifest', 'manifest refused: it is not UTF-8', { cause });
  }
}

function formatLine(name: string, sha256: string): string {
  const problem = nameProblem(name);
  if (problem !== undefined) throw bad(`${shown(name)} ${problem}`);
  const escaped = name.replace(/[\\\n\r]/g, (character) => escapes[character] ?? character);
  return `${escaped === name ? '' : '\\'}${sha256}  ${escaped}\n`;
}

function parseLine(line: string, number: number): [name: string, sha256: string] {
  const match = /^(\\?)([0-9a-f]{64}) [ *](.+)$/s.exec(line);
  if (match === null) throw bad(`line ${number} is not "<sha256>  <name>"`);
  const [, backslash, sha256 = '', written = ''] = match;
  const name = backslash === '\\' ? unescaped(written, number) : written;
  const problem = nameProblem(name);
  if (problem !== undefined) throw bad(`line ${number}: ${shown(name)} ${problem}`);
  return [name, sha256];
}

function unescaped(text: string, number: number): string {
  return text.replace(/\\.?/gs, (escape) => {
    const character = unescapes[escape];
    if (character === undefined)
      throw bad(`line ${number} has the unknown escape ${shown(escape)}`);
    return character;
  });
}

function nameProblem(name: string): string | undefined {
  if (name.startsWith('/')) return 'is an absolute path';
  if (name.includes('\0')) return 'holds a NUL';
  // U+FFFD stands where a name on disk is not UTF-8; such a file could not be found again.
  if (!name.isWellFormed() || name.includes('\ufffd')) return 'is not UTF-8';
  const parts = name.split('/');
  if (parts.includes('..')) return 'leads out of the directory';
  if (parts.includes('') || parts.includes('.')) return 'is not a plain relative path';
  return undefined;
}

function shown(name: string): string {
  return JSON.stringify(name.length > 200 ? `${name.slice(0, 200)}…` : name);
}

function bad(problem: string): DaybookError {
  return new DaybookError('bad-manifest', `manifest refused: ${problem}`);
}
