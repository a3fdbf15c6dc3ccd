/** Alerts that need no rule: what only a log that lies can be the cause of. */
import { alertId } from './alert.ts';
import type { AuditedEntry, Draft } from './draft.ts';

interface Accusation {
  /** What makes it another alert than the others of its rule about this log. */
  readonly cause: readonly string[];
  readonly index?: number;
  readonly title: string;
  readonly detail: string;
}

/** Raises it, unless it was raised before. */
export function accuse(
  draft: Draft,
  origin: string,
  rule: 'log-misbehaved' | 'log-forked',
  { cause, index, title, detail }: Accusation,
): void {
  draft.raise({
    id: alertId(rule, origin, ...cause),
    rule,
    severity: 'critical',
    origin,
    at: Math.floor(draft.now / 1000),
    ...(index !== undefined && { index }),
    title,
    detail,
  });
}

/** One alert for all that is committed together; the list of findings has each of them. */
export function accuseOfEntries(
  origin: string,
  failed: readonly AuditedEntry[],
  draft: Draft,
): void {
  const [first, ...more] = failed;
  if (first?.problem === undefined) return;
  const others = more.length > 0 ? ` (and ${more.length} more entries)` : '';
  accuse(draft, origin, 'log-misbehaved', {
    cause: ['entry', String(first.index)],
    index: first.index,
    title: `entry ${first.index}${others} should not be in the log`,
    detail: `${first.problem.code}: ${first.problem.message}`,
  });
}
