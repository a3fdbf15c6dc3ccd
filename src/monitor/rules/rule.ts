/** What a rule is: it sees entries, heads and the clock, and adds to a draft. */
import type { Cosignature } from '../../verify/policy.ts';
import type { AuditedEntry } from '../draft.ts';
import type { RuleScope } from './scope.ts';

/** A checkpoint of a log that the monitor has verified: the one it audited, or a newer one. */
export interface SeenHead {
  readonly origin: string;
  readonly size: number;
  readonly note: Uint8Array;
  /** Those that verified, by the log's policy. */
  readonly cosignatures: readonly Cosignature[];
}

export interface Rule {
  /** Each entry of a log once, in order. */
  entry?(entry: AuditedEntry, scope: RuleScope): void;
  /** Each poll that brought a checkpoint, also when it is the same again. */
  head?(head: SeenHead, scope: RuleScope): void;
  /** Each poll, also when the log could not be reached. */
  tick?(scope: RuleScope): void;
}
