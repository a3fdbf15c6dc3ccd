/**
 * The one error class and its closed set of codes. The same code gives the problem type of an HTTP
 * answer (RFC 9457), the exit code of the command line and the row in docs/errors.md.
 */

interface ErrorKind {
  /** HTTP status of the problem details that report this error. */
  readonly status: number;
  /** Exit code of the `daybook` command. */
  readonly exit: number;
  readonly title: string;
}

/**
 * Exit codes: 2 usage, 3 a file or the network could not be read or written, 4 refused by the log,
 * 5 the log or store cannot go on, 10 and up: one for each way in which a proof fails.
 */
export const errorKinds = {
  'bad-usage': { status: 400, exit: 2, title: 'Wrong usage' },
  'bad-request': { status: 400, exit: 2, title: 'Malformed request' },
  'method-not-allowed': { status: 405, exit: 2, title: 'Method not allowed' },
  'not-acceptable': { status: 406, exit: 2, title: 'No acceptable answer format' },
  'request-timeout': { status: 408, exit: 3, title: 'The request came in too slowly' },
  'request-too-large': { status: 413, exit: 2, title: 'Request too large' },
  'unsupported-media-type': { status: 415, exit: 2, title: 'Unsupported media type' },
  'headers-too-large': { status: 431, exit: 2, title: 'Request headers too large' },
  'not-found': { status: 404, exit: 3, title: 'Not found' },
  'file-unreadable': { status: 500, exit: 3, title: 'A file could not be read or written' },
  network: { status: 502, exit: 3, title: 'The log could not be reached' },
  'bad-key': { status: 400, exit: 3, title: 'Malformed or unsafe key' },

  'bad-entry': { status: 400, exit: 4, title: 'Malformed entry' },
  'entry-too-large': { status: 413, exit: 4, title: 'Entry too large' },
  'not-admitted': { status: 403, exit: 4, title: 'Not admitted to this log' },
  'admission-conflict': { status: 409, exit: 4, title: 'Admission sequence conflict' },
  'channel-conflict': { status: 409, exit: 4, title: 'Channel sequence conflict' },
  overloaded: { status: 503, exit: 4, title: 'The log is overloaded' },
  'rate-limited': { status: 429, exit: 4, title: 'Too many requests' },
  'log-stopping': { status: 503, exit: 4, title: 'The log is stopping or recovering' },
  'quorum-away': { status: 503, exit: 4, title: 'Too few witnesses cosign' },
  'unknown-origin': { status: 404, exit: 4, title: 'No log of this origin is known here' },
  'size-conflict': { status: 409, exit: 4, title: 'Another size was cosigned last' },

  internal: { status: 500, exit: 5, title: 'Unexpected error' },
  'store-locked': { status: 500, exit: 5, title: 'Data directory in use' },
  'store-failed': { status: 503, exit: 5, title: 'The store failed' },
  'store-corrupt': { status: 500, exit: 5, title: 'The store is damaged' },
  'store-conflict': { status: 500, exit: 5, title: 'The store is not at the expected size' },
  'log-behind': { status: 503, exit: 5, title: 'The log stands behind what it signed' },
  'state-missing': { status: 500, exit: 5, title: 'A key without its state' },
  'clock-went-back': { status: 503, exit: 5, title: 'The clock went back' },
  'wrong-directory': { status: 500, exit: 5, title: 'Data directory of another log' },

  'bad-integer': { status: 400, exit: 10, title: 'Malformed or unsafe integer' },
  'bad-encoding': { status: 400, exit: 10, title: 'Malformed encoding' },
  'bad-note': { status: 400, exit: 10, title: 'Malformed note' },
  'bad-checkpoint': { status: 400, exit: 10, title: 'Malformed checkpoint' },
  'bad-proof': { status: 400, exit: 10, title: 'Malformed proof' },
  'bad-manifest': { status: 400, exit: 10, title: 'Malformed manifest' },
  'bad-policy': { status: 400, exit: 11, title: 'Malformed policy' },
  'untrusted-checkpoint': {
    status: 403,
    exit: 12,
    title: 'Checkpoint not signed by a trusted log',
  },
  'quorum-missing': { status: 403, exit: 13, title: 'Quorum of cosignatures missing' },
  'inclusion-invalid': { status: 400, exit: 14, title: 'Inclusion proof does not verify' },
  'consistency-invalid': { status: 400, exit: 15, title: 'Consistency proof does not verify' },
  'checkpoint-inconsistent': {
    status: 422,
    exit: 15,
    title: 'The checkpoint does not continue the one before',
  },
  'log-forked': { status: 409, exit: 15, title: 'The log went back or forked' },
  'bad-statement': { status: 400, exit: 16, title: 'Malformed statement' },
  'signature-invalid': { status: 403, exit: 17, title: 'Signature does not verify' },
  'artifact-mismatch': {
    status: 400,
    exit: 18,
    title: 'The artifact is not what the statement names',
  },

  'no-rule': { status: 403, exit: 20, title: 'The policy has no rule for this product' },
  'builder-refused': { status: 403, exit: 21, title: 'Not built by a builder of the policy' },
  'source-refused': { status: 403, exit: 22, title: 'Not built from the audited source' },
  'not-reproduced': { status: 403, exit: 23, title: 'Not reproduced by enough rebuilders' },
  'not-approved': { status: 403, exit: 24, title: 'Not approved by enough supervisors' },
  rejected: { status: 403, exit: 25, title: 'Rejected by a supervisor' },
  'not-reviewed': { status: 403, exit: 26, title: 'Source not reviewed' },
  'place-refused': {
    status: 403,
    exit: 27,
    title: 'Not assembled or signed where the policy wants',
  },
  'channel-missing': { status: 403, exit: 28, title: 'Channel statement missing' },
  'channel-stale': { status: 403, exit: 29, title: 'Channel statement expired or too old' },
  'channel-rollback': { status: 403, exit: 30, title: 'The channel went back or forked' },
  'not-current': { status: 403, exit: 31, title: 'Not among the current releases' },
  withdrawn: { status: 403, exit: 32, title: 'Withdrawn' },
  downgrade: { status: 403, exit: 33, title: 'Older than what was installed' },
  'checkpoint-stale': { status: 403, exit: 34, title: 'Checkpoint too old' },
  'too-new': { status: 403, exit: 35, title: 'Not public for long enough' },
  'policy-unsigned': { status: 403, exit: 36, title: 'Policy not signed by enough root keys' },
  'policy-rollback': { status: 403, exit: 37, title: 'The policy went back' },
  'state-unreadable': { status: 500, exit: 38, title: 'The trust state cannot be read' },

  'bad-evidence': { status: 400, exit: 40, title: 'Malformed evidence' },
  'not-convicted': { status: 409, exit: 41, title: 'The evidence convicts nobody' },
  'alerts-raised': { status: 500, exit: 42, title: 'The monitor raised alerts' },
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof errorKinds;

/** An error that a user or caller can act on: `code` is stable, `message` says what is wrong and what to do. */
export class DaybookError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'DaybookError';
    this.code = code;
  }

  get status(): number {
    return errorKinds[this.code].status;
  }

  get exit(): number {
    return errorKinds[this.code].exit;
  }

  get title(): string {
    return errorKinds[this.code].title;
  }
}
