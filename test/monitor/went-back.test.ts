/** A log that shows an older checkpoint than before: a cache on the way, or a log that went back. */
import { onTestFinished, expect, test } from 'vitest';
import type { Alert } from '../../src/monitor/alert.ts';
import { Rules } from '../../src/monitor/rules/rules.ts';
import { WatchedLog } from '../../src/monitor/watched-log.ts';
import { openRecordStore } from '../../src/store/record-store.ts';
import { policyOfLogs } from '../../src/verify/log-policy.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';

const HOUR_MS = 3_600_000;

test('an older checkpoint is told of when it is all that the log shows for long', async () => {
  const log = await MemoryLog.create(numbered(20));
  const records = await openRecordStore(await temporaryDirectory(), { create: true });
  onTestFinished(() => records.close());
  const alerts: Alert[] = [];
  let now = 1_790_000_000_000;
  const config = {
    origin: log.origin,
    policy: policyOfLogs([log.vkey]),
    url: 'http://log.invalid/',
    mirrors: [],
    cosigned: false,
    quietBelow: 0,
  };
  const watched = await WatchedLog.open({
    config,
    records,
    raise: (alert) => alerts.push(alert),
    rules: new Rules({ logs: [config], rules: [] }),
    clock: () => now,
    http: { fetch: log.fetch, backoffMs: 1 },
    // A judge finds it to be of the same tree.
    onConflict: async ({ evidence }) => evidence === undefined,
  });
  await watched.poll();
  // Of its entries, which are no statements.
  alerts.length = 0;

  log.published = 10;
  await watched.poll();
  expect(watched.problem?.code).toBe('log-forked');
  expect(alerts).toEqual([]);
  log.published = 20;
  now += HOUR_MS;
  await watched.poll();
  expect(watched.problem).toBeUndefined();

  log.published = 10;
  await watched.poll();
  expect(alerts).toEqual([]);
  now += HOUR_MS;
  await watched.poll();
  expect(alerts).toMatchObject([
    { rule: 'log-misbehaved', title: expect.stringContaining('older ones') as string },
  ]);
});
