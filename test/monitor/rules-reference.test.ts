/** Rules that remember, against naive ones that look at the whole history each time. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import { verificationSummaryStatement } from '../../src/statement/verification-summary.ts';
import type { Subject } from '../../src/statement/in-toto.ts';
import { subject } from '../statement/parties.ts';
import { RuleScene, START } from './rule-scene.ts';

const HOUR = 3600;
const RUNS = { numRuns: 25 };
const small = fc.integer({ min: 0, max: 2 });
const purl = (file: number): string => `pkg:generic/acme/scanner@${file}`;

function provenance(subjects: readonly Subject[], source: number): Uint8Array {
  return provenanceStatement({
    buildType: 'https://acme.example/build',
    builderId: 'https://ci.acme.example',
    externalParameters: {},
    source: `git+https://git.acme.example/scanner@${String(source).repeat(40)}`,
    subjects,
  });
}

type Event =
  | { readonly does: 'release'; readonly files: readonly number[] }
  | { readonly does: 'rebuild'; readonly by: 'rebuilder' | 'second'; readonly file: number }
  | { readonly does: 'judge'; readonly result: 'PASSED' | 'FAILED'; readonly file: number }
  | { readonly does: 'wait'; readonly hours: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({
    does: fc.constant('release' as const),
    files: fc.uniqueArray(small, { minLength: 1 }),
  }),
  fc.record({
    does: fc.constant('rebuild' as const),
    by: fc.constantFrom('rebuilder' as const, 'second' as const),
    file: small,
  }),
  fc.record({
    does: fc.constant('judge' as const),
    result: fc.constantFrom('PASSED' as const, 'FAILED' as const),
    file: small,
  }),
  fc.record({ does: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 16 }) }),
);

/** What each release lacks when its 24 hours are over, or undefined. By the history alone. */
function overdue(history: readonly Event[]): string[] {
  const found = new Set<string>();
  history.forEach((each, i) => {
    if (each.does !== 'release') return;
    let hours = 0;
    const later = history.findIndex((other, j) => {
      if (j > i && other.does === 'wait') hours += other.hours;
      return hours >= 24;
    });
    if (later === -1) return;
    const until = history.slice(0, later);
    const confirmed = each.files.every((file) => {
      const rebuilt = until.some((other) => other.does === 'rebuild' && other.file === file);
      const judged = until.filter((other) => other.does === 'judge' && other.file === file).at(-1);
      return rebuilt && judged?.does === 'judge' && judged.result === 'PASSED';
    });
    if (!confirmed) found.add(each.files.toSorted().join());
  });
  return [...found].sort();
}

test('unconfirmed: whatever the order of releases, confirmations and time', async () => {
  const rule = {
    rule: 'unconfirmed',
    after: '24h',
    rebuilds: { threshold: 1, keys: ['rebuilder', 'second'] },
    approvals: { threshold: 1, keys: ['supervisor'] },
  };
  const run = async (history: readonly Event[]): Promise<void> => {
    const scene = await RuleScene.open([rule]);
    const said = (file: number): Subject => subject(`file ${file}`);
    const filesOf = new Map<number, string>();
    for (const each of history) {
      switch (each.does) {
        case 'release': {
          const subjects = each.files.map(said);
          const index = await scene.log(releaseStatement({ purl: purl(0), subjects }));
          filesOf.set(index, each.files.toSorted().join());
          break;
        }
        case 'rebuild':
          await scene.log(provenance([said(each.file)], 0), each.by);
          break;
        case 'judge':
          await scene.log(
            verificationSummaryStatement({
              subjects: [said(each.file)],
              verifierId: 'https://bsi.example',
              timeVerified: START,
              resourceUri: purl(0),
              policyUri: 'https://bsi.example/rules',
              result: each.result,
            }),
            'supervisor',
          );
          break;
        case 'wait':
          scene.now += each.hours * HOUR;
          await scene.tick();
      }
    }
    const told = scene.alerts.map(({ index }) => filesOf.get(index!));
    expect(told.sort()).toEqual(overdue(history));
  };
  await fc.assert(fc.asyncProperty(fc.array(event, { minLength: 5, maxLength: 24 }), run), RUNS);
}, 60_000);

test('different-result: each digest that is not the first of its source and file, once', async () => {
  const built = fc.record({ source: small, file: small, digest: small });
  await fc.assert(
    fc.asyncProperty(fc.array(built, { maxLength: 16 }), async (history) => {
      const scene = await RuleScene.open([{ rule: 'different-result' }]);
      const wanted: number[] = [];
      for (const [i, { source, file, digest }] of history.entries()) {
        const said = { ...subject(`digest ${digest}`), name: `file ${file}`, uri: purl(file) };
        const index = await scene.log(provenance([said], source), 'builder');
        const before = history
          .slice(0, i)
          .filter((other) => other.source === source && other.file === file);
        if (before.length > 0 && !before.some((other) => other.digest === digest)) {
          wanted.push(index);
        }
      }
      expect(scene.alerts.map(({ index }) => index)).toEqual(wanted);
    }),
    RUNS,
  );
}, 60_000);
