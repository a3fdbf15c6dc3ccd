/** Writes records until it is killed; says which write is durable: `node record-writer.ts DIRECTORY`. */
import { openRecordStore } from '../../src/store/record-store.ts';

const store = await openRecordStore(process.argv[2] as string, { create: false });
const counter = store.get('counter');
let next = counter ? new DataView(counter.buffer, counter.byteOffset).getUint32(0) + 1 : 1;
for (;;) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, next);
  // Two that belong together, in a write that other commits share.
  await Promise.all([
    store.commit({
      put: [
        ['counter', bytes],
        [`write/${next % 7}`, bytes],
      ],
    }),
    store.commit({ put: [['other', bytes]] }),
  ]);
  process.stdout.write(`${next}\n`);
  next += 1;
}
