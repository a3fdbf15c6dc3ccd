/**
 * What a client does for an AV update of 10,000 files of which 200 changed: judging what the manifest
 * says, hashing the 200, and the snapshot that the gate hands to its command.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashFiles, listFiles } from '../src/cli/directory.ts';
import { snapshot } from '../src/cli/snapshot.ts';
import { compareManifest, formatManifest, parseManifest } from '../src/verify/manifest.ts';

const FILES = 10_000;
const CHANGED = 200;
const RUNS = 7;

export async function avUpdate(): Promise<object> {
  const root = await mkdtemp(join(tmpdir(), 'daybook-bench-'));
  try {
    const files = join(root, 'bases');
    await mkdir(files);
    const write = async (count: number, edition: string): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await writeFile(join(files, `${i}.sig`), `signature ${i} of edition ${edition}`);
      }
    };
    await write(FILES, 'first');
    const names = await listFiles(files);
    const kept = join(root, 'kept');
    const first = parseManifest(formatManifest(await hashFiles(files, names)));
    await snapshot(first, files, join(root, 'copy'), kept);
    const times: { manifest: number; hashing: number; snapshot: number }[] = [];
    for (let run = 0; run < RUNS; run++) {
      await write(CHANGED, `${run}`);
      const bytes = formatManifest(await hashFiles(files, names));
      const start = performance.now();
      const manifest = parseManifest(bytes);
      const there = new Map(names.map((name) => [name, manifest.get(name) ?? '']));
      if (compareManifest(manifest, there).length > 0) throw new Error('the manifest lies');
      const parsed = performance.now();
      await hashFiles(files, names.slice(0, CHANGED));
      const hashed = performance.now();
      await snapshot(manifest, files, join(root, `copy${run}`), kept);
      times.push({
        manifest: parsed - start,
        hashing: hashed - parsed,
        snapshot: performance.now() - hashed,
      });
    }
    const median = (pick: (time: (typeof times)[number]) => number): number =>
      Math.round(times.map(pick).sort((a, b) => a - b)[RUNS >> 1]! * 10) / 10;
    return {
      files: FILES,
      changed: CHANGED,
      hashChangedMs: median(({ hashing }) => hashing),
      snapshotMs: median((time) => time.snapshot),
      checkBeyondHashingMs: median(({ manifest }) => manifest),
      aimMs: 50,
    };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
