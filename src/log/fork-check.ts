/**
 * Before its first signature a log asks its witnesses whether it is the newest: one that was restored
 * from an old backup, or started twice, must not sign a fork. The stored head, with its own size as
 * `old`, is what it asks with: who cosigns it, or catches up to it, knows of nothing newer.
 */
import { equalBytes } from '../encoding/bytes.ts';
import type { TreeSize } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { pause } from '../http/outbound.ts';
import type { Hash } from '../merkle/hash.ts';
import type { Checkpoint } from '../note/checkpoint.ts';
import { reachesQuorum } from '../verify/policy.ts';
import { namesOf, type Gatherer } from './gather.ts';
import type { Signed, Witness } from './witness.ts';

/** The log's tree as it is stored. */
export interface OwnTree {
  readonly size: () => TreeSize;
  readonly rootAt: (size: TreeSize) => Promise<Hash>;
}

export interface ForkCheckOptions {
  readonly gatherer: Gatherer;
  readonly tree: OwnTree;
  /** The checkpoint that the log signed last; a new log has none. */
  readonly head: Signed | undefined;
  /** Names of witnesses whose larger numbers the operator declares to be wrong. */
  readonly overridden: readonly string[];
  /** Told for what the log waits, each time that this changes. */
  readonly onWaiting: (reason: string) => void;
  readonly signal: AbortSignal;
}

/** Between two rounds of questions. Each witness has its own, growing one besides. */
const PAUSE_MS = 250;

/**
 * Resolves when the log may sign. Throws `log-forked` or `log-behind` when it never may as it is, and
 * the signal's reason when that is aborted.
 */
export async function checkForFork(options: ForkCheckOptions): Promise<void> {
  const { gatherer, head, signal } = options;
  if (!head) {
    await Promise.all(gatherer.witnesses.map((witness) => checkShown(witness, options.tree)));
    return;
  }
  const heard = new Set<Witness>();
  /** Witnesses that named a larger size, and have neither shown it nor taken it back. */
  const holding = new Map<Witness, TreeSize>();
  let waitedFor = '';
  for (;;) {
    const asked = gatherer.witnesses.filter((witness) => !heard.has(witness));
    await Promise.all(asked.map((witness) => askOne(witness, head, options, heard, holding)));
    signal.throwIfAborted();
    const silent = gatherer.witnesses.filter(
      (witness) => !heard.has(witness) && !holding.has(witness),
    );
    if (holding.size === 0 && maySign(gatherer, silent)) return;
    const reason = waitingFor(silent, holding, head);
    if (reason !== waitedFor) options.onWaiting(reason);
    waitedFor = reason;
    await pause(PAUSE_MS, signal);
  }
}

async function askOne(
  witness: Witness,
  head: Signed,
  { tree, overridden }: ForkCheckOptions,
  heard: Set<Witness>,
  holding: Map<Witness, TreeSize>,
): Promise<void> {
  const answer = await witness.ask(head);
  if (answer.kind === 'conflict') {
    throw new DaybookError(
      'log-forked',
      `witness ${witness.names.join(', ')} has cosigned another tree of this log than the one of size ` +
        `${head.size} that is stored here: this log does not sign. Compare it with the checkpoint that ` +
        `the witness shows; when the witness is wrong, take it out of the list of witnesses`,
    );
  }
  if (answer.kind === 'cosigned') {
    heard.add(witness);
    holding.delete(witness);
  }
  if (answer.kind !== 'ahead') return;
  const shown = await checkShown(witness, tree);
  // What it shows is in the tree that is stored here: only the file `head` was older.
  const isExplained = shown !== undefined && shown >= answer.size;
  if (isExplained || witness.names.some((name) => overridden.includes(name))) {
    heard.add(witness);
    holding.delete(witness);
  } else {
    holding.set(witness, answer.size);
  }
}

/**
 * Size of the checkpoint with the log's own signature that the witness shows; undefined for none.
 * Throws as `judgeShown` does.
 */
export async function checkShown(witness: Witness, tree: OwnTree): Promise<TreeSize | undefined> {
  const shown = await witness.shown();
  if (!shown) return undefined;
  await judgeShown(shown.checkpoint, `witness ${witness.names.join(', ')}`, tree);
  return shown.checkpoint.size;
}

/**
 * Compares a checkpoint that bears the log's own signature with the stored tree. Throws `log-behind`
 * when it is above that, `log-forked` when it is of another one.
 */
export async function judgeShown(
  { size, root }: Checkpoint,
  who: string,
  tree: OwnTree,
): Promise<void> {
  const where = `${who} shows a checkpoint of size ${size} that this log has signed`;
  if (size > tree.size()) {
    throw new DaybookError(
      'log-behind',
      `${where}, but only ${tree.size()} entries are stored here: this log does not sign. Stop it, and ` +
        'bring the missing entries back with `daybook restore` from a mirror, or from a newer backup',
    );
  }
  if (!equalBytes(root, await tree.rootAt(size))) {
    throw new DaybookError(
      'log-forked',
      `${where}, but of another tree than the one that is stored here: this log does not sign. Another ` +
        'process runs or ran with its key: keep both trees, and find out which one was published',
    );
  }
}

/**
 * Whatever was published was cosigned by a quorum: as long as no quorum lies wholly among the silent,
 * one of those who were heard would know of it.
 */
function maySign({ policy }: Gatherer, silent: readonly Witness[]): boolean {
  return policy.quorum === 'none' || !reachesQuorum(policy, new Set(namesOf(silent)));
}

function waitingFor(
  silent: readonly Witness[],
  holding: ReadonlyMap<Witness, TreeSize>,
  head: Signed,
): string {
  const larger = [...holding].map(
    ([{ names }, size]) =>
      `${names.join(', ')} says that it cosigned size ${size}, but does not show it`,
  );
  const reasons = [
    ...(silent.length > 0 ? [`silent: ${namesOf(silent).join(', ')}`] : []),
    ...larger,
  ];
  return (
    `the log asks its witnesses whether its checkpoint of size ${head.size} is the newest, and does ` +
    `not sign before it knows (${reasons.join('; ')})`
  );
}
