/** A process with honest logs, as `daybook serve --witnesses` runs them, which can be killed and started anew. */
import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import { utf8 } from '../../src/encoding/bytes.ts';
import { Log } from '../../src/log/log.ts';
import { createServer, type LogServer } from '../../src/server/index.ts';
import { parsePolicy } from '../../src/verify/policy.ts';
import { answerCalls } from './worker.ts';

const logger = pino({ level: 'silent' });
const logs = new Map<number, { readonly log: Log; readonly server: LogServer }>();

const calls = {
  /** The port of the log in `directory`, which has its checkpoints cosigned by the policy in this file. */
  async open(given: { id: number; directory: string; policy: string }) {
    const { id, directory } = given;
    const policy = parsePolicy(new Uint8Array(await readFile(given.policy)));
    const witnesses = { policy, timeoutMs: 2000 };
    const log = await Log.open({ directory, intervalMs: 100, witnesses });
    const server = createServer(log, { logger });
    const { port } = await server.listen(0, '127.0.0.1');
    logs.set(id, { log, server });
    return port;
  },

  /** How many of these entries it took: none while it asks its witnesses or finds no quorum. */
  async append(given: { id: number; label: string; count: number }) {
    const { id, label, count } = given;
    const entries = Array.from({ length: count }, (_, i) => utf8(`${label} ${i}`));
    const outcomes = await logs.get(id)?.log.submitMany(entries);
    return outcomes?.filter((outcome) => 'index' in outcome).length ?? 0;
  },

  /** Stops all logs, as their operator does. */
  async stop() {
    for (const { log, server } of logs.values()) {
      await server.stop();
      await log.close();
    }
  },
};

export type HonestLogCalls = typeof calls;

answerCalls(calls);
