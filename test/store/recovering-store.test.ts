/** A store whose disk refuses for a while: real stores on a small disk are in test/witness/faults.test.ts. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { DaybookError } from '../../src/errors.ts';
import { openRecordStore, type RecordStore } from '../../src/store/record-store.ts';
import { RecoveringStore } from '../../src/store/recovering-store.ts';
import { temporaryDirectory } from './temporary-directory.ts';

interface Scene {
  readonly store: RecoveringStore;
  readonly reported: string[];
  /** While it is set, opening fails with this error. */
  refusal: DaybookError | undefined;
  opened: number;
}

async function scene(): Promise<Scene> {
  const directory = join(await temporaryDirectory(), 'state');
  await (await openRecordStore(directory, { create: true })).close();
  const made = {
    reported: [] as string[],
    refusal: undefined as DaybookError | undefined,
    opened: 0,
  };
  const reopen = async (): Promise<RecordStore> => {
    if (made.refusal !== undefined) throw made.refusal;
    made.opened++;
    return openRecordStore(directory, { create: false });
  };
  const report = (message: string): void => void made.reported.push(message);
  const scene: Scene = Object.assign(made, {
    store: new RecoveringStore(await reopen(), { reopen, report }),
  });
  onTestFinished(() => scene.store.close());
  return scene;
}

const put = (value: string): { put: [string, Uint8Array][] } => ({
  put: [['key', Buffer.from(value)]],
});
const value = (store: RecordStore): string => Buffer.from(store.get('key') ?? '').toString();

/** The store under it fails, as it does after its disk refused a write. */
async function failWrite({ store }: Scene): Promise<void> {
  const before = store.current;
  await before.close();
  await expect(store.commit(before, put('lost'))).rejects.toMatchObject({ code: 'store-failed' });
}

test('writes through, and reads what was written', async () => {
  const { store } = await scene();
  await store.commit(store.current, put('one'));
  expect(value(store.current)).toBe('one');
  expect(store.halted).toBeUndefined();
});

test('after a failed write it is closed and opened again, and until then nothing goes', async () => {
  const made = await scene();
  const { store } = made;
  await store.commit(store.current, put('one'));
  made.refusal = new DaybookError('store-failed', 'no space');
  await failWrite(made);
  expect(store.halted).toContain('is not read back yet');
  expect(() => store.current).toThrow(expect.objectContaining({ code: 'store-failed' }) as Error);
  await delay(300);
  expect(made.reported.at(-1)).toContain('cannot be opened yet');
  made.refusal = undefined;
  while (store.halted !== undefined) await delay(10);
  expect(made.opened).toBe(2);
  expect(value(store.current)).toBe('one');
  await store.commit(store.current, put('two'));
  expect(value(store.current)).toBe('two');
});

test('a change that was decided on the store before is not written to the one after', async () => {
  const made = await scene();
  const { store } = made;
  const before = store.current;
  await failWrite(made);
  while (store.halted !== undefined) await delay(10);
  await expect(store.commit(before, put('stale'))).rejects.toMatchObject({ code: 'store-failed' });
  expect(store.halted).toBeUndefined();
  expect(value(store.current)).toBe('');
  expect(made.opened).toBe(2);
});

test('damage is not tried again', async () => {
  const made = await scene();
  made.refusal = new DaybookError('store-corrupt', 'writes are lost');
  await failWrite(made);
  while (made.reported.length < 2) await delay(10);
  expect(made.reported[1]).toContain('needs the operator');
  made.refusal = undefined;
  await delay(300);
  expect(made.store.halted).toMatch(/stopped for good.*writes are lost/);
  expect(made.opened).toBe(1);
});

test('it can be closed while it waits to open', async () => {
  const made = await scene();
  made.refusal = new DaybookError('store-failed', 'no space');
  await failWrite(made);
  await made.store.close();
  expect(() => made.store.current).toThrow(/closed|not read back/);
});
