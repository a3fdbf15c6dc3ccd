/** Writing over HTTP on loopback: single POSTs and batches, raw entries and signed statements. */
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { admissionEntry, newIssuer, RAW_BYTES, rawEntries, signedReleases } from './samples.ts';
import { scratch, startServer, wrk, type ServerProcess, type WrkResult } from './server-process.ts';
import type { AdmissionState } from '../src/statement/admission.ts';

export interface WriteFigure extends Partial<WrkResult> {
  readonly name: string;
  readonly perSecond: number;
  /** Longest time from a POST to the answer that a published checkpoint covers it, sampled, in ms. */
  readonly includedWithinMs?: number;
  readonly rssMB: number;
}

/** 300 bytes that differ in each request. */
const RAW_POSTS = `
local filler = string.rep("x", ${RAW_BYTES - 24})
local n = 0
math.randomseed(os.time())
local run = string.format("%08d", math.random(0, 99999999))
request = function()
  n = n + 1
  return wrk.format("POST", "/entries?wait=sequenced", {["Content-Type"] = "application/octet-stream"}, run .. string.format("%016d", n) .. filler)
end`;

/** One line of a file for each request. */
function filePosts(path: string): string {
  return `
local lines = {}
for line in io.lines("${path}") do lines[#lines + 1] = line end
local n = 0
request = function()
  n = n % #lines + 1
  return wrk.format("POST", "/entries?wait=sequenced", {["Content-Type"] = "application/json"}, lines[n])
end`;
}

export async function rawPosts(seconds: number): Promise<WriteFigure> {
  const server = await startServer(await scratch(), '--admission', 'open');
  const sampler = sampleInclusion(server, () => Buffer.from(`sample ${Math.random()}`));
  const result = await wrk(`${server.url}/`, RAW_POSTS, { seconds });
  const includedWithinMs = await sampler();
  const rssMB = server.rss();
  await server.stop();
  return { name: 'single POSTs, 300 B, open admission', ...result, includedWithinMs, rssMB };
}

/** `count` must be more than is sent, so that no statement is sent twice. */
export async function signedPosts(seconds: number, count: number): Promise<WriteFigure> {
  const directory = await scratch();
  const server = await startServer(directory);
  const issuer = await newIssuer();
  await admit(server, issuer);
  const entries = await signedReleases(issuer, count + 1000);
  const path = join(await scratch(), 'statements.ndjson');
  writeFileSync(
    path,
    entries
      .slice(1000)
      .map((entry) => `${Buffer.from(entry).toString()}\n`)
      .join(''),
  );
  let sample = 0;
  const sampler = sampleInclusion(server, () =>
    Buffer.from(entries[sample++ % 1000] as Uint8Array),
  );
  const result = await wrk(`${server.url}/`, filePosts(path), { seconds });
  const includedWithinMs = await sampler();
  const rssMB = server.rss();
  if (result.perSecond * seconds > count) throw new Error('statements were sent twice: make more');
  await server.stop();
  return { name: 'single POSTs, 1 KB DSSE, Ed25519 verified', ...result, includedWithinMs, rssMB };
}

export async function batches(kind: 'raw' | 'signed', total: number): Promise<WriteFigure> {
  const server = await startServer(
    await scratch(),
    '--admission',
    kind === 'raw' ? 'open' : 'issuers',
  );
  const issuer = await newIssuer();
  if (kind === 'signed') await admit(server, issuer);
  const size = 10_000;
  const signed = kind === 'signed' ? await signedReleases(issuer, total) : [];
  const bodies = Array.from({ length: total / size }, (_, i) =>
    cborSequence(
      kind === 'raw' ? rawEntries(size, i * size) : signed.slice(i * size, (i + 1) * size),
    ),
  );
  const started = performance.now();
  const queue = bodies.values();
  await Promise.all(
    [0, 1, 2].map(async () => {
      for (const body of queue) await postBatch(server.url, body);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  const rssMB = server.rss();
  await server.stop();
  const what = kind === 'raw' ? '300 B, open admission' : '1 KB DSSE, Ed25519 verified';
  return { name: `batches of 10,000, ${what}`, perSecond: Math.round(total / seconds), rssMB };
}

async function admit(
  server: ServerProcess,
  issuer: Awaited<ReturnType<typeof newIssuer>>,
): Promise<void> {
  const { origin, sequence } = (await (await fetch(`${server.url}/admission`)).json()) as {
    origin: string;
    sequence: number;
  };
  const admission = { nextSequence: sequence + 1 } as AdmissionState;
  const entry = await admissionEntry({ origin, admission }, server.directory, issuer);
  const answer = await fetch(`${server.url}/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(entry),
  });
  if (!answer.ok) throw new Error(await answer.text());
}

/** Posts one entry every 200 ms and waits for its inclusion; stopped, gives the longest wait. */
function sampleInclusion(
  server: ServerProcess,
  next: () => Buffer<ArrayBuffer>,
): () => Promise<number> {
  let stopped = false;
  const waits: Promise<number>[] = [];
  const loop = (async () => {
    while (!stopped) {
      waits.push(timedInclusion(server.url, next()));
      await delay(200);
    }
  })();
  return async () => {
    stopped = true;
    await loop;
    return Math.round(Math.max(...(await Promise.all(waits))));
  };
}

async function timedInclusion(url: string, body: Buffer<ArrayBuffer>): Promise<number> {
  const started = performance.now();
  const answer = await fetch(`${url}/entries`, {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body,
  });
  const { proof } = (await answer.json()) as { proof?: string };
  if (proof === undefined) throw new Error(`a sample was not included: ${answer.status}`);
  return performance.now() - started;
}

function cborSequence(entries: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    entries.flatMap((entry) => {
      const head = Buffer.from([0x59, entry.length >> 8, entry.length & 0xff]);
      return [head, entry];
    }),
  );
}

function postBatch(url: string, body: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/cbor-seq', 'content-length': body.length };
    const req = request(`${url}/entries/batch`, { method: 'POST', headers }, (res) => {
      res.resume();
      res.on('end', () =>
        res.statusCode === 200 ? resolve() : reject(new Error(`batch: ${res.statusCode}`)),
      );
    });
    req.on('error', reject);
    req.end(body);
  });
}
