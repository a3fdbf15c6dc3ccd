import { describe, expect, test } from 'vitest';
import { isSignedBy, logEntry, signPayload, type TrustedLog } from '../../src/cli/log-statement.ts';
import { newestChannel } from '../../src/cli/newest-channel.ts';
import { LogClient } from '../../src/client/log-client.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { formatReleaseFile } from '../../src/proof/release-file.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import type { Signer } from '../../src/signature/port.ts';
import { channelStatement } from '../../src/statement/channel.ts';
import { formatEnvelope, parseEnvelope } from '../../src/statement/dsse.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import { policyOfLogs } from '../../src/verify/log-policy.ts';
import { MemoryLog } from '../client/memory-log.ts';
import { newSigner } from '../note/new-signer.ts';

const code = (expected: string): Error => expect.objectContaining({ code: expected }) as Error;
const release = releaseStatement({
  purl: 'pkg:generic/acme/scanner@1',
  subjects: [{ name: 'scanner', sha256: new Uint8Array(32) }],
});

function trusted(log: MemoryLog): TrustedLog {
  const policy = policyOfLogs([log.vkey]);
  const fetch: typeof globalThis.fetch = (input, init) => log.fetch(input, init);
  const url = 'http://log.example';
  return { client: new LogClient({ url, policy, fetch, verifier: nodeVerifier }), policy };
}

/** The log answers every submission with what it has as entry 0. */
function answerWithFirst(log: MemoryLog): void {
  log.intercept = async (_, { method }) => {
    if (method !== 'POST') return undefined;
    const proof = Buffer.from(await log.proof(0)).toString();
    return Response.json({ index: 0, leafHash: '', duplicate: true, proof });
  };
}

describe('logging an entry', () => {
  test('takes an earlier envelope of the statement only when the same key signed it', async () => {
    const signer = await newSigner('ecdsa-p256');
    const [first, again] = [await signPayload(release, signer), await signPayload(release, signer)];
    const honest = await MemoryLog.create([first]);
    answerWithFirst(honest);
    const submitted = await logEntry(trusted(honest), again, signer.publicKey);
    expect(submitted).toMatchObject({ index: 0, duplicate: true, entry: first });

    const stranger = await newSigner('ecdsa-p256');
    const forged = parseEnvelope(await signPayload(release, stranger));
    const keyid = signer.publicKey.fingerprint;
    const signatures = forged.signatures.map(({ sig }) => ({ keyid, sig }));
    const lying = await MemoryLog.create([formatEnvelope({ ...forged, signatures })]);
    answerWithFirst(lying);
    await expect(logEntry(trusted(lying), again, signer.publicKey)).rejects.toThrow(
      code('signature-invalid'),
    );
  });

  test('tells whose signature an envelope has', async () => {
    const [signer, other] = [await newSigner('ed25519'), await newSigner('ed25519')];
    const entry = await signPayload(release, signer);
    expect(await isSignedBy(entry, [other.publicKey, signer.publicKey])).toBe(true);
    expect(await isSignedBy(entry, [other.publicKey])).toBe(false);
    expect(await isSignedBy(entry, [])).toBe(false);
  });
});

describe('the newest statement of a channel', () => {
  const statement = (channel: string, origin: string): Uint8Array =>
    channelStatement({
      origin,
      channel,
      kind: 'releases',
      sequence: 1,
      previous: undefined,
      issued: 1_790_000_000,
      expires: 1_790_003_600,
      current: [],
      withdrawn: [],
    });

  async function serving(payload: Uint8Array, signer: Signer): Promise<MemoryLog> {
    const log = await MemoryLog.create([await signPayload(payload, signer)]);
    const { extra, hashes, checkpoint } = parseTlogProof(await log.proof(0));
    const entries = [{ index: parseTlogProof(await log.proof(0)).index, entry: extra! }];
    const file = formatReleaseFile({ checkpoint, entries, proof: hashes, channels: [] });
    log.intercept = (path) =>
      path.startsWith('channels/') ? new Response(new Uint8Array(file)) : undefined;
    return log;
  }

  test('is read where the log shows it, and must be by the key that is to go on with it', async () => {
    const [signer, other] = [await newSigner('ed25519'), await newSigner('ed25519')];
    const log = await serving(statement('acme/stable', 'log.example'), signer);
    const newest = await newestChannel(trusted(log), 'acme/stable', [signer.publicKey]);
    expect(newest).toMatchObject({ index: 0, state: { channel: 'acme/stable', sequence: 1 } });
    await expect(newestChannel(trusted(log), 'acme/stable', [other.publicKey])).rejects.toThrow(
      code('signature-invalid'),
    );
  });

  test.each([
    ['another channel', statement('acme/beta', 'log.example')],
    ['the channel of another log', statement('acme/stable', 'other.example')],
    ['no channel', release],
  ])('is refused when it is %s', async (_, payload) => {
    const signer = await newSigner('ed25519');
    const log = await serving(payload, signer);
    await expect(newestChannel(trusted(log), 'acme/stable', undefined)).rejects.toThrow(
      code('bad-statement'),
    );
  });

  test('is none where the log has none', async () => {
    const log = await MemoryLog.create([release]);
    expect(await newestChannel(trusted(log), 'acme/stable', undefined)).toBeUndefined();
  });
});
