/**
 * A monitor's cosignature (C2SP tlog-cosignature): every entry below this size was checked by the
 * monitor's published rules, and what failed is in its published list. It is a claim, not a proof.
 *
 *     cosigned/<origin hash>     JSON: size, root and time of the newest cosignature
 *     checkpoint/<origin hash>   the note with it, as it is served
 */
import { decodeUtf8, utf8 } from '../encoding/bytes.ts';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { mergeSignatures } from '../note/add-checkpoint.ts';
import { formatNote, MAX_SIGNATURES, parseNote, type SignatureLine } from '../note/note.ts';
import { signNote, type NoteSigner } from '../note/sign.ts';
import type { Draft } from './draft.ts';
import { convictedKey } from './gossip/evidence-store.ts';

export interface AuditedHead {
  readonly size: number;
  readonly root: Uint8Array;
  /** The log's note, with the cosignatures that it came with. */
  readonly note: Uint8Array;
}

interface Cosigned {
  readonly size: number;
  /** Lowercase hex. */
  readonly root: string;
  /** Seconds since 1970. */
  readonly time: number;
}

/** An idle log's head is cosigned again after so many seconds, which shows that the monitor goes on. */
const HEARTBEAT_SECONDS = 600;

export class Cosigner {
  readonly keys: readonly NoteSigner[];

  constructor(keys: readonly NoteSigner[]) {
    this.keys = keys;
  }

  /**
   * Cosigns a head whose every entry was audited, in `draft`: serve the note when that is committed.
   * Undefined when the newest cosignature is still good, and for a convicted log: a cosignature says
   * that the head is consistent with all others that were seen. Throws `clock-went-back` when the
   * clock is behind it, and `log-forked` for a head that contradicts it.
   */
  async cosign(hash: string, head: AuditedHead, draft: Draft): Promise<Uint8Array | undefined> {
    if (draft.get(convictedKey(hash))) return undefined;
    const note = parseNote(head.note);
    const others = note.signatures.filter((line) => !this.#isOwn(line));
    const before = lastCosigned(hash, draft);
    const time = Math.floor(draft.now / 1000);
    if (before) {
      refuseOther(before, head);
      if (time < before.time) {
        throw new DaybookError(
          'clock-went-back',
          `the clock shows ${time} seconds since 1970, and the newest cosignature has ${before.time}: nothing is cosigned before that; set the clock right`,
        );
      }
      const served = parseNote(draft.get(checkpointKey(hash)) ?? head.note);
      const same = served.text === note.text && sameLines(others, served.signatures);
      if (same && time < before.time + HEARTBEAT_SECONDS) return undefined;
    }
    const { signatures } = await signNote(note.text, this.keys, time);
    // The log's own signatures come first in its notes, so that they are never what is left out.
    const kept = others.slice(0, MAX_SIGNATURES - signatures.length);
    const signed = mergeSignatures({ text: note.text, signatures: kept }, signatures);
    const bytes = utf8(formatNote(signed));
    const cosigned: Cosigned = { size: head.size, root: encodeHex(head.root), time };
    draft.put(`cosigned/${hash}`, utf8(JSON.stringify(cosigned)));
    draft.put(checkpointKey(hash), bytes);
    return bytes;
  }

  #isOwn({ name, keyId }: SignatureLine): boolean {
    return this.keys.some(({ key }) => key.name === name && key.keyId === keyId);
  }
}

/** Where the note is kept that is served. */
export function checkpointKey(hash: string): string {
  return `checkpoint/${hash}`;
}

function lastCosigned(hash: string, draft: Draft): Cosigned | undefined {
  const value = draft.get(`cosigned/${hash}`);
  return value && (JSON.parse(decodeUtf8(value)) as Cosigned);
}

function refuseOther(before: Cosigned, { size, root }: AuditedHead): void {
  if (size > before.size || (size === before.size && encodeHex(root) === before.root)) return;
  throw new DaybookError(
    'log-forked',
    `size ${before.size} with root ${before.root} was cosigned, so that size ${size} with root ${encodeHex(root)} is not`,
  );
}

/** Whether all of `lines` are among the others, byte for byte. */
function sameLines(lines: readonly SignatureLine[], others: readonly SignatureLine[]): boolean {
  return lines.every((line) =>
    others.some(
      (other) =>
        other.name === line.name &&
        other.keyId === line.keyId &&
        Buffer.compare(other.signature, line.signature) === 0,
    ),
  );
}
