/** A log with two branches, and monitors that were shown one of them. */
import { onTestFinished } from 'vitest';
import type { Alert } from '../../../src/monitor/alert.ts';
import type { GossipConfig, WatchedLogConfig } from '../../../src/monitor/config.ts';
import { Gossip, type GossipOptions } from '../../../src/monitor/gossip/gossip.ts';
import type { FollowedLog } from '../../../src/monitor/gossip/judge.ts';
import { originHash } from '../../../src/note/origin-hash.ts';
import type { NoteSigner } from '../../../src/note/sign.ts';
import { formatVkey } from '../../../src/note/vkey.ts';
import { openRecordStore, type RecordStore } from '../../../src/store/record-store.ts';
import { policyOfLogs } from '../../../src/verify/log-policy.ts';
import { MemoryLog, numbered } from '../../client/memory-log.ts';
import { temporaryDirectory } from '../../store/temporary-directory.ts';

export const FORK_AT = 8;
const HIDDEN = new Response(null, { status: 404 });

/** Both branches have 60 entries, the first `FORK_AT` of them the same. */
export async function twoFaces(): Promise<readonly [MemoryLog, MemoryLog]> {
  const log = await MemoryLog.create(numbered(60));
  return [log, log.fork(FORK_AT, ...numbered(60 - FORK_AT, 'other'))];
}

/** What the monitor has audited of a branch: as far as `advance` was called. */
export class Followed implements FollowedLog {
  readonly origin: string;
  readonly hash: string;
  readonly #log: MemoryLog;
  tree: FollowedLog['tree'];
  head: FollowedLog['head'];

  constructor(log: MemoryLog) {
    this.#log = log;
    this.tree = { size: 0, reader: () => log.read };
    this.origin = log.origin;
    this.hash = originHash(log.origin);
  }

  async advance(size: number, witnesses: readonly NoteSigner[] = []): Promise<void> {
    this.head = { note: await this.#log.note(size, [this.#log.signer, ...witnesses]) };
    this.tree = { size, reader: () => this.#log.read };
  }
}

export interface SceneOptions extends Partial<GossipConfig> {
  readonly keys?: readonly NoteSigner[];
  readonly fetch?: typeof fetch;
  readonly mirrors?: readonly string[];
  readonly report?: GossipOptions['report'];
}

export interface Scene {
  readonly gossip: Gossip;
  readonly followed: Followed;
  readonly records: RecordStore;
  readonly alerts: readonly Alert[];
  /** Milliseconds since 1970. */
  now: number;
  /** The same monitor after a restart. */
  again(): Promise<Gossip>;
  /** Takes in what was audited up to `size`. */
  advance(size: number, witnesses?: readonly NoteSigner[]): Promise<void>;
}

/** A monitor that follows `log`, and judges by its keys. */
export async function monitorOf(log: MemoryLog, options: SceneOptions = {}): Promise<Scene> {
  const { keys = [log.signer], fetch = async () => HIDDEN.clone(), mirrors = [] } = options;
  const records = await openRecordStore(await temporaryDirectory(), { create: true });
  onTestFinished(() => records.close());
  const followed = new Followed(log);
  const alerts: Alert[] = [];
  const scene = { now: 1_790_000_000_000 };
  const config: GossipConfig = {
    peers: [],
    witnesses: [],
    intervalSeconds: 1,
    acceptReports: true,
    accuseAfter: 60,
    ...options,
  };
  const policy = policyOfLogs(keys.map(({ key }) => formatVkey(key)));
  const watched: WatchedLogConfig = {
    origin: log.origin,
    policy,
    url: 'http://log.invalid/',
    mirrors,
    cosigned: false,
    quietBelow: 0,
  };
  const open = (): Promise<Gossip> =>
    Gossip.open({
      config,
      logs: [{ config: watched, log: followed }],
      records,
      raise: (alert, draft) => {
        const key = `alert/${alert.id}`;
        if (draft.get(key)) return;
        draft.put(key, new Uint8Array(0));
        alerts.push(alert);
      },
      clock: () => scene.now,
      fetch,
      ...(options.report && { report: options.report }),
    });
  const gossip = await open();
  return Object.assign(scene, {
    gossip,
    followed,
    records,
    alerts,
    again: open,
    async advance(size: number, witnesses?: readonly NoteSigner[]) {
      await followed.advance(size, witnesses);
      await gossip.grown();
    },
  });
}
