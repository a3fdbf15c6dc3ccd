import { expect, test } from 'vitest';
import { MirrorState } from '../../src/mirror/mirror-state.ts';
import { openRecordStore } from '../../src/store/record-store.ts';
import { MemoryLog } from '../client/memory-log.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';

test('what was cosigned last is followed by nothing smaller, and by no other root', async () => {
  const store = await openRecordStore(await temporaryDirectory(), { create: true });
  const log = await MemoryLog.create([1, 2, 3].map((byte) => Uint8Array.of(byte)));
  const state = new MirrorState(store, log.origin, []);
  await state.sign(await log.note(2));
  await expect(state.sign(await log.note(1))).rejects.toMatchObject({ code: 'log-forked' });
  const other = await log.note(2, [log.signer], log.root(1));
  await expect(state.sign(other)).rejects.toMatchObject({ code: 'log-forked' });
  expect(state.signed).toMatchObject({ size: 2, root: log.root(2) });
  await state.sign(await log.note(2));
  await state.sign(await log.note(3));
  expect(state.signed).toMatchObject({ size: 3 });
  await store.close();
});
