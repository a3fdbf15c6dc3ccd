/** Clients that ask for the state of a channel over HTTP on loopback, while the log is idle and while it grows. */
import { setTimeout as delay } from 'node:timers/promises';
import { Log } from '../src/log/log.ts';
import type { Signer } from '../src/signature/port.ts';
import { channelStatement } from '../src/statement/channel.ts';
import { formatEnvelope, signEnvelope } from '../src/statement/dsse.ts';
import { inTotoPayloadType } from '../src/statement/in-toto.ts';
import { admissionEntry, newIssuer, signedRelease, signedReleases } from './samples.ts';
import { scratch, startServer, wrk, type WrkResult } from './server-process.ts';

export interface ChannelFigure extends WrkResult {
  readonly name: string;
  readonly leaves: number;
  /** Of the channel file, proof and checkpoint included. */
  readonly fileBytes: number;
}

/** Releases that the channel lists as current. */
const CURRENT = 3;
/** How often another entry, hence another checkpoint, comes while the log grows. */
const GROWTH_MS = 250;

export async function channels(leaves: number, seconds: number): Promise<ChannelFigure[]> {
  const directory = await scratch();
  const issuer = await newIssuer();
  await fill(directory, issuer, leaves);
  const server = await startServer(directory);
  const url = `${server.url}/channels/acme/stable`;
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  const fileBytes = (await answer.arrayBuffer()).byteLength;
  const etag = answer.headers.get('etag') ?? '';

  const idle = await wrk(url, '', { seconds });
  const unchanged = await wrk(url, `wrk.headers["If-None-Match"] = '${etag}'`, { seconds });
  const growing = new AbortController();
  const growth = grow(server.url, issuer, growing.signal);
  const busy = await wrk(url, '', { seconds });
  growing.abort();
  await growth;
  await server.stop();
  return [
    { name: 'channel file', leaves, fileBytes, ...idle },
    { name: 'not modified', leaves, fileBytes: 0, ...unchanged },
    { name: 'channel file, log grows', leaves, fileBytes, ...busy },
  ];
}

async function fill(directory: string, issuer: Signer, leaves: number): Promise<void> {
  const log = await Log.open({ directory });
  await log.submit(await admissionEntry(log, directory, issuer));
  for (let label = 3; label < leaves; label += 1024) {
    await log.submitMany(await signedReleases(issuer, Math.min(1024, leaves - label)));
  }
  const payload = channelStatement({
    origin: log.origin,
    channel: 'acme/stable',
    kind: 'releases',
    sequence: 1,
    previous: undefined,
    issued: 1_790_000_000,
    expires: 1_790_090_000,
    current: Array.from({ length: CURRENT }, (_, i) => ({
      purl: `pkg:generic/acme/scanner@1.0.${i}`,
      sha256: [String(i).repeat(64)],
    })),
    withdrawn: [],
  });
  const envelope = await signEnvelope(inTotoPayloadType, payload, [issuer]);
  await log.submit(formatEnvelope(envelope));
  await log.close();
}

async function grow(url: string, issuer: Signer, signal: AbortSignal): Promise<void> {
  for (let serial = 0; !signal.aborted; serial++) {
    const body = Buffer.from(await signedRelease(issuer, serial));
    const headers = { 'Content-Type': 'application/json' };
    await fetch(`${url}/entries?wait=sequenced`, { method: 'POST', headers, body });
    await delay(GROWTH_MS);
  }
}
