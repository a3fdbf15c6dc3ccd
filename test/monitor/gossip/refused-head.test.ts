import { onTestFinished, expect, test } from 'vitest';
import { Rules } from '../../../src/monitor/rules/rules.ts';
import { WatchedLog } from '../../../src/monitor/watched-log.ts';
import { decodeUtf8 } from '../../../src/encoding/bytes.ts';
import { openRecordStore } from '../../../src/store/record-store.ts';
import { policyOfLogs } from '../../../src/verify/log-policy.ts';
import { numbered, problem } from '../../client/memory-log.ts';
import { MemoryLog } from '../../client/memory-log.ts';
import { temporaryDirectory } from '../../store/temporary-directory.ts';
import { twoFaces } from './scene.ts';

async function watch(log: MemoryLog, refused: string[]): Promise<WatchedLog> {
  const records = await openRecordStore(await temporaryDirectory(), { create: true });
  onTestFinished(() => records.close());
  const config = {
    origin: log.origin,
    policy: policyOfLogs([log.vkey]),
    url: 'http://log.invalid/',
    mirrors: [],
    cosigned: false,
    quietBelow: 0,
  };
  return WatchedLog.open({
    config,
    records,
    raise: () => undefined,
    rules: new Rules({ logs: [config], rules: [] }),
    http: { fetch: log.fetch },
    onRefused: async (note) => {
      refused.push(decodeUtf8(note));
    },
  });
}

test('a signed checkpoint whose tiles are withheld is handed on, to be compared with others', async () => {
  const [honest, forked] = await twoFaces();
  const refused: string[] = [];
  honest.published = 20;
  const watched = await watch(honest, refused);
  await watched.poll();
  expect(watched.tree.size).toBe(20);
  expect(refused).toEqual([]);

  const offered = await forked.note(30);
  for (const status of [404, 500]) {
    honest.intercept = (path) =>
      path === 'checkpoint' ? new Response(Buffer.from(offered)) : problem(status, 'not-found');
    await watched.poll();
    expect(watched.problem).toBeDefined();
    expect(refused.pop()).toBe(decodeUtf8(offered));
  }
});

test('what any other key signed is handed on as it is, and nothing where the log is away', async () => {
  const log = await MemoryLog.create(numbered(3));
  const other = await MemoryLog.create(numbered(3));
  const refused: string[] = [];
  const watched = await watch(log, refused);
  const offered = await other.note();
  log.intercept = () => new Response(Buffer.from(offered));
  await watched.poll();
  expect(refused).toEqual([decodeUtf8(offered)]);
  log.intercept = () => problem(400, 'bad-request');
  await watched.poll();
  expect(refused).toHaveLength(1);
});
