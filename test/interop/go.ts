/** Go programs of this folder's module, and of the modules that its go.mod pins: built once for each test file, and run. */
import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';

const here = import.meta.dirname;
/** A cold build compiles SQLite, and two test files may build at once. */
export const BUILD_MS = 600_000;

export function hasGo(): boolean {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Builds a package (`./policies`, or one of a pinned module) into `directory`. Returns the program's path. */
export async function buildGo(pkg: string, directory: string): Promise<string> {
  const program = join(directory, pkg.slice(pkg.lastIndexOf('/') + 1));
  await run('go', ['build', '-o', program, pkg]);
  return program;
}

/** Runs a program to its end. Returns its standard output; throws with its error output when it fails. */
export function run(program: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: here, maxBuffer: 64 * 1024 * 1024 };
    const child = execFile(program, args, options, (error, out, err) => {
      if (error) reject(new Error(`${program} ${args.join(' ')}: ${error.message}\n${err}`));
      else resolve(out);
    });
    // It may end without having read its input.
    child.stdin?.on('error', () => undefined).end(input);
  });
}
