/** The newest statement that a log has of a channel, to be continued or shown. */
import type { LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { parseReleaseFile, type ReleaseEntry } from '../proof/release-file.ts';
import type { PublicKey } from '../signature/port.ts';
import { readChannel, type ChannelState } from '../statement/channel.ts';
import { parseEnvelope } from '../statement/dsse.ts';
import { parseStatement } from '../statement/in-toto.ts';
import { isSignedBy, type TrustedLog } from './log-statement.ts';

export interface NewestChannel {
  readonly index: LeafIndex;
  readonly state: ChannelState;
}

/**
 * Undefined when the log has no statement of the channel. With `keys`, one of them must have signed
 * it, for whoever continues a channel signs all that it lists. Throws `signature-invalid`, and as
 * `LogClient.channelFile`.
 */
export async function newestChannel(
  { client }: TrustedLog,
  name: string,
  keys: readonly PublicKey[] | undefined,
): Promise<NewestChannel | undefined> {
  let file: Uint8Array;
  try {
    file = await client.channelFile(name);
  } catch (error) {
    if (error instanceof DaybookError && error.code === 'not-found') return undefined;
    throw error;
  }
  // The client has verified that it has one entry, and that this is the channel's.
  const [{ index, entry }] = parseReleaseFile(file).entries as [ReleaseEntry];
  if (keys !== undefined && !(await isSignedBy(entry, keys))) {
    throw new DaybookError(
      'signature-invalid',
      `the newest statement of the channel ${name}, entry ${index}, is not signed by ${keys.map(({ fingerprint }) => fingerprint).join(' or ')}`,
    );
  }
  return { index, state: readChannel(parseStatement(parseEnvelope(entry).payload)) };
}
