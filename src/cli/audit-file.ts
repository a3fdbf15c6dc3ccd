/** The local record of overrides: one JSON line for each, synced before the command runs. */
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import { unreadable } from './files.ts';

export interface Override {
  /** RFC 3339. */
  readonly time: string;
  readonly file: string;
  /** Lowercase hex. */
  readonly sha256: string;
  readonly reason: string;
  /** What was overridden. */
  readonly codes: readonly string[];
  readonly user: string;
}

/** Appends durably, or throws `file-unreadable`: an override that is not recorded does not happen. */
export async function recordOverride(path: string, override: Override): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const file = await open(path, 'a', 0o600);
    try {
      await file.appendFile(`${JSON.stringify(override)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(path, error);
  }
}
