/**
 * One opening of a data directory: what is stored is verified, and the parts of the log are made
 * and joined. After a failed write all of it is dropped, and the directory is opened anew.
 */
import { DaybookError } from '../errors.ts';
import { utf8 } from '../encoding/bytes.ts';
import { treeSize, type TreeSize } from '../encoding/integer.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { asHash } from '../merkle/hash.ts';
import { formatCheckpoint, parseCheckpoint } from '../note/checkpoint.ts';
import { formatNote, parseNote } from '../note/note.ts';
import { signNote, type NoteSigner } from '../note/sign.ts';
import { formatVkey } from '../note/vkey.ts';
import type { AdmissionMode, AdmissionState } from '../statement/admission.ts';
import { HeadFile } from '../store/head-file.ts';
import { openLevelStore } from '../store/level-store.ts';
import type { Store } from '../store/store.ts';
import type { PolicyWitness, TrustPolicy } from '../verify/policy.ts';
import { followAuditors } from './auditors.ts';
import { dataFiles, exists, readOrCreateKey } from './data-directory.ts';
import { checkForFork, checkShown, judgeShown } from './fork-check.ts';
import { Gatherer } from './gather.ts';
import { loadAdmission, writeGenesis } from './genesis.ts';
import { createLogKeys, openLogKeys, withoutWitnesses, writePublicFiles } from './log-keys.ts';
import { checkEntries, checkHead, loadTree, SettledSize } from './open-state.ts';
import { Publisher, type Published } from './publisher.ts';
import { Sequencer, type SequencerLimits } from './sequencer.ts';
import { TreeReader } from './tree-reader.ts';

/** Whose cosignatures a log gathers. */
export interface WitnessOptions {
  /** Its witness lines have the URLs of submission prefixes; its log lines are not looked at. */
  readonly policy: TrustPolicy;
  /** Time for the answer of one witness, in ms; 5000 when not given. */
  readonly timeoutMs?: number | undefined;
  /** How long after the last one the checkpoint of an idle log is cosigned anew, in ms; 600,000 when not given. */
  readonly heartbeatMs?: number | undefined;
  /** Names of witnesses whose word that there is a larger checkpoint is to be passed over at start. */
  readonly overridden?: readonly string[] | undefined;
  /** Monitors whose cosignatures are shown too, with the URLs of their monitoring prefixes. */
  readonly auditors?: readonly PolicyWitness[] | undefined;
  /** How often each auditor is asked, in ms; 3000 when not given. */
  readonly auditorPollMs?: number | undefined;
}

const DEFAULT_WITNESS_TIMEOUT_MS = 5000;
const DEFAULT_HEARTBEAT_MS = 600_000;
const DEFAULT_AUDITOR_POLL_MS = 3000;

export interface RunningOptions {
  readonly directory: string;
  readonly origin?: string | undefined;
  readonly admission?: AdmissionMode | undefined;
  readonly intervalMs: number;
  /** Entries that were acknowledged already: a store with fewer has lost some. */
  readonly minimumSize: TreeSize;
  readonly limits?: Partial<SequencerLimits> | undefined;
  readonly witnesses?: WitnessOptions | undefined;
  readonly onPublished: (published: Published) => void;
  /** `store-failed` after a write; `log-forked` or `log-behind` when the log must not sign again. */
  readonly onFailure: (error: DaybookError) => void;
  readonly report?: ((message: string) => void) | undefined;
}

export interface Running {
  readonly origin: string;
  readonly vkeys: readonly string[];
  readonly store: Store;
  readonly sequencer: Sequencer;
  readonly publisher: Publisher;
  readonly gatherer: Gatherer;
  readonly reader: TreeReader;
  /**
   * Signs and publishes from here on, once the witnesses know of nothing newer; to be called once,
   * before entries are taken. `onWaiting` is told what it waits for. Throws `log-forked`, `log-behind`,
   * `store-failed`, and the signal's reason.
   */
  begin(onWaiting: (reason: string) => void, signal: AbortSignal): Promise<void>;
  /** Signs nothing more and gives the directory back. */
  close(): Promise<void>;
}

/**
 * Opens the directory, making a new log in an empty one.
 * Throws `store-locked`, `store-failed`, `store-corrupt`, `wrong-directory` or `bad-key`.
 */
export async function openRunning(options: RunningOptions): Promise<Running> {
  const files = dataFiles(options.directory);
  const store = await openLevelStore(files.database);
  let head: HeadFile | undefined;
  try {
    head = await HeadFile.open(files.head);
    return await join(options, store, head);
  } catch (error) {
    await head?.close();
    await store.close();
    throw error;
  }
}

async function join(options: RunningOptions, store: Store, head: HeadFile): Promise<Running> {
  const files = dataFiles(options.directory);
  if (store.state.size === 0) await createLog(options, store, head);
  checkSize(options, store);
  const tree = await loadTree(store, hasher);
  await checkHead(store, head.read(), tree, hasher);
  await checkEntries(store, store.state.verifiedSize, hasher);
  await store.recordVerified(store.state.size);
  const admission = await loadAdmission(store, nodeVerifier);
  checkAsked(options, admission);
  const { origin } = admission;
  const signers = await openLogKeys(files, admission);
  const keys = signers.map(({ key }) => key);
  const vkeys = keys.map(formatVkey);
  await writePublicFiles(files, keys, options.witnesses?.policy);

  let begun = false;
  let failure: DaybookError | undefined;
  const onFailure = (error: DaybookError): void => {
    failure ??= error;
    if (begun) options.onFailure(error);
  };
  const { witnesses } = options;
  const identity = { origin, keys };
  const report = (message: string): void => options.report?.(message);
  const timeoutMs = witnesses?.timeoutMs ?? DEFAULT_WITNESS_TIMEOUT_MS;
  const newest = head.read();
  const gatherer: Gatherer = new Gatherer(witnesses?.policy ?? withoutWitnesses, {
    log: identity,
    knownSize: newest?.size ?? treeSize(0),
    timeoutMs,
    prove: (from, to) => reader.proofForWitness(from, to),
    report,
  });
  const ownTree = { size: () => store.state.size, rootAt: (size: TreeSize) => reader.rootAt(size) };
  const settled = new SettledSize(store.state.size);
  const publisher: Publisher = new Publisher({
    store,
    head,
    sign: (size, root) => signCheckpoint(origin, size, root, signers),
    gatherer,
    intervalMs: options.intervalMs,
    heartbeatMs: witnesses
      ? (witnesses.heartbeatMs ?? DEFAULT_HEARTBEAT_MS)
      : Number.POSITIVE_INFINITY,
    published: publishedBefore(store),
    onPublished: options.onPublished,
    onContradiction: (witness) => void checkShown(witness, ownTree).catch(onFailure),
    onFailure,
    report,
  });
  const sequencer = new Sequencer({
    store,
    tree,
    admission,
    limits: options.limits,
    onDurable(bytes) {
      publisher.notify();
      const size = settled.grown(store.state.size, bytes);
      if (size !== undefined) store.recordVerified(size).catch(onFailure);
    },
    onFailure,
  });
  const reader: TreeReader = new TreeReader({
    store,
    hasher,
    published: () => publisher.published,
    recentTile: (level, index) => sequencer.recentTile(level, index),
  });
  let closed: Promise<void> | undefined;
  return {
    origin,
    vkeys,
    store,
    sequencer,
    publisher,
    gatherer,
    reader,
    async begin(onWaiting, signal) {
      const overridden = witnesses?.overridden ?? [];
      await checkForFork({ gatherer, tree: ownTree, head: newest, overridden, onWaiting, signal });
      // Whoever has witnesses to wait for waits for them in the background.
      if (!witnesses) await publisher.flush();
      if (failure) throw failure;
      begun = true;
      publisher.notify();
      followAuditors({
        auditors: witnesses?.auditors ?? [],
        witnesses: gatherer.policy.witnesses,
        log: identity,
        timeoutMs,
        pollMs: witnesses?.auditorPollMs ?? DEFAULT_AUDITOR_POLL_MS,
        signal: gatherer.signal,
        onAudited: (audited) =>
          judgeShown(audited.checkpoint, `auditor ${audited.auditor}`, ownTree).then(
            () => publisher.offer(audited, audited.own),
            onFailure,
          ),
      });
    },
    close() {
      return (closed ??= closeAll(publisher, head, store));
    },
  };
}

async function closeAll(publisher: Publisher, head: HeadFile, store: Store): Promise<void> {
  await publisher.stop();
  await head.close();
  await store.close();
}

function checkSize({ directory, minimumSize }: RunningOptions, { state }: Store): void {
  if (state.size >= minimumSize) return;
  throw new DaybookError(
    'store-corrupt',
    `${directory} has ${state.size} entries, but ${minimumSize} were acknowledged: some were lost. ` +
      'The log does not sign; restore a newer backup',
  );
}

async function createLog(options: RunningOptions, store: Store, head: HeadFile): Promise<void> {
  const files = dataFiles(options.directory);
  if (head.read()) {
    throw new DaybookError(
      'store-corrupt',
      `${files.head} holds a signed head, but the database is empty: its entries were lost. ` +
        'Restore the database from a backup, and do not delete `head`',
    );
  }
  // Written when the genesis entry is durable.
  if (await exists(files.vkey)) {
    throw new DaybookError(
      'store-corrupt',
      `${files.vkey} names a log that was made here, but its database and head are gone: a new log under the ` +
        'same key would be a fork. Restore a backup, or bring the entries back with `daybook restore`',
    );
  }
  const logKeys = await createLogKeys(files, options.origin);
  const registrar = await readOrCreateKey(files.registrarKey);
  const admission = options.admission ?? 'issuers';
  await writeGenesis(store, { logKeys, admission, registrar }, hasher);
}

function checkAsked(options: RunningOptions, { origin, mode }: AdmissionState): void {
  if (options.origin !== undefined && options.origin !== origin) {
    throw new DaybookError(
      'wrong-directory',
      `${options.directory} is the log of origin ${origin}, not of ${options.origin}: choose another directory or origin`,
    );
  }
  if (options.admission !== undefined && options.admission !== mode) {
    throw new DaybookError(
      'wrong-directory',
      `admission of the log in ${options.directory} is ${mode} for its life, not ${options.admission}: leave the option out, or start a new log`,
    );
  }
}

async function signCheckpoint(
  origin: string,
  size: TreeSize,
  root: Uint8Array,
  signers: readonly NoteSigner[],
): Promise<Uint8Array> {
  const text = formatCheckpoint({ origin, size, root: asHash(root), extensions: [] });
  const now = Math.floor(Date.now() / 1000);
  return utf8(formatNote(await signNote(text, signers, now)));
}

function publishedBefore({ state }: Store): Published {
  const { published: note } = state;
  if (!note) return { note: new Uint8Array(0), size: treeSize(0), root: hasher.emptyRoot };
  const { size, root } = parseCheckpoint(parseNote(note).text);
  return { note, size, root };
}
