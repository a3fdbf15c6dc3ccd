/** Signed statements; apart from scratch.ts, since processes without a test runner make them too. */
import { createHash } from 'node:crypto';
import { encodeHex } from '../../src/encoding/hex.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import type { Log } from '../../src/log/log.ts';
import type { Signer } from '../../src/signature/port.ts';
import { channelStatement } from '../../src/statement/channel.ts';
import { formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { inTotoPayloadType } from '../../src/statement/in-toto.ts';
import { releaseStatement } from '../../src/statement/release.ts';

export async function envelope(payload: Uint8Array, signer: Signer): Promise<Uint8Array> {
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [signer]));
}

export function sha256(data: string | Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(data).digest());
}

export async function release(issuer: Signer, version: string): Promise<Uint8Array> {
  const payload = releaseStatement({
    purl: `pkg:generic/acme/scanner@${version}`,
    subjects: [{ name: 'scanner', sha256: sha256(version) }],
  });
  return envelope(payload, issuer);
}

/** Statement `sequence` of a channel, on which version `1.<sequence>` is current. */
export async function channelEntry(
  log: Pick<Log, 'origin'>,
  issuer: Signer,
  sequence: number,
  previous: number | undefined,
  { channel = 'acme/stable', expires = 2_000_000_000 } = {},
): Promise<Uint8Array> {
  const version = `1.${sequence}`;
  const payload = channelStatement({
    origin: log.origin,
    channel,
    kind: 'releases',
    sequence,
    previous: previous === undefined ? undefined : leafIndex(previous),
    issued: 1_900_000_000,
    expires,
    current: [
      { purl: `pkg:generic/acme/scanner@${version}`, sha256: [encodeHex(sha256(version))] },
    ],
    withdrawn: [],
  });
  return envelope(payload, issuer);
}
