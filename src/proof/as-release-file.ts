/** A `.tlog-proof` seen as a release file of one entry: so that one path of code judges both. */
import { DaybookError } from '../errors.ts';
import type { Hash } from '../merkle/hash.ts';
import { pathFromLeft } from '../merkle/multi-inclusion.ts';
import { isReleaseFile, parseReleaseFile, type ReleaseFile } from './release-file.ts';
import { parseTlogProof, type TlogProof } from './tlog-proof.ts';

/** Reads either kind of file. Throws `bad-proof`. */
export function parseProofFile(bytes: Uint8Array): ReleaseFile | TlogProof {
  return isReleaseFile(bytes) ? parseReleaseFile(bytes) : parseTlogProof(bytes);
}

/** `size` is that of the checkpoint's tree. Throws `bad-proof` or `inclusion-invalid`. */
export function asReleaseFile(proof: ReleaseFile | TlogProof, size: number): ReleaseFile {
  if ('entries' in proof) return proof;
  const { extra, index, hashes, checkpoint } = proof;
  if (extra === undefined) throw new DaybookError('bad-proof', 'the proof file holds no entry');
  const ordered: Hash[] = pathFromLeft(index, size, hashes);
  return { checkpoint, entries: [{ index, entry: extra }], proof: ordered, channels: [] };
}
