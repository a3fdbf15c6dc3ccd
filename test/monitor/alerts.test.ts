/** Alerts on their way: raised once, kept until delivered, whatever the target or a kill does. */
import { spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { alertId, type Alert } from '../../src/monitor/alert.ts';
import { Change } from '../../src/monitor/change.ts';
import { Undelivered, type Target } from '../../src/monitor/delivery.ts';
import { Outbox } from '../../src/monitor/outbox.ts';
import { openWebhook } from '../../src/monitor/webhook.ts';
import { openRecordStore, type RecordStore } from '../../src/store/record-store.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';
import { startHook, type Hook } from './hook.ts';

const secret = 'a secret of the right length';

function alert(name: string, at = 1_795_500_000): Alert {
  const origin = 'log.acme.example';
  const id = alertId('withdrawal', origin, name);
  return { id, rule: 'withdrawal', severity: 'notice', origin, at, title: name, detail: 'why' };
}

async function newStore(): Promise<RecordStore> {
  const store = await openRecordStore(await temporaryDirectory(), { create: true });
  onTestFinished(() => store.close());
  return store;
}

async function openOutbox(
  store: RecordStore,
  targets: readonly Target[],
  reports: string[] = [],
  backoffMs = 5,
): Promise<Outbox> {
  const report = (message: string): void => void reports.push(message);
  const outbox = await Outbox.open(store, targets, { report, backoffMs });
  onTestFinished(() => outbox.stop());
  return outbox;
}

async function raise(outbox: Outbox, ...alerts: readonly Alert[]): Promise<void> {
  const change = new Change(outbox.records, outbox.raise, Date.now());
  for (const each of alerts) change.raise(each);
  await change.commit();
}

async function webhookTo(hook: Pick<Hook, 'url'>, timeoutMs = 2000): Promise<Target> {
  const secretFile = join(await temporaryDirectory(), 'hook.secret');
  await writeFile(secretFile, `${secret}\n`, { mode: 0o600 });
  return openWebhook({ url: hook.url, secretFile }, { timeoutMs });
}

/** A target that keeps what it gets, or refuses it. */
function shelf(name: string, refuses: (alert: Alert) => boolean = () => false) {
  const got: string[] = [];
  const target: Target = {
    name,
    deliver: async (each) => {
      if (refuses(each)) throw new Undelivered('it is full');
      got.push(each.title);
    },
  };
  return { target, got };
}

describe('an alert is raised once', () => {
  test('in one draft, in two, in two at once, and after a restart', async () => {
    const store = await newStore();
    const { target, got } = shelf('log');
    const outbox = await openOutbox(store, [target]);
    await raise(outbox, alert('a'), alert('a'));
    await raise(outbox, alert('a', 1_795_500_001), alert('b'));
    await Promise.all([raise(outbox, alert('c')), raise(outbox, alert('c', 1_795_500_002))]);
    expect(await outbox.drained(5000)).toBe(true);
    expect(got.sort()).toEqual(['a', 'b', 'c']);
    expect(outbox.fresh).toBe(3);
    await outbox.stop();
    const again = await openOutbox(store, [target]);
    await raise(again, alert('a'), alert('d'));
    expect(await again.drained(5000)).toBe(true);
    expect(got.sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(again.fresh).toBe(1);
  });

  test('but not by a draft that was never committed', async () => {
    const outbox = await openOutbox(await newStore(), [shelf('log').target]);
    new Change(outbox.records, outbox.raise, 0).raise(alert('a'));
    expect(outbox.newest).toEqual([]);
    await raise(outbox, alert('a'));
    expect(outbox.newest).toHaveLength(1);
  });
});

describe('an alert is kept until it is delivered', () => {
  test('to each target by itself', async () => {
    const store = await newStore();
    let full = true;
    const slow = shelf('slow', () => full);
    const quick = shelf('quick');
    const reports: string[] = [];
    const outbox = await openOutbox(store, [slow.target, quick.target], reports);
    await raise(outbox, alert('a'), alert('b'));
    await vi.waitFor(() => expect(quick.got).toEqual(['a', 'b']));
    expect(await outbox.drained(50)).toBe(false);
    expect(outbox.pending).toEqual(
      new Map([
        ['slow', 2],
        ['quick', 0],
      ]),
    );
    expect(reports[0]).toContain('not delivered to slow');
    full = false;
    expect(await outbox.drained(5000)).toBe(true);
    expect(slow.got.sort()).toEqual(['a', 'b']);
  });

  test('over a restart, the oldest first; those of a target that is gone are dropped', async () => {
    const store = await newStore();
    const closed = [shelf('one', () => true), shelf('two', () => true)];
    const outbox = await openOutbox(
      store,
      closed.map(({ target }) => target),
    );
    for (const [i, name] of ['a', 'b', 'c'].entries()) await raise(outbox, alert(name, i));
    await outbox.stop();
    const { target, got } = shelf('one');
    const reports: string[] = [];
    const again = await openOutbox(store, [target], reports);
    expect(await again.drained(5000)).toBe(true);
    expect(got).toEqual(['a', 'b', 'c']);
    expect(again.fresh).toBe(3);
    expect(reports).toEqual([expect.stringContaining('3 alerts waited')]);
  });

  test('one that a target refuses does not keep the others from it', async () => {
    const { target, got } = shelf('log', ({ title }) => title === 'bad');
    const outbox = await openOutbox(await newStore(), [target]);
    await raise(outbox, alert('bad'), alert('a'), alert('b'));
    await vi.waitFor(() => expect(got).toEqual(['a', 'b']));
    expect(outbox.pending.get('log')).toBe(1);
  });

  test('a new one does not wait for one that a target refused before', async () => {
    const { target, got } = shelf('log', ({ title }) => title === 'bad');
    const reports: string[] = [];
    const outbox = await openOutbox(await newStore(), [target], reports, 3_600_000);
    await raise(outbox, alert('bad'));
    await vi.waitFor(() => expect(reports).toHaveLength(1));
    await raise(outbox, alert('a'));
    await vi.waitFor(() => expect(got).toEqual(['a']));
    expect(outbox.pending.get('log')).toBe(1);
  });

  test('what could not be noted down is delivered again by the next start, not again and again', async () => {
    const directory = await temporaryDirectory();
    const store = await openRecordStore(directory, { create: true });
    const got: string[] = [];
    const failing: Target = {
      name: 'log',
      deliver: async ({ title }) => {
        got.push(title);
        await store.close();
      },
    };
    const reports: string[] = [];
    const outbox = await openOutbox(store, [failing], reports, 1);
    await raise(outbox, alert('a'));
    expect(await outbox.drained(200)).toBe(false);
    expect(got).toEqual(['a']);
    expect(reports).toEqual([expect.stringContaining('not noted down')]);
    await outbox.stop();
    const reopened = await openRecordStore(directory, { create: false });
    onTestFinished(() => reopened.close());
    const shelved = shelf('log');
    expect(await (await openOutbox(reopened, [shelved.target])).drained(5000)).toBe(true);
    expect(shelved.got).toEqual(['a']);
  });

  test('the newest are at hand, newest first, and counted', async () => {
    const store = await newStore();
    const outbox = await openOutbox(store, []);
    const many = Array.from({ length: 250 }, (_, i) => alert(String(i), i));
    await raise(outbox, ...many);
    const shown = many.toReversed().slice(0, 200);
    expect(outbox.newest).toEqual(shown);
    const again = await openOutbox(store, []);
    expect(again.newest).toEqual(shown);
    expect([...again.counts]).toEqual([{ rule: 'withdrawal', severity: 'notice', count: 250 }]);
    expect(again.feedId).toBe(outbox.feedId);
  });
});

describe('a webhook', () => {
  test('gets each alert as signed JSON, with its id as the idempotency key', async () => {
    const hook = await startHook();
    const outbox = await openOutbox(await newStore(), [await webhookTo(hook)]);
    await raise(outbox, alert('a \u2028 "quoted"'));
    expect(await outbox.drained(5000)).toBe(true);
    const [{ path, headers, body }] = hook.received as [(typeof hook.received)[0]];
    expect(path).toBe('/hook?team=1');
    expect(headers['content-type']).toBe('application/json');
    expect(JSON.parse(body)).toEqual({
      type: 'urn:daybook:alert:v1',
      ...alert('a \u2028 "quoted"'),
    });
    expect(headers['idempotency-key']).toBe(alert('a \u2028 "quoted"').id);
    // As a receiver would check it.
    const [, time, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(
      String(headers['x-daybook-signature']),
    )!;
    expect(mac).toBe(createHmac('sha256', secret).update(`${time}.${body}`).digest('hex'));
    expect(Math.abs(Number(time) - Date.now() / 1000)).toBeLessThan(60);
  });

  test('that fails, hangs, redirects or cuts the connection gets it in the end', async () => {
    const elsewhere = await startHook();
    const replies = [
      500,
      undefined,
      { status: 307, headers: { location: elsewhere.url } },
      429,
      204,
    ];
    const hook = await startHook(() => replies.shift());
    const outbox = await openOutbox(await newStore(), [await webhookTo(hook, 200)]);
    await raise(outbox, alert('a'));
    expect(await outbox.drained(10_000)).toBe(true);
    expect(hook.received).toHaveLength(5);
    expect(hook.taken).toEqual([alert('a').id]);
    expect(elsewhere.received).toEqual([]);
  });

  test('that nobody answers for keeps its alerts', async () => {
    const reports: string[] = [];
    const target = await webhookTo({ url: 'http://127.0.0.1:1/' });
    const outbox = await openOutbox(await newStore(), [target], reports);
    await raise(outbox, alert('a'));
    expect(await outbox.drained(100)).toBe(false);
    expect(outbox.pending.get(target.name)).toBe(1);
    expect(reports.length).toBeGreaterThan(0);
  });

  test('is waited for as long as it asks', async () => {
    const replies = [{ status: 503, headers: { 'retry-after': '3600' } }];
    const hook = await startHook(() => replies.shift() ?? 204);
    const reports: string[] = [];
    const outbox = await openOutbox(await newStore(), [await webhookTo(hook)], reports);
    await raise(outbox, alert('a'));
    await vi.waitFor(() => expect(reports[0]).toContain('next try in 3600 s'));
    expect(hook.received).toHaveLength(1);
  });

  test('secrets that others may read, or that are short, are refused', async () => {
    const secretFile = join(await temporaryDirectory(), 'hook.secret');
    await writeFile(secretFile, secret, { mode: 0o600 });
    await chmod(secretFile, 0o644);
    const url = 'https://hooks.example';
    await expect(openWebhook({ url, secretFile })).rejects.toThrow(/chmod 600/);
    await writeFile(secretFile, 'short');
    await chmod(secretFile, 0o600);
    await expect(openWebhook({ url, secretFile })).rejects.toThrow(/5 characters/);
  });
});

test('a monitor that is killed again and again loses no alert, and repeats only what it was delivering', async () => {
  const directory = await temporaryDirectory();
  const store = await openRecordStore(directory, { create: true });
  await store.close();
  let requests = 0;
  const hook = await startHook(() => (++requests % 3 === 0 ? 500 : 204));
  const secretFile = join(await temporaryDirectory(), 'hook.secret');
  await writeFile(secretFile, secret, { mode: 0o600 });
  const raised = new Set<string>();
  const kills = 12;
  const run = async (count: number): Promise<void> => {
    const script = fileURLToPath(import.meta.resolve('./raiser.ts'));
    const args = [directory, hook.url, secretFile, String(count)];
    const child = spawn(process.execPath, ['--no-warnings', script, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    createInterface({ input: child.stdout }).on('line', (id) => raised.add(id));
    if (count === 0) {
      await once(child, 'close');
      return;
    }
    await once(child.stdout, 'data');
    await delay(Math.random() * 60);
    child.kill('SIGKILL');
    await once(child, 'close');
  };
  for (let i = 0; i < kills; i++) await run(1000);
  await run(0);
  expect(raised.size).toBeGreaterThan(kills);
  const taken = new Set(hook.taken);
  expect([...raised].filter((id) => !taken.has(id))).toEqual([]);
  // At each kill at most one was on its way.
  expect(hook.taken.length - taken.size).toBeLessThanOrEqual(kills);
}, 120_000);
