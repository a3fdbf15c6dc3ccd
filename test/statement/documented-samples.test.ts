/** The samples in docs/formats.md are what is written for the same facts, and are read as that. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import type { JsonObject } from '../../src/encoding/strict-json.ts';
import {
  channelPredicateType,
  channelStatement,
  readChannel,
} from '../../src/statement/channel.ts';
import { parseStatement, type Statement } from '../../src/statement/in-toto.ts';
import {
  provenancePredicateType,
  provenanceStatement,
  readProvenance,
} from '../../src/statement/provenance.ts';
import {
  readRelease,
  releasePredicateTypes,
  releaseStatement,
} from '../../src/statement/release.ts';
import {
  readSourceCommitment,
  sourceCommitmentStatement,
  sourcePredicateType,
} from '../../src/statement/source-commitment.ts';
import { parseTime } from '../../src/statement/timestamp.ts';
import {
  readVerificationSummary,
  verificationSummaryPredicateType,
  verificationSummaryStatement,
} from '../../src/statement/verification-summary.ts';
import {
  readWithdrawal,
  withdrawalPredicateType,
  withdrawalStatement,
} from '../../src/statement/withdrawal.ts';

/** Reads a statement and writes it anew from nothing but what was read. */
const rewritten: Record<string, (statement: Statement) => Uint8Array> = {
  [releasePredicateTypes[0]](statement) {
    const { purl, ...release } = readRelease(statement);
    return releaseStatement({ ...release, purl: purl.text, subjects: statement.subject });
  },
  [provenancePredicateType](statement) {
    const { commitments, ...provenance } = readProvenance(statement);
    const { externalParameters } = statement.predicate.buildDefinition as JsonObject;
    return provenanceStatement({
      ...provenance,
      subjects: statement.subject,
      externalParameters: externalParameters as JsonObject,
      commitment: commitments[0],
    });
  },
  [verificationSummaryPredicateType](statement) {
    const { timeVerified, ...summary } = readVerificationSummary(statement);
    return verificationSummaryStatement({
      ...summary,
      subjects: statement.subject,
      timeVerified: parseTime(timeVerified, 'timeVerified'),
    });
  },
  [channelPredicateType](statement) {
    const state = readChannel(statement);
    return channelStatement({
      ...state,

      current: state.current.map(({ purl, sha256 }) => ({
        purl: purl.text,
        sha256: sha256.map(encodeHex),
      })),
      withdrawn: state.withdrawn.map(({ sha256, purl, reason }) => ({
        sha256: encodeHex(sha256),
        purl: purl?.text,
        reason,
      })),
    });
  },
  [withdrawalPredicateType](statement) {
    const { purl, reason } = readWithdrawal(statement);
    return withdrawalStatement({ purl: purl.text, reason, subjects: statement.subject });
  },
  [sourcePredicateType](statement) {
    const { purl, ...commitment } = readSourceCommitment(statement);
    const [tree] = statement.subject;
    return sourceCommitmentStatement({ ...commitment, name: tree?.name, purl: purl?.text });
  },
};

const formats = readFileSync(new URL('../../docs/formats.md', import.meta.url), 'utf8');
const samples = [...formats.matchAll(/^```json\n(.*?)^```$/gms)]
  .map(([, text]) => JSON.parse(text as string) as { predicateType?: string })
  .filter(({ predicateType = '' }) => predicateType in rewritten);

describe('docs/formats.md', () => {
  it('has a sample of each kind that an issuer signs', () => {
    const types = samples.map(({ predicateType }) => predicateType);
    expect(types.sort()).toEqual(Object.keys(rewritten).sort());
  });

  it.each(samples)('has $predicateType as it is written', (sample) => {
    const text = JSON.stringify(sample);
    const statement = parseStatement(utf8(text));
    expect(decodeUtf8(rewritten[statement.predicateType]!(statement))).toBe(text);
  });
});
