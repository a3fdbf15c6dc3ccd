/**
 * Brings a log that stands behind what it signed, after a restored backup or a lost database, up to a
 * checkpoint of its own that a mirror kept. The order is its safety: that all which this log signed and
 * holds is the beginning of the mirror's tree is proven; the checkpoint is written to the head file, so
 * that from here on a log with less refuses to sign; only then are the missing entries logged again, by
 * the rules by which they were logged first.
 */
import { existsSync } from 'node:fs';
import { DaybookError } from '../errors.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import type { TreeSize } from '../encoding/integer.ts';
import { nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { verifyConsistency } from '../merkle/consistency.ts';
import type { Hash } from '../merkle/hash.ts';
import { TILE_WIDTH } from '../merkle/tile.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import {
  formatNote,
  openNote,
  parseNote,
  type OpenedSignature,
  type SignedNote,
} from '../note/note.ts';
import { parseVkey, type VerifierKey } from '../note/vkey.ts';
import { openGenesis } from '../statement/admission.ts';
import { HeadFile } from '../store/head-file.ts';
import { openLevelStore } from '../store/level-store.ts';
import type { Store } from '../store/store.ts';
import { dataFiles } from './data-directory.ts';
import { appendGenesis, loadAdmission } from './genesis.ts';
import { checkEntries, loadTree, rootAt } from './open-state.ts';
import { prepare, type Prepared } from './prepare.ts';
import { Sequencer, type Assigned } from './sequencer.ts';

/** A mirror of the log. What comes from it was verified against its checkpoint. */
export interface RestoreSource {
  /** The mirror's checkpoint: a note that the log itself signed. */
  readonly note: Uint8Array;
  /** The proof that its tree continues that of the first `from` entries. */
  consistency(from: number): Promise<readonly Hash[]>;
  /** Bundles of entries from bundle `from` on, in order, to the end of the tree. */
  bundles(from: number): AsyncIterable<{ readonly entries: readonly Uint8Array[] }>;
}

export interface RestoreOptions {
  /** Data directory of a log that does not run. */
  readonly directory: string;
  /** Keys of the log, where the directory holds no entry that names them. */
  readonly vkeys?: readonly string[];
  /** Of the log's witnesses: their cosignatures are kept on what is published first. */
  readonly cosigners?: readonly VerifierKey[];
  /** Connects to the mirror of the log with these keys. */
  readonly connect: (log: {
    readonly origin: string;
    readonly vkeys: readonly string[];
  }) => Promise<RestoreSource>;
  readonly onProgress?: (restored: number, size: number) => void;
}

export interface Restored {
  readonly origin: string;
  /** Entries before and after. */
  readonly from: TreeSize;
  readonly to: TreeSize;
}

interface Target {
  readonly source: RestoreSource;
  readonly size: TreeSize;
  readonly root: Hash;
  /** The mirror's checkpoint with the log's own signatures alone. */
  readonly signed: Uint8Array;
  /** And with those cosignatures that verify; a mirror may have added any line. */
  readonly published: Uint8Array;
}

/**
 * Safe to repeat, also after a kill. Throws `wrong-directory` where no log is, `log-forked` when what the log signed or holds is not of the
 * mirror's tree, `log-behind` when the mirror has less than the log signed, `untrusted-checkpoint` and
 * `signature-invalid` for a checkpoint that is not the log's, and what opening a store throws.
 */
export async function restoreLog(options: RestoreOptions): Promise<Restored> {
  const files = dataFiles(options.directory);
  if (options.vkeys === undefined && !existsSync(files.database)) {
    throw new DaybookError(
      'wrong-directory',
      `${options.directory} holds no log: there is no ${files.database}. To make it anew, give the log's vkey`,
    );
  }
  const store = await openLevelStore(files.database);
  try {
    const head = await HeadFile.open(files.head);
    try {
      return await restore(options, store, head);
    } finally {
      await head.close();
    }
  } finally {
    await store.close();
  }
}

async function restore(options: RestoreOptions, store: Store, head: HeadFile): Promise<Restored> {
  const log = await identify(options, store);
  const target = await open(await options.connect(log), log, options.cosigners ?? []);
  const from = store.state.size;
  const tree = await loadTree(store, hasher);
  await checkEntries(store, store.state.verifiedSize, hasher);
  await checkSigned(store, head, target);
  if (from >= target.size) {
    // Entries that were never published may be there beyond what the mirror could see.
    expectRoot(await rootAt(target.size, store, tree, hasher), target, from);
  } else if (from > 0) {
    await checkBeginning({ size: from, root: tree.root() }, target, 'holds');
  }
  if (target.size > (head.read()?.size ?? 0)) {
    await head.write({ note: target.signed, size: target.size, root: target.root });
  }
  if (from < target.size) {
    if (from === 0) await restoreGenesis(store, target, log);
    await replay(store, target, options.onProgress);
    if (store.state.size < target.size) {
      throw new DaybookError(
        'network',
        `the mirror's entries ended at ${store.state.size} of ${target.size}: try again`,
      );
    }
    expectRoot(store.state.root, target, store.state.size);
  }
  if (sizeOf(store.state.signed) < target.size) await store.recordSigned(target.signed);
  if (sizeOf(store.state.published) < target.size) await store.recordPublished(target.published);
  return { origin: log.origin, from, to: store.state.size };
}

interface LogIdentity {
  readonly origin: string;
  readonly vkeys: readonly string[];
}

async function identify({ directory, vkeys }: RestoreOptions, store: Store): Promise<LogIdentity> {
  if (store.state.size > 0) {
    const { origin, logKeys } = await loadAdmission(store, nodeVerifier);
    return { origin, vkeys: logKeys };
  }
  const [first] = vkeys ?? [];
  if (vkeys === undefined || first === undefined) {
    throw new DaybookError(
      'bad-usage',
      `${directory} holds no entry that says which log it is: give the log's vkey`,
    );
  }
  return { origin: parseVkey(first).name, vkeys };
}

/** Throws unless one of the log's keys signed the checkpoint of the mirror. */
async function open(
  source: RestoreSource,
  { origin, vkeys }: LogIdentity,
  cosigners: readonly VerifierKey[],
): Promise<Target> {
  const note = parseNote(source.note);
  const { origin: mirrored, size, root } = parseCheckpoint(note.text);
  if (mirrored !== origin) {
    throw new DaybookError(
      'untrusted-checkpoint',
      `the mirror is of ${mirrored}, this log is ${origin}`,
    );
  }
  const keys = vkeys.map(parseVkey);
  const signed = withSignatures(note, await openNote(note, keys, nodeVerifier));
  const all = await openNote(note, [...keys, ...cosigners], nodeVerifier);
  return { source, size, root, signed, published: withSignatures(note, all) };
}

function withSignatures({ text }: SignedNote, opened: readonly OpenedSignature[]): Uint8Array {
  const signatures = opened.map(({ key: { name, keyId }, signature }) => ({
    name,
    keyId,
    signature,
  }));
  return utf8(formatNote({ text, signatures }));
}

/** All heads that this log is known to have signed must be of the mirror's tree. */
async function checkSigned(store: Store, head: HeadFile, target: Target): Promise<void> {
  const { signed } = store.state;
  const heads = [head.read(), signed && parseCheckpoint(parseNote(signed).text)];
  for (const known of heads) {
    if (known === undefined) continue;
    if (known.size > target.size) {
      throw new DaybookError(
        'log-behind',
        `the mirror has ${target.size} entries, but this log signed a checkpoint of ${known.size}: take a mirror or a backup that has more`,
      );
    }
    await checkBeginning(known, target, 'signed');
  }
}

async function checkBeginning(
  known: { readonly size: number; readonly root: Uint8Array },
  { source, size, root }: Target,
  how: string,
): Promise<void> {
  if (known.size === 0) return;
  const proof = await source.consistency(known.size);
  const claim = { from: known.size, to: size, fromRoot: known.root as Hash, toRoot: root, proof };
  try {
    verifyConsistency(claim, hasher);
  } catch (cause) {
    throw new DaybookError(
      'log-forked',
      `the tree of size ${known.size} that this log ${how} is not the beginning of the mirror's (size ${size}): one of the two is a fork. Restore nothing, and find out which`,
      { cause },
    );
  }
}

function expectRoot(root: Uint8Array, target: Target, size: number): void {
  if (equalBytes(root, target.root)) return;
  throw new DaybookError(
    'log-forked',
    `the tree of size ${size} that this log holds does not contain the mirror's checkpoint of size ${target.size}`,
  );
}

async function restoreGenesis(
  store: Store,
  { source }: Target,
  { origin, vkeys }: LogIdentity,
): Promise<void> {
  for await (const { entries } of source.bundles(0)) {
    const [entry = new Uint8Array(0)] = entries;
    const genesis = await openGenesis(entry, nodeVerifier);
    if (genesis.origin !== origin || !vkeys.some((vkey) => genesis.logKeys.includes(vkey))) {
      throw new DaybookError(
        'untrusted-checkpoint',
        `entry 0 of the mirror is the genesis of ${genesis.origin} with the keys ${genesis.logKeys.join(', ')}, want ${vkeys.join(', ')}`,
      );
    }
    await appendGenesis(store, entry, origin, hasher);
    return;
  }
}

async function replay(
  store: Store,
  { source, size }: Target,
  onProgress: RestoreOptions['onProgress'],
): Promise<void> {
  const sequencer = new Sequencer({
    store,
    tree: await loadTree(store, hasher),
    admission: await loadAdmission(store, nodeVerifier),
    onDurable: () => onProgress?.(store.state.size, size),
    // Whoever waits for an entry is told.
    onFailure: () => undefined,
  });
  let skip = store.state.size % TILE_WIDTH;
  for await (const { entries } of source.bundles(Math.floor(store.state.size / TILE_WIDTH))) {
    let rest = entries.slice(skip);
    skip = 0;
    while (rest.length > 0) {
      const prepared = await prepareSome(sequencer, rest, store.state.size);
      await sequence(sequencer, prepared, store.state.size);
      rest = rest.slice(prepared.length);
    }
  }
}

/**
 * The first entries, as many as can be examined by the admission so far: what follows an admission entry
 * may need it. Throws `store-corrupt` for an entry that this log would never have logged.
 */
async function prepareSome(
  { admission }: Sequencer,
  entries: readonly Uint8Array[],
  next: number,
): Promise<Prepared[]> {
  const prepared: Prepared[] = [];
  const outcomes = await Promise.allSettled(entries.map((entry) => prepare(admission, entry)));
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') {
      if (prepared.length > 0) break;
      throw notLogged(next, outcome.reason);
    }
    prepared.push(outcome.value);
    if (outcome.value.claim?.kind === 'admission') break;
  }
  return prepared;
}

async function sequence(
  sequencer: Sequencer,
  prepared: readonly Prepared[],
  from: number,
): Promise<void> {
  const outcomes = await Promise.all(
    prepared.map(
      (each) =>
        new Promise<Assigned | DaybookError>((settle) => sequencer.enqueue({ ...each, settle })),
    ),
  );
  outcomes.forEach((outcome, i) => {
    if (outcome instanceof DaybookError) {
      throw outcome.code === 'store-failed' ? outcome : notLogged(from + i, outcome);
    }
    if (outcome.index !== from + i) throw notLogged(from + i, `it is entry ${outcome.index} again`);
  });
}

function notLogged(index: number, cause: unknown): DaybookError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new DaybookError(
    'store-corrupt',
    `entry ${index} of the mirror is not one that this log may log after those before it: ${reason}. The log does not sign; whether it logged this entry is for its operator to find out`,
    { cause },
  );
}

function sizeOf(note: Uint8Array | undefined): number {
  return note === undefined ? 0 : parseCheckpoint(parseNote(note).text).size;
}
