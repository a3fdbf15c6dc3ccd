/**
 * In-process appends: synced, with exact dedupe, in batches of 1,024, to a log that grows to
 * `--entries`. Kinds: `raw`, 300 bytes in an open log; `dsse`, the bytes of signed statements in an
 * open log; `verified`, signed statements that a log of issuers examines. Prints one JSON object. Run
 * as a process of its own, so that its memory is its own; that of `verified` holds the statements too.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DaybookError } from '../src/errors.ts';
import { Log } from '../src/log/log.ts';
import {
  admissionEntry,
  newIssuer,
  numbered,
  rawEntries,
  signedRelease,
  signedReleases,
} from './samples.ts';

const BATCH = 1024;
/** Batches submitted before the first of them is answered, as a busy server has them. */
const IN_FLIGHT = 3;

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    kind: { type: 'string', default: 'raw' },
    window: { type: 'string', default: '1000000' },
  },
});
const total = Number(values.entries);
const windowSize = Number(values.window);

const directory = await mkdtemp(join(tmpdir(), 'daybook-bench-'));
const log = await Log.open({
  directory,
  admission: values.kind === 'verified' ? 'issuers' : 'open',
});
let next: (count: number, label: number) => Uint8Array[] = rawEntries;
if (values.kind !== 'raw') {
  const issuer = await newIssuer();
  if (values.kind === 'verified') {
    await log.submit(await admissionEntry(log, directory, issuer));
    const signed = await signedReleases(issuer, total);
    next = (count, label) => signed.slice(label, label + count);
  } else {
    const statement = await signedRelease(issuer, 0);
    next = (count, label) => numbered(statement, count, label);
  }
}

const windows: number[] = [];
let peakRss = 0;
let longestPause = 0;
let answered = 0;
const started = performance.now();
let windowStart = started;
let lastAnswer = started;

function note(count: number): void {
  const now = performance.now();
  longestPause = Math.max(longestPause, now - lastAnswer);
  lastAnswer = now;
  peakRss = Math.max(peakRss, process.memoryUsage.rss());
  const before = Math.floor(answered / windowSize);
  answered += count;
  if (Math.floor(answered / windowSize) > before) {
    windows.push(windowSize / ((now - windowStart) / 1000));
    windowStart = now;
  }
}

const flights: Promise<void>[] = [];
for (let label = 0; label < total; label += BATCH) {
  const batch = next(Math.min(BATCH, total - label), label);
  flights.push(
    log.submitMany(batch).then((outcomes) => {
      const failed = outcomes.find((outcome) => outcome instanceof DaybookError);
      if (failed) throw failed;
      note(outcomes.length);
    }),
  );
  if (flights.length >= IN_FLIGHT) await flights.shift();
}
await Promise.all(flights);
const seconds = (performance.now() - started) / 1000;
await log.close();
await rm(directory, { recursive: true });

process.stdout.write(
  `${JSON.stringify({
    kind: values.kind,
    entries: total,
    perSecond: Math.round(total / seconds),
    firstWindow: Math.round(windows[0] ?? total / seconds),
    lastWindow: Math.round(windows.at(-1) ?? total / seconds),
    longestPauseMs: Math.round(longestPause),
    peakRssMB: Math.round(peakRss / 1e6),
  })}\n`,
);
