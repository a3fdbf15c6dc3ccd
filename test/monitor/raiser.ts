/** Raises alerts until it is killed, and prints the id of each that is durable; with 0, only delivers. */
import { alertId } from '../../src/monitor/alert.ts';
import { Change } from '../../src/monitor/change.ts';
import { Outbox } from '../../src/monitor/outbox.ts';
import { openWebhook } from '../../src/monitor/webhook.ts';
import { openRecordStore } from '../../src/store/record-store.ts';

const [directory = '', url = '', secretFile = '', count = '0'] = process.argv.slice(2);
const store = await openRecordStore(directory, { create: false });
const outbox = await Outbox.open(store, [await openWebhook({ url, secretFile })], {
  report: () => undefined,
  backoffMs: 5,
});
for (let i = 0; i < Number(count); i++) {
  const id = alertId('test', 'log.acme.example', String(process.pid), String(i));
  const change = new Change(outbox.records, outbox.raise, Date.now());
  change.raise({
    id,
    rule: 'test',
    severity: 'notice',
    origin: 'log.acme.example',
    at: Math.floor(Date.now() / 1000),
    title: String(i),
    detail: '',
  });
  await change.commit();
  process.stdout.write(`${id}\n`);
}
await outbox.drained(60_000);
await outbox.stop();
await store.close();
