/** A mirror's data directory: made once with a key and a name, opened by one process, followed until told to stop. */
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LogClient } from '../client/log-client.ts';
import type { ForkEvidence } from '../client/trusted-head.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { openCosigner } from '../cosigner/directory.ts';
import { pause, type HttpOptions } from '../http/outbound.ts';
import { nodeTreeHasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { originHash } from '../note/origin-hash.ts';
import type { NoteSigner } from '../note/sign.ts';
import { formatVkey } from '../note/vkey.ts';
import { syncDirectory } from '../store/directory.ts';
import type { RecordStore } from '../store/record-store.ts';
import type { TrustPolicy } from '../verify/policy.ts';
import { parseHead } from '../verify/signed-head.ts';
import { MirrorFiles } from './mirror-files.ts';
import { MirrorState } from './mirror-state.ts';
import { Mirror } from './mirror.ts';

export interface RunningMirrorOptions {
  /** Made by `initCosigner`, with a name. */
  readonly directory: string;
  /** Base URL of the log. */
  readonly url: string;
  /** Names the keys of one log, and the witnesses that a checkpoint needs to be mirrored. */
  readonly policy: TrustPolicy;
  readonly http?: HttpOptions | undefined;
  /** Seconds since 1970; the system's clock when not given. */
  readonly now?: (() => number) | undefined;
  /** Told what an operator should know, once for each spell of it. */
  readonly report?: ((message: string, error?: unknown) => void) | undefined;
}

const LONGEST_PAUSE_MS = 60_000;

export class RunningMirror {
  readonly mirror: Mirror;
  readonly origin: string;
  readonly vkeys: readonly string[];
  /** What is served: a folder for each log, by the hash of its origin. */
  readonly publicDirectory: string;
  readonly #options: RunningMirrorOptions;
  readonly #store: RecordStore;
  /** What is wrong for now, as it was reported. */
  #trouble: string | undefined;

  private constructor(
    options: RunningMirrorOptions,
    store: RecordStore,
    mirror: Mirror,
    origin: string,
    signers: readonly NoteSigner[],
  ) {
    this.#options = options;
    this.#store = store;
    this.mirror = mirror;
    this.origin = origin;
    this.vkeys = signers.map(({ key }) => formatVkey(key));
    this.publicDirectory = publicDirectory(options.directory);
  }

  /**
   * Throws `state-missing` where no mirror was made, `store-locked` while another process has it open,
   * `store-corrupt`, `bad-usage` for a policy of several logs, and `log-forked` for a log that was seen
   * to fork before.
   */
  static async open(options: RunningMirrorOptions): Promise<RunningMirror> {
    const { directory, policy } = options;
    const origin = originOf(policy);
    await checkUnforked(directory, origin);
    const { store, signers } = await openCosigner(directory);
    try {
      const state = new MirrorState(
        store,
        origin,
        signers.map(({ key }) => key),
      );
      const files = await MirrorFiles.open(
        join(publicDirectory(directory), originHash(origin)),
        join(directory, 'staging'),
      );
      const client = new LogClient({
        ...options.http,
        url: options.url,
        policy,
        state: state.pending,
        verifier: nodeVerifier,
        hasher: nodeTreeHasher,
      });
      const now = options.now ?? ((): number => Math.floor(Date.now() / 1000));
      const mirror = await Mirror.open({ client, files, state, policy, signers, now });
      return new RunningMirror(options, store, mirror, origin, signers);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /**
   * Brings the copy up to date; gives whether there is a new mirror checkpoint. Throws as
   * `Mirror.update`; `log-behind` for a log that shows an older checkpoint of the tree that is kept, and
   * `log-forked` for another tree: both signed notes are kept then, and the mirror has stopped for good.
   */
  async update(signal?: AbortSignal): Promise<boolean> {
    try {
      return await this.mirror.update(signal);
    } catch (error) {
      const evidence = forkEvidence(error);
      throw evidence ? await this.#judge(evidence, error as DaybookError) : error;
    }
  }

  /** Updates again and again until `signal` is aborted. Throws what no waiting heals. */
  async follow({ pollMs, signal }: { pollMs: number; signal: AbortSignal }): Promise<void> {
    for (let wait = pollMs; !signal.aborted;) {
      try {
        await this.update(signal);
        if (this.#trouble !== undefined) this.#options.report?.('the mirror follows the log again');
        this.#trouble = undefined;
        wait = pollMs;
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof DaybookError) || isFatal(error) || this.#store.failed) throw error;
        if (this.#trouble !== error.code)
          this.#options.report?.('the mirror cannot go on yet', error);
        this.#trouble = error.code;
        wait = Math.min(Math.max(wait * 2, 1000), LONGEST_PAUSE_MS);
      }
      await pause(wait, signal).catch(() => undefined);
    }
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #judge(found: ForkEvidence, error: DaybookError): Promise<DaybookError> {
    const { trusted, offered } = found;
    const { size, root } = parseHead(offered);
    const pending = parseHead(trusted);
    const covered = this.mirror.signed?.size ?? 0;
    const older = size < pending.size;
    if (older && (size > covered || equalBytes(await this.mirror.rootAt(size), root))) {
      return new DaybookError(
        'log-behind',
        `${this.origin} shows a checkpoint of size ${size} now, and one of size ${pending.size} before: it may have been restored from a backup, and can be brought forward from this mirror with \`daybook restore\``,
        { cause: error },
      );
    }
    const folder = forkDirectory(this.#options.directory, this.origin);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'trusted.note'), trusted, { flush: true });
    await writeFile(join(folder, 'offered.note'), offered, { flush: true });
    const evidence = found.evidence ?? (await this.mirror.convict(parseHead(offered)));
    if (evidence) await writeFile(join(folder, 'evidence.json'), evidence, { flush: true });
    await syncDirectory(folder);
    return new DaybookError(
      'log-forked',
      `${error.message}. They are in ${folder}, and the mirror cosigns nothing more of this log`,
      { cause: error.cause },
    );
  }
}

function isFatal({ code }: DaybookError): boolean {
  return code === 'log-forked' || code === 'store-corrupt' || code === 'internal';
}

function publicDirectory(directory: string): string {
  return join(directory, 'public');
}

function forkDirectory(directory: string, origin: string): string {
  return join(directory, 'fork', originHash(origin));
}

async function checkUnforked(directory: string, origin: string): Promise<void> {
  const folder = forkDirectory(directory, origin);
  const kept = await readdir(folder).catch(() => []);
  if (kept.length === 0) return;
  throw new DaybookError(
    'log-forked',
    `${origin} was seen to fork: the two checkpoints that it signed are in ${folder}. What was copied before stays good, and any web server can serve it; remove that folder only if you know better`,
  );
}

function originOf({ logs }: TrustPolicy): string {
  const [origin, ...others] = new Set(logs.map(({ key }) => key.name));
  if (origin !== undefined && others.length === 0) return origin;
  throw new DaybookError(
    'bad-usage',
    `the policy names ${logs.length === 0 ? 'no log' : `the logs ${[origin, ...others].join(', ')}`}: a mirror copies one`,
  );
}

function forkEvidence(error: unknown): ForkEvidence | undefined {
  if (!(error instanceof DaybookError) || error.code !== 'log-forked') return undefined;
  return error.cause as ForkEvidence | undefined;
}
