/** A log in memory with signed statements, and a monitor that watches it and can be opened anew. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Alert } from '../../src/monitor/alert.ts';
import type { Cosigner } from '../../src/monitor/cosigner.ts';
import type { AuditedEntry } from '../../src/monitor/draft.ts';
import { findingsFrom, type FindingsPage } from '../../src/monitor/findings.ts';
import { Outbox } from '../../src/monitor/outbox.ts';
import type { SeenHead } from '../../src/monitor/rules/rule.ts';
import { WatchedLog } from '../../src/monitor/watched-log.ts';
import type { Signer } from '../../src/signature/port.ts';
import { openRecordStore, type RecordStore } from '../../src/store/record-store.ts';
import { policyOfLogs } from '../../src/verify/log-policy.ts';
import { MemoryLog } from '../client/memory-log.ts';
import {
  changePayload,
  genesisEntry,
  newSigner,
  origin,
  releasePayload,
  signed,
} from '../statement/parties.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';

export const START_MS = 1_795_500_000_000;

export interface AcmeLog {
  readonly log: MemoryLog;
  readonly registrar: Signer;
  /** Admitted by entry 1. */
  readonly issuer: Signer;
}

/** A log whose genesis and one admission are there. */
export async function acmeLog(): Promise<AcmeLog> {
  const [registrar, issuer] = [await newSigner(), await newSigner()];
  const admitted = await signed(changePayload({ sequence: 1, issuer }), registrar);
  const log = await MemoryLog.create([await genesisEntry([registrar]), admitted], origin);
  return { log, registrar, issuer };
}

export function release(issuer: Signer, version: number): Promise<Uint8Array> {
  return signed(releasePayload(`pkg:generic/acme/scanner@1.${version}`), issuer);
}

export class WatchScene {
  now = START_MS;
  readonly log: MemoryLog;
  readonly directory: string;
  readonly cosigner: Cosigner | undefined;
  watched!: WatchedLog;
  records!: RecordStore;
  outbox!: Outbox;
  /** All that the rules were shown, over all openings. */
  readonly entries: AuditedEntry[] = [];
  readonly heads: SeenHead[] = [];
  ticks = 0;

  private constructor(log: MemoryLog, directory: string, cosigner: Cosigner | undefined) {
    this.log = log;
    this.directory = directory;
    this.cosigner = cosigner;
  }

  static async of(log: MemoryLog, cosigner?: Cosigner, directory?: string): Promise<WatchScene> {
    const scene = new WatchScene(log, directory ?? (await temporaryDirectory()), cosigner);
    await scene.#open(true);
    onTestFinished(() => scene.close());
    return scene;
  }

  async close(): Promise<void> {
    await this.outbox.stop();
    await this.records.close();
  }

  async again(): Promise<void> {
    await this.close();
    await this.#open(false);
  }

  get alerts(): Alert[] {
    return [...this.outbox.newest];
  }

  findings(from = 0): Promise<FindingsPage> {
    return findingsFrom(this.records, this.watched.hash, from);
  }

  async #open(create: boolean): Promise<void> {
    this.records = await openRecordStore(join(this.directory, 'state'), { create });
    this.outbox = await Outbox.open(this.records, [], { report: () => undefined });
    this.watched = await WatchedLog.open({
      config: {
        origin: this.log.origin,
        policy: policyOfLogs([this.log.vkey]),
        url: 'http://log.example/',
        mirrors: [],
        cosigned: false,
        quietBelow: 0,
      },
      records: this.outbox.records,
      raise: this.outbox.raise,
      rules: {
        entry: (entry) => void this.entries.push(entry),
        head: (head) => void this.heads.push(head),
        tick: () => void (this.ticks += 1),
      },
      cosigner: this.cosigner,
      clock: () => this.now,
      http: { fetch: this.log.fetch, attempts: 1, timeoutMs: 1000, backoffMs: 1 },
    });
  }
}
