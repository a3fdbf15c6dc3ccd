import { describe, expect, it } from 'vitest';
import { encodeHex } from '../../src/encoding/hex.ts';
import { channelStatement } from '../../src/statement/channel.ts';
import { inTotoPayloadType } from '../../src/statement/in-toto.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { sourceCommitmentStatement } from '../../src/statement/source-commitment.ts';
import { verificationSummaryStatement } from '../../src/statement/verification-summary.ts';
import { withdrawalStatement } from '../../src/statement/withdrawal.ts';
import { claimAbout } from '../../src/verify/claim.ts';
import { purl, sha256 } from './released.ts';

const artifact = sha256('the build');
const subjects = [{ name: 'scanner.bin', sha256: artifact }];
const summary = (result: 'PASSED' | 'FAILED') =>
  verificationSummaryStatement({
    subjects,
    verifierId: 'https://bsi.example',
    timeVerified: 1_795_514_400,
    resourceUri: purl,
    policyUri: 'https://bsi.example/rules/4',
    result,
  });
const channel = channelStatement({
  origin: 'log.acme.example',
  channel: 'acme/stable',
  kind: 'releases',
  sequence: 1,
  previous: undefined,
  issued: 1_795_514_400,
  expires: 1_795_604_400,
  current: [{ purl, sha256: [encodeHex(artifact)] }],
  withdrawn: [],
});
const about = (payload: Uint8Array, digest = artifact) =>
  claimAbout({ payloadType: inTotoPayloadType, payload, signatures: [] }, digest);

describe('a proof of one statement', () => {
  it.each([
    ['a withdrawal', withdrawalStatement({ purl, reason: 'CVE-2026-1', subjects })],
    ['an approval', summary('PASSED')],
    ['a rejection', summary('FAILED')],
    ['a source commitment', sourceCommitmentStatement({ root: artifact, files: 1, purl })],
  ])('does not vouch for a file by %s, though it names the file', (_, payload) => {
    expect(() => about(payload)).toThrow(
      expect.objectContaining({
        code: 'bad-statement',
        message: expect.stringContaining('want a release or SLSA provenance') as string,
      }) as Error,
    );
  });

  it('does not vouch for a file by a channel that lists it', () => {
    expect(() => about(channel)).toThrow(
      expect.objectContaining({ code: 'artifact-mismatch' }) as Error,
    );
    expect(() => about(channel, sha256('acme/stable'))).toThrow(/want a release or SLSA/);
  });

  it('says where provenance has its source from', () => {
    const source = 'git+https://git.acme.example/scanner@4a1c5d0f9d7d3b6a1b2c3d4e5f60718293a4b5c6';
    const payload = provenanceStatement({
      subjects,
      buildType: 'https://ci.acme.example/make',
      builderId: 'https://ci.acme.example/b',
      externalParameters: {},
      source,
    });
    expect(about(payload)).toMatchObject({
      source,
      builder: 'https://ci.acme.example/b',
      purls: [],
    });
  });
});
