/** `npm run bench`: every figure of docs/performance.md, as a table and as JSON. */
import { execFileSync } from 'node:child_process';
import { cpus, totalmem } from 'node:os';
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { avUpdate } from './av-update.ts';
import { batches, rawPosts, signedPosts } from './http.ts';
import { channels } from './channels.ts';
import { mirroring } from './mirror.ts';
import { audits } from './monitor.ts';
import { reads } from './reads.ts';
import { releaseFiles } from './release-file.ts';
import { requireWrk } from './server-process.ts';
import { verdicts } from './verdict.ts';
import { verifying } from './verify.ts';
import { witnesses } from './witness.ts';
import { witnessed } from './witnessed.ts';

const { values } = parseArgs({
  options: {
    /** A tenth of everything, to see that the benches run. */
    quick: { type: 'boolean', default: false },
    /** Some of append, http, reads, channels, verify, verdict, release-file, av-update, witness, witnessed, mirror, monitor; separated by commas. */
    only: {
      type: 'string',
      default:
        'append,http,reads,channels,verify,verdict,release-file,av-update,witness,witnessed,mirror,monitor',
    },
    /** Also writes the JSON to this file. */
    json: { type: 'string' },
  },
});
const sections = values.only.split(',');
const scale = values.quick ? 0.1 : 1;
const seconds = values.quick ? 2 : 10;

const machine = {
  date: new Date().toISOString().slice(0, 10),
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  memoryGB: Math.round(totalmem() / 1e9),
  node: process.version,
};
const results: Record<string, object[]> = {};
process.stdout.write(`${Object.values(machine).join(', ')}\n`);

if (sections.includes('append')) {
  show('append', [
    append('raw', 10_000_000 * scale),
    append('dsse', 500_000 * scale),
    append('verified', 100_000 * scale),
  ]);
}
if (sections.includes('http')) {
  requireWrk();
  show('http', [
    await rawPosts(seconds),
    await signedPosts(seconds, 20_000 * seconds),
    await batches('raw', 1_000_000 * scale),
    await batches('signed', 200_000 * scale),
  ]);
}
if (sections.includes('reads')) {
  requireWrk();
  const aims = { tilesPerSecond: 15_000, proofsPerSecond: 5000 };
  show('reads', await reads(1_000_000 * scale, seconds, aims));
}
if (sections.includes('channels')) {
  requireWrk();
  show('channels', await channels(100_000 * scale, seconds));
}
if (sections.includes('verify')) show('verify', [await verifying()]);
if (sections.includes('verdict')) show('verdict', await verdicts());
if (sections.includes('release-file')) show('release-file', await releaseFiles());
if (sections.includes('av-update')) show('av-update', [await avUpdate()]);
if (sections.includes('witnessed')) show('witnessed', await witnessed(500 * scale));
if (sections.includes('witness')) show('witness', await witnesses(400 * scale));
if (sections.includes('mirror')) show('mirror', await mirroring(1_000_000 * scale));
if (sections.includes('monitor')) {
  show('monitor', await audits(1_000_000 * scale, 100_000 * scale));
}

const json = `${JSON.stringify({ machine, ...results }, undefined, 2)}\n`;
process.stdout.write(json);
if (values.json !== undefined) writeFileSync(values.json, json);

function show(section: string, figures: object[]): void {
  results[section] = figures;
  process.stdout.write(`\n${section}\n`);
  console.table(figures);
}

/** In a process of its own, whose memory is the log's alone. */
function append(kind: string, entries: number): object {
  const window = String(Math.min(1_000_000, entries / 2));
  const args = [
    // As `npm start` has it: most of a log's garbage dies young, and less of it need be held.
    '--max-semi-space-size=4',
    'bench/append.ts',
    '--kind',
    kind,
    '--entries',
    String(entries),
    '--window',
    window,
  ];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as object;
}
