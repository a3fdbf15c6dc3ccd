/**
 * A process that is one client of many logs: it asks for the newest checkpoint, as `daybook verify`
 * does, and reports what it was shown to a monitor, until the monitor has it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LogClient } from '../../src/client/index.ts';
import type { ForkEvidence } from '../../src/client/trusted-head.ts';
import { DaybookError } from '../../src/errors.ts';
import { Http } from '../../src/http/outbound.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { answerCalls } from './worker.ts';

const REPORT_AGAIN_MS = 500;
const clients = new Map<number, LogClient>();
/** What each log made this client say, so that the same head is reported once. */
const reported = new Set<string>();

const calls = {
  /** Looks at log `id`, and reports to the monitor at `monitor`. Gives the outcome of looking. */
  async look(given: { id: number; url: string; vkeys: readonly string[]; monitor: string }) {
    const { id, url, vkeys, monitor } = given;
    const client = clients.get(id) ?? newClient(url, vkeys);
    clients.set(id, client);
    try {
      const { note } = await client.checkpoint();
      report(monitor, note);
      return 'trusted';
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      if (error.code === 'log-forked') {
        const { trusted, offered } = error.cause as ForkEvidence;
        report(monitor, trusted);
        report(monitor, offered);
      }
      return error.code;
    }
  },
};

export type ClientCalls = typeof calls;

function newClient(url: string, vkeys: readonly string[]): LogClient {
  return new LogClient({ url, vkeys, verifier: nodeVerifier, attempts: 4, backoffMs: 50 });
}

function report(monitor: string, note: Uint8Array): void {
  const key = `${monitor} ${Buffer.from(note).toString()}`;
  if (reported.has(key)) return;
  reported.add(key);
  void deliver(new Http(monitor, { timeoutMs: 2000 }), note);
}

async function deliver(http: Http, body: Uint8Array): Promise<void> {
  const contentType = 'text/plain; charset=utf-8';
  for (;;) {
    const call = { method: 'POST', body, contentType, maxBytes: 65_536 } as const;
    const answer = await http.once('gossip/checkpoint', call).catch(() => undefined);
    if (answer !== undefined && answer.status !== 429 && answer.status < 500) return;
    await delay(REPORT_AGAIN_MS);
  }
}

answerCalls(calls);
