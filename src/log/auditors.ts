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
  /** Of its own cosignature, seconds since 1970. */
  readonly time: number;
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

/**
 * A newer cosignature of the same checkpoint is taken after so many seconds only: two auditors that
 * cosign anew whenever they see another's would keep each other busy through the log.
 */
const REFRESH_SECONDS = 300;

/** Asks each auditor again and again, until the signal is aborted. Throws `bad-usage` for a wrong URL. */
export function followAuditors(options: AuditorsOptions): void {
  for (const auditor of options.auditors) {
    const http = new Http(auditor.url ?? '', { timeoutMs: options.timeoutMs });
    void follow(auditor, http, options);
  }
}

async function follow(auditor: PolicyWitness, http: Http, options: AuditorsOptions): Promise<void> {
  const { signal, pollMs, onAudited } = options;
  let taken: Audited | undefined;
  while (!signal.aborted) {
    const audited = await readAudited(auditor, http, options).catch(() => undefined);
    if (audited && isNews(audited, taken)) {
      taken = audited;
      await onAudited(audited);
    }
    await pause(pollMs, signal).catch(() => undefined);
  }
}

function isNews({ note, time }: Audited, taken: Audited | undefined): boolean {
  return note.text !== taken?.note.text || time >= taken.time + REFRESH_SECONDS;
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
  const own = opened.find((each) => each.key === key);
  if (own?.timestamp === undefined) return undefined;
  const note = { text: shown.note.text, signatures: linesOf(opened) };
  const { checkpoint } = shown;
  return { auditor, note, checkpoint, own: linesOf([own]), time: own.timestamp };
}
