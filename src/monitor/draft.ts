/** What rules see of an entry, and the change to the monitor's state that they add to. */
import type { LeafIndex } from '../encoding/integer.ts';
import type { DaybookError } from '../errors.ts';
import type { Claim } from '../statement/admission.ts';
import type { Statement } from '../statement/in-toto.ts';
import type { Alert } from './alert.ts';

/**
 * A change that is not durable yet: everything in it is committed at once, together with how far
 * the audit is, or nothing is. So each entry is judged once, also after a kill.
 */
export interface Draft {
  /** The value of `key` with this change applied. */
  get(key: string): Uint8Array | undefined;
  put(key: string, value: Uint8Array): void;
  delete(key: string): void;
  /** An alert whose `id` was raised before is not raised again. */
  raise(alert: Alert): void;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** An entry of a log, verified to be in its tree, and what the audit says of it. */
export interface AuditedEntry {
  readonly origin: string;
  readonly index: LeafIndex;
  /** The bytes that the log hashed. */
  readonly entry: Uint8Array;
  /** Absent in a log in `open` mode, which takes any bytes, and for an entry that is none. */
  readonly statement?: Statement;
  /** Verified: absent for the genesis, in a log in `open` mode, and where there is a `problem`. */
  readonly claim?: Claim;
  /** Why the log should not have taken this entry. */
  readonly problem?: DaybookError;
}
