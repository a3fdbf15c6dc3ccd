/** What the monitors hold against whom: read from them as anybody can, and verified anew by public keys alone. */
import { setTimeout as delay } from 'node:timers/promises';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseVkey, type VerifierKey } from '../../src/note/vkey.ts';
import { DaybookError } from '../../src/errors.ts';
import { Http } from '../../src/http/outbound.ts';
import { verifyEvidence } from '../../src/verify/evidence.ts';

/** What was found against one log; times by `performance.now()`. */
export interface Case {
  /** When the first monitor had evidence. */
  convictedAt?: number;
  /** When the last monitor got some. */
  everywhereAt?: number;
  /** When the first monitor had an accusation. */
  accusedAt?: number;
  readonly holders: Set<number>;
  readonly witnesses: Set<string>;
  /** An evidence file. */
  file?: Uint8Array;
}

interface Listed {
  readonly evidence: readonly { readonly id: string; readonly origin: string }[];
  readonly accusations: readonly { readonly id: string; readonly origin: string }[];
}

const POLL_MS = 100;

export class Tribunal {
  readonly #keys: { readonly logKeys: VerifierKey[]; readonly witnessKeys: VerifierKey[] };
  readonly #ports: () => readonly number[];
  readonly #cases = new Map<string, Case>();
  readonly #seen = new Set<string>();
  /** Evidence that monitors serve and that convicts nobody. */
  readonly unfounded: string[] = [];

  /** `ports` gives where the monitors listen now. */
  constructor(
    logKeys: readonly string[],
    witnessKeys: readonly string[],
    ports: () => readonly number[],
  ) {
    this.#keys = { logKeys: logKeys.map(parseVkey), witnessKeys: witnessKeys.map(parseVkey) };
    this.#ports = ports;
  }

  case(origin: string): Case {
    const known = this.#cases.get(origin) ?? { holders: new Set(), witnesses: new Set() };
    this.#cases.set(origin, known);
    return known;
  }

  /** All that there is against anybody, a line each. */
  wrongs(): string[] {
    const against = [...this.#cases].flatMap(([origin, found]) => [
      ...(found.convictedAt === undefined ? [] : [`${origin} was convicted`]),
      ...(found.accusedAt === undefined ? [] : [`${origin} was accused`]),
    ]);
    return [...this.unfounded, ...against];
  }

  /** Reads all monitors again and again until `isOver`, or until `signal` is aborted. */
  async sit(isOver: () => boolean, signal: AbortSignal): Promise<void> {
    while (!isOver() && !signal.aborted) {
      await Promise.all(this.#ports().map((port, monitor) => this.#read(port, monitor)));
      await delay(POLL_MS);
    }
  }

  async #read(port: number, monitor: number): Promise<void> {
    const http = new Http(`http://127.0.0.1:${port}`, { timeoutMs: 5000 });
    const call = { maxBytes: 4 << 20, fresh: true };
    // A monitor that is being started anew is read next time.
    const answer = await http.once('gossip/evidence', call).catch(() => undefined);
    if (answer?.status !== 200) return;
    const listed = JSON.parse(Buffer.from(answer.body).toString()) as Listed;
    for (const { origin } of listed.accusations) this.case(origin).accusedAt ??= performance.now();
    for (const { id, origin } of listed.evidence) {
      if (this.#seen.has(`${monitor} ${id}`)) continue;
      const file = await http.once(`gossip/evidence/${id}`, call).catch(() => undefined);
      if (file?.status !== 200) continue;
      this.#seen.add(`${monitor} ${id}`);
      await this.#judge(origin, monitor, file.body);
    }
  }

  async #judge(origin: string, monitor: number, file: Uint8Array): Promise<void> {
    try {
      const conviction = await verifyEvidence(file, this.#keys, nodeVerifier);
      const found = this.case(conviction.origin);
      found.convictedAt ??= performance.now();
      found.file ??= file;
      found.holders.add(monitor);
      if (found.holders.size === this.#ports().length) found.everywhereAt ??= performance.now();
      for (const name of conviction.convictedWitnesses) found.witnesses.add(name);
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      this.unfounded.push(`monitor ${monitor} against ${origin}: ${error.message}`);
    }
  }
}
