/**
 * Auditors: monitors that cosign what they have checked, at monitoring prefixes of their own. They
 * follow the log at their own pace, so the log comes to them for their cosignatures.
 */
import { Http, pause } from '../http/outbound.ts';
import type { SignatureLine } from '../note/note.ts';
import type { PolicyWitness } from '../verify/policy.ts';
import { linesOf, openCosignatures } from './cosignatures.ts';
import { readShown, type LogIdentity, type ShownCheckpoint } from './monitoring-prefix.ts';

/** What an auditor cosigned. All signatures of the note verified. */
export interface Audited extends ShownCheckpoint {
  /** Its name in the list of auditors. */
  readonly auditor: string;
  /** Its own cosignature. The others may be older than those that the log has. */
  readonly own: readonly SignatureLine[];
}

export interface AuditorsOptions {
  /** With the URLs of their monitoring prefixes. */
  readonly auditors: readonly PolicyWitness[];
  /** Whose cosignatures are kept where an auditor shows them beside its own. */
  readonly witnesses: readonly PolicyWitness[];
  readonly log: LogIdentity;
  readonly timeoutMs: number;
  readonly pollMs: number;
  /** Resolves when it has been dealt with. */
  readonly onAudited: (audited: Audited) => Promise<void>;
  readonly signal: AbortSignal;
}

/** Asks each auditor again and again, until the signal is aborted. Throws `bad-usage` for a wrong URL. */
export function followAuditors(options: AuditorsOptions): void {
  for (const auditor of options.auditors) {
    const http = new Http(auditor.url ?? '', { timeoutMs: options.timeoutMs });
    void follow(auditor, http, options);
  }
}

async function follow(auditor: PolicyWitness, http: Http, options: AuditorsOptions): Promise<void> {
  const { signal, pollMs, onAudited } = options;
  while (!signal.aborted) {
    const audited = await readAudited(auditor, http, options).catch(() => undefined);
    if (audited) await onAudited(audited);
    await pause(pollMs, signal).catch(() => undefined);
  }
}

async function readAudited(
  { name: auditor, key }: PolicyWitness,
  http: Http,
  { log, witnesses, signal }: AuditorsOptions,
): Promise<Audited | undefined> {
  const shown = await readShown(http, log, signal);
  if (!shown) return undefined;
  const keys = [...log.keys, ...witnesses.map((witness) => witness.key), key];
  const opened = await openCosignatures(shown.note, keys);
  const own = linesOf(opened.filter((each) => each.key === key));
  if (own.length === 0) return undefined;
  const note = { text: shown.note.text, signatures: linesOf(opened) };
  return { auditor, note, checkpoint: shown.checkpoint, own };
}
