/**
 * Run as a process of its own: appends to the store of the directory it is given, and prints each
 * size once it is acknowledged; then waits, the store still open. After a failed append it tries two
 * more writes. Arguments: the directory, and the size at which to stop.
 */
import type { DaybookError } from '../../src/errors.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import type { Store } from '../../src/store/store.ts';
import { appendAt, sampleNote } from './samples.ts';

/** What the appender prints, one JSON line each. */
export interface Said {
  readonly size?: number;
  readonly code?: string;
  readonly message?: string;
}

const [directory = '', until = 'Infinity'] = process.argv.slice(2);

function say(said: Said): void {
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

function sayError(error: unknown): void {
  const { code, message } = error as DaybookError;
  say({ code, message });
}

async function appendNext(store: Store): Promise<void> {
  await store.append(appendAt(store.state.size, 1 + ((store.state.size * 7) % 300)));
  say({ size: store.state.size });
}

async function run(): Promise<void> {
  const store = await openLevelStore(directory);
  say({ size: store.state.size });
  try {
    while (store.state.size < Number(until)) await appendNext(store);
  } catch (error) {
    sayError(error);
    await appendNext(store).catch(sayError);
    await store.recordSigned(sampleNote(10)).catch(sayError);
  }
}

setInterval(() => undefined, 1000);
await run().catch(sayError);
