/**
 * What the command line remembers of a log, in a folder of its own: the key that was pinned on first
 * use, and the last checkpoint that was trusted.
 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { HeadState } from '../client/trusted-head.ts';
import { DaybookError } from '../errors.ts';
import { MAX_NOTE_BYTES } from '../note/note.ts';
import { makeFolder, readBytes, writeAtomically } from './files.ts';

export interface LogState extends HeadState {
  readonly folder: string;
  loadPin(): Promise<Uint8Array | undefined>;
  savePin(vkeys: Uint8Array): Promise<void>;
}

/** State of the log at `url`, under `directory` or else where XDG puts the state of programs. */
export function logState(url: URL, directory?: string): LogState {
  const folder = join(directory ?? stateDirectory(), encodeURIComponent(url.href));
  const file = (name: string): { load: HeadState['load']; save: HeadState['save'] } => ({
    load: () => readIfThere(join(folder, name)),
    async save(bytes) {
      await makeFolder(folder);
      await writeAtomically(join(folder, name), bytes);
    },
  });
  const [checkpoint, pin] = [file('checkpoint'), file('vkeys')];
  return { folder, ...checkpoint, loadPin: pin.load, savePin: pin.save };
}

/** Where the command line remembers things: XDG's place for the state of programs. */
export function stateDirectory(): string {
  const { XDG_STATE_HOME } = process.env;
  return join(XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'daybook');
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readBytes(path, MAX_NOTE_BYTES);
  } catch (error) {
    const { cause } = error as DaybookError;
    if ((cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') return undefined;
    throw error;
  }
}
