/** What a vendor's release file claims of the file that a rebuilder has built anew. */
import { basename } from 'node:path';
import { encodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import type { PublicKey } from '../signature/port.ts';
import { parseEnvelope } from '../statement/dsse.ts';
import { parseStatement, type Statement, type Subject } from '../statement/in-toto.ts';
import { provenancePredicateType, readProvenance } from '../statement/provenance.ts';
import { readRelease, releasePredicateTypes } from '../statement/release.ts';
import type { TrustPolicy } from '../verify/policy.ts';
import { names, showFile } from '../verify/shown.ts';
import { isSignedBy } from './log-statement.ts';

export interface VendorClaim {
  readonly purl: string;
  /** Of the vendor's file. */
  readonly sha256: Uint8Array;
  readonly buildType: string | undefined;
  /** `git+https://host/repository@<full commit hash>`. */
  readonly source: string | undefined;
  /** Root of the source commitment, lowercase hex. */
  readonly commitment: string | undefined;
}

interface Logged {
  readonly index: number;
  readonly statement: Statement;
}

type Origin = Pick<VendorClaim, 'buildType' | 'source' | 'commitment'>;

/**
 * `bytes` is a release file or `.tlog-proof` by a log of `policy`; with `issuers`, only what they
 * signed counts. `name` is the vendor's name of the file. Throws as `showFile`, and `bad-usage` where
 * the claim is not one only.
 */
export async function vendorClaim(
  bytes: Uint8Array,
  policy: TrustPolicy,
  issuers: readonly PublicKey[] | undefined,
  name: string,
): Promise<VendorClaim> {
  const { entries } = await showFile(bytes, policy, Math.floor(Date.now() / 1000), nodeVerifier);
  const logged: Logged[] = [];
  for (const { index, entry } of entries) {
    if (issuers !== undefined && !(await isSignedBy(entry, issuers))) continue;
    logged.push({ index, statement: parseStatement(parseEnvelope(entry).payload) });
  }
  const released = logged.filter(({ statement }) => isRelease(statement)).at(-1)?.statement;
  if (released === undefined) {
    throw new DaybookError(
      'bad-proof',
      `the vendor's file has no release statement${issuers === undefined ? '' : ' by --issuer'}`,
    );
  }
  const { sha256 } = subjectOf(released, name);
  const { purl, source } = readRelease(released);
  return { purl: purl.text, sha256, ...(originOf(logged, sha256) ?? onlySource(source)) };
}

function isRelease({ predicateType }: Statement): boolean {
  return (releasePredicateTypes as readonly string[]).includes(predicateType);
}

function subjectOf({ subject }: Statement, name: string): Subject {
  const [only, ...others] = subject;
  if (only !== undefined && others.length === 0) return only;
  const found = subject.filter((candidate) => candidate.name === basename(name));
  if (found.length === 1) return found[0] as Subject;
  throw new DaybookError(
    'bad-usage',
    `the release has ${subject.length} files and ${found.length} named ${basename(name)}: give the vendor's name with --name (${subject
      .slice(0, 8)
      .map((candidate) => candidate.name ?? encodeHex(candidate.sha256))
      .join(', ')})`,
  );
}

/** From the vendor's provenance; what has `claims` is another one's rebuild. */
function originOf(logged: readonly Logged[], sha256: Uint8Array): Origin | undefined {
  const origins = new Map<string, Origin>();
  for (const { statement } of logged) {
    if (statement.predicateType !== provenancePredicateType || !names(statement, sha256)) continue;
    const { buildType, source, commitments, claims } = readProvenance(statement);
    if (claims !== undefined) continue;
    if (commitments.length > 1) {
      throw new DaybookError('bad-usage', 'the provenance names several source commitments');
    }
    const [commitment] = commitments.map(encodeHex);
    origins.set(JSON.stringify([source, commitment]), { buildType, source, commitment });
  }
  if (origins.size > 1) {
    throw new DaybookError(
      'bad-usage',
      `there is provenance from ${origins.size} sources (${[...origins.keys()].join(', ')}): say with --issuer whose counts`,
    );
  }
  return [...origins.values()][0];
}

function onlySource(source: string | undefined): Origin {
  return { source, buildType: undefined, commitment: undefined };
}
