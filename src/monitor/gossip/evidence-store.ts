/**
 * What the monitor holds against one log. Evidence is kept when it convicts somebody whom the evidence
 * before did not: so there is little of it, however much is sent.
 *
 *     gossip/evidence/<origin hash>/<id>      an evidence file
 *     gossip/convicted/<origin hash>          the id of the first one
 *     gossip/accusation/<origin hash>/<id>    an accusation file
 */
import { hash } from 'node:crypto';
import { utf8 } from '../../encoding/bytes.ts';
import { DaybookError } from '../../errors.ts';
import { nodeVerifier as verifier } from '../../keys/node-verifier.ts';
import { formatAccusation, type Accusation } from '../../verify/accusation.ts';
import { verifyEvidence, type Conviction, type EvidenceKeys } from '../../verify/evidence.ts';
import { alertId, type Alert } from '../alert.ts';
import type { Records } from '../change.ts';
import type { Draft } from '../draft.ts';

export interface KeptEvidence extends Conviction {
  /** First 32 hex digits of the SHA-256 of the file. */
  readonly id: string;
  readonly bytes: Uint8Array;
}

export interface KeptAccusation {
  readonly id: string;
  readonly bytes: Uint8Array;
}

/** A log that leaves more than these unexplained is accused often enough. */
export const MAX_ACCUSATIONS = 16;

function evidenceId(bytes: Uint8Array): string {
  return hash('sha256', bytes, 'hex').slice(0, 32);
}

/** Of a record that is there once the log of this origin hash was convicted. */
export function convictedKey(hash: string): string {
  return `gossip/convicted/${hash}`;
}

export class EvidenceStore {
  readonly #hash: string;
  readonly #keys: EvidenceKeys;
  readonly #evidence: KeptEvidence[] = [];
  readonly #accusations: KeptAccusation[] = [];

  private constructor(hash: string, keys: EvidenceKeys) {
    this.#hash = hash;
    this.#keys = keys;
  }

  static async load(records: Records, hash: string, keys: EvidenceKeys): Promise<EvidenceStore> {
    const store = new EvidenceStore(hash, keys);
    for await (const [, bytes] of records.list(`gossip/evidence/${hash}/`)) {
      const kept = await store.verify(bytes).catch((error: unknown) => {
        // The config has lost the keys of those whom it convicts.
        if (error instanceof DaybookError && error.code === 'not-convicted') return undefined;
        throw error;
      });
      if (kept) store.#evidence.push(kept);
    }
    for await (const [, bytes] of records.list(`gossip/accusation/${hash}/`)) {
      store.#accusations.push({ id: evidenceId(bytes), bytes });
    }
    return store;
  }

  get evidence(): readonly KeptEvidence[] {
    return this.#evidence;
  }

  get accusations(): readonly KeptAccusation[] {
    return this.#accusations;
  }

  /** Whether this witness was convicted; without a name, whether the log was. */
  convicted(witness?: string): boolean {
    if (witness === undefined) return this.#evidence.length > 0;
    return this.#evidence.some(({ convictedWitnesses: names }) => names.includes(witness));
  }

  /** By all keys that the monitor has of the log and its witnesses. Throws as verifyEvidence does. */
  async verify(bytes: Uint8Array): Promise<KeptEvidence> {
    return { ...(await verifyEvidence(bytes, this.#keys, verifier)), id: evidenceId(bytes), bytes };
  }

  /** Keeps verified evidence and raises the alerts; false when it convicts nobody new. */
  add(evidence: KeptEvidence, draft: Draft): boolean {
    const witnesses = evidence.convictedWitnesses.filter((name) => !this.convicted(name));
    if (this.convicted() && witnesses.length === 0) return false;
    const { id, bytes } = evidence;
    if (!this.convicted()) draft.raise(conviction(evidence, draft.now));
    for (const name of witnesses) draft.raise(conviction(evidence, draft.now, name));
    if (!this.convicted()) draft.put(convictedKey(this.#hash), utf8(id));
    this.#evidence.push(evidence);
    draft.put(`gossip/evidence/${this.#hash}/${id}`, bytes);
    return true;
  }

  /** False when there are enough. */
  accuse(accusation: Accusation, draft: Draft): boolean {
    if (this.#accusations.length >= MAX_ACCUSATIONS) return false;
    const bytes = formatAccusation(accusation);
    const id = evidenceId(bytes);
    this.#accusations.push({ id, bytes });
    draft.put(`gossip/accusation/${this.#hash}/${id}`, bytes);
    const { origin, head, known, reason } = accusation;
    draft.raise({
      id: alertId('log-accused', origin, head.parsed.text),
      rule: 'log-accused',
      severity: 'warning',
      origin,
      at: Math.floor(draft.now / 1000),
      title: `the log signed a tree of size ${head.size} that it does not show`,
      detail: `${reason}. Verified so far: size ${known.size}. Accusation ${id}`,
    });
    return true;
  }
}

function conviction({ origin, sizes, id }: KeptEvidence, now: number, witness?: string): Alert {
  const [smaller, larger] = sizes;
  const trees = smaller === larger ? `two trees of size ${smaller}` : `sizes ${smaller}, ${larger}`;
  const cause = witness === undefined ? 'evidence' : `witness ${witness}`;
  return {
    id: alertId('log-forked', origin, cause),
    rule: 'log-forked',
    severity: 'critical',
    origin,
    at: Math.floor(now / 1000),
    title:
      witness === undefined
        ? `the log signed checkpoints that cannot both be true: ${trees}`
        : `the witness ${witness} cosigned both branches of a log that forked: ${trees}`,
    detail: `Evidence ${id}: check it with \`daybook evidence verify\`, and give it to everybody`,
  };
}
