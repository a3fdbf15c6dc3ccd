/** What an entry must be to get an index, and under which keys it will be found. */
import { DaybookError } from '../errors.ts';
import { nodeSha256, nodeTreeHasher as hasher } from '../keys/node-hasher.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { examine, type AdmissionState } from '../statement/admission.ts';
import { admissionDigest } from './genesis.ts';
import type { Submission } from './sequencer.ts';

/** What the sequencer is given, but for whom to answer. */
export type Prepared = Omit<Submission, 'settle'>;

/**
 * Examines an entry under `admission`, signature included. Throws what `examine` throws; where admission
 * is open, `bad-entry` for an empty entry and `entry-too-large`.
 */
export async function prepare(admission: AdmissionState, entry: Uint8Array): Promise<Prepared> {
  if (admission.mode === 'open') return prepareAny(entry);
  const { claim, dedupe, subjects } = await examine(admission, entry, nodeVerifier, nodeSha256);
  const changes = claim.kind === 'admission' ? [admissionDigest(admission.origin)] : [];
  return {
    entry,
    leafHash: hasher.leaf(entry),
    dedupe: { kind: 'dedupe', digest: dedupe },
    artifacts: [...subjects, ...changes],
    claim,
  };
}

/** Open admission: any bytes that fit a bundle. */
function prepareAny(entry: Uint8Array): Prepared {
  if (entry.length === 0) throw new DaybookError('bad-entry', 'the entry is empty');
  if (entry.length > MAX_ENTRY_BYTES) {
    throw new DaybookError(
      'entry-too-large',
      `the entry has ${entry.length} bytes, at most ${MAX_ENTRY_BYTES} fit: log a digest of it instead`,
    );
  }
  const leafHash = hasher.leaf(entry);
  return {
    entry,
    leafHash,
    dedupe: { kind: 'leaf', digest: leafHash },
    artifacts: [],
    claim: undefined,
  };
}
