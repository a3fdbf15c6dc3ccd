/**
 * One opening of a data directory: what is stored is verified, and the parts of the log are made
 * and joined. After a failed write all of it is dropped, and the directory is opened anew.
 */
import { DaybookError } from '../errors.ts';
import { utf8 } from '../encoding/bytes.ts';
import { treeSize, type TreeSize } from '../encoding/integer.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { asHash, type Hash } from '../merkle/hash.ts';
import { formatCheckpoint } from '../note/checkpoint.ts';
import { formatNote } from '../note/note.ts';
import { signNote, type NoteSigner } from '../note/sign.ts';
import { formatVkey, parseVkey, verifierKey } from '../note/vkey.ts';
import type { AdmissionMode, AdmissionState } from '../statement/admission.ts';
import { HeadFile } from '../store/head-file.ts';
import { openLevelStore } from '../store/level-store.ts';
import type { Store } from '../store/store.ts';
import { dataFiles, readLogKey, readOrCreateKey, writePublicFile } from './data-directory.ts';
import { loadAdmission, writeGenesis } from './genesis.ts';
import { checkEntries, checkHead, loadTree, SettledSize } from './open-state.ts';
import { Publisher, type Published } from './publisher.ts';
import { Sequencer, type SequencerLimits } from './sequencer.ts';
import { TreeReader } from './tree-reader.ts';

export interface RunningOptions {
  readonly directory: string;
  readonly origin?: string | undefined;
  readonly admission?: AdmissionMode | undefined;
  readonly intervalMs: number;
  /** Entries that were acknowledged already: a store with fewer has lost some. */
  readonly minimumSize: TreeSize;
  readonly limits?: Partial<SequencerLimits> | undefined;
  readonly onPublished: (published: Published) => void;
  readonly onFailure: (error: DaybookError) => void;
}

export interface Running {
  readonly origin: string;
  readonly vkey: string;
  readonly store: Store;
  readonly sequencer: Sequencer;
  readonly publisher: Publisher;
  readonly reader: TreeReader;
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
  const { signer, vkey } = await openSigner(files.logKey, admission);
  await writePublicFile(files.vkey, `${vkey}\n`);
  await writePublicFile(files.policy, `log ${vkey}\nquorum none\n`);

  let opened = false;
  let failure: DaybookError | undefined;
  const onFailure = (error: DaybookError): void => {
    failure ??= error;
    if (opened) options.onFailure(error);
  };
  const settled = new SettledSize(store.state.size);
  const publisher = new Publisher({
    store,
    head,
    sign: (size, root) => signCheckpoint(admission.origin, size, root, signer),
    intervalMs: options.intervalMs,
    published: await publishedHead(store, head),
    onPublished: options.onPublished,
    onFailure,
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
  const reader = new TreeReader({
    store,
    hasher,
    published: () => publisher.published,
    recentTile: (level, index) => sequencer.recentTile(level, index),
  });
  await publisher.flush();
  if (failure) throw failure;
  opened = true;
  let closed: Promise<void> | undefined;
  return {
    origin: admission.origin,
    vkey,
    store,
    sequencer,
    publisher,
    reader,
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
  const signer = await readOrCreateKey(files.logKey);
  const registrar = await readOrCreateKey(files.registrarKey);
  const origin = options.origin ?? `daybook.localhost/${signer.publicKey.fingerprint.slice(0, 8)}`;
  const vkey = formatVkey(verifierKey(origin, 0x01, signer.publicKey));
  const admission = options.admission ?? 'issuers';
  await writeGenesis(store, { origin, vkey, admission, registrar }, hasher);
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

async function openSigner(
  path: string,
  { origin, logKeys }: AdmissionState,
): Promise<{ signer: NoteSigner; vkey: string }> {
  const signer = await readLogKey(path);
  const vkey = logKeys.find((text) => {
    const { key, type } = parseVkey(text);
    return type === 0x01 && key.fingerprint === signer.publicKey.fingerprint;
  });
  if (vkey === undefined) {
    throw new DaybookError(
      'bad-key',
      `${path} is not a key of the log ${origin}, whose genesis entry names ${logKeys.join(', ')}`,
    );
  }
  return { signer: { key: parseVkey(vkey), signer }, vkey };
}

async function signCheckpoint(
  origin: string,
  size: TreeSize,
  root: Uint8Array,
  signer: NoteSigner,
): Promise<Uint8Array> {
  const text = formatCheckpoint({ origin, size, root: asHash(root), extensions: [] });
  return utf8(formatNote(await signNote(text, [signer])));
}

/** The head that was signed last is published again: a crash may have come before it was seen. */
async function publishedHead(store: Store, head: HeadFile): Promise<Published> {
  const newest = head.read();
  if (!newest) return { note: new Uint8Array(0), size: treeSize(0), root: hasher.emptyRoot };
  await store.recordSigned(newest.note);
  await store.recordPublished(newest.note);
  return { note: newest.note, size: newest.size, root: newest.root as Hash };
}
