/** Attacks on what supervisors and reviewers said. */
import { withdrawalStatement } from '../../../src/statement/withdrawal.ts';
import { approval, artifact, purl, review } from '../release-scene.ts';
import { type Attack, elsewhere, otherTree, retext, rule, say } from './changes.ts';

export function approvals(): Attack[] {
  return [
    [
      'no approval',
      'approvals: not-approved',
      /by nobody, want 1 of bsi/,
      (draft) => void delete draft.statements.approval,
    ],
    [
      'an approval that the vendor signed',
      'approvals: not-approved',
      /by nobody, want 1 of bsi/,
      (draft) => void (draft.statements.approval!.by = 'acme-release'),
    ],
    [
      'an approval of another file',
      'approvals: not-approved',
      /by nobody/,
      (draft) => say(draft, 'approval', approval({ subjects: elsewhere })),
    ],
    [
      'an approval of another product with the same bytes',
      'approvals: not-approved',
      /by nobody/,
      (draft) =>
        say(draft, 'approval', approval({ resourceUri: 'pkg:generic/acme/console@1.2.3' })),
    ],
    [
      'an approval of another version',
      'approvals: not-approved',
      /by nobody/,
      (draft) =>
        say(draft, 'approval', approval({ resourceUri: 'pkg:generic/acme/scanner@1.2.2' })),
    ],
    [
      'an approval of a product whose name is an asterisk, which is no wildcard there',
      'approvals: not-approved',
      /by nobody/,
      (draft) => say(draft, 'approval', approval({ resourceUri: 'pkg:generic/acme/*' })),
    ],
    [
      'an approval of a part',
      'approvals: not-approved',
      /by nobody/,
      (draft) => say(draft, 'approval', approval({ paths: ['bin/'] })),
    ],
    [
      'a FAILED approval',
      'approvals: rejected',
      /bsi rejected it \(entry 9\): phones home/,
      (draft) => say(draft, 'approval', approval({ result: 'FAILED', reason: 'phones home' })),
    ],
    [
      'an approval that was taken back',
      'approvals: rejected',
      /bsi rejected it \(entry 11\)/,
      (draft) => {
        draft.statements.later = { payload: approval({ result: 'FAILED' }), by: 'bsi' };
      },
    ],
    [
      'a rejection of the same bytes under another name',
      'approvals: rejected',
      /bsi rejected it/,
      (draft) => {
        const resourceUri = 'pkg:generic/acme/console@1.2.3';
        draft.statements.later = {
          payload: approval({ result: 'FAILED', resourceUri }),
          by: 'bsi',
        };
      },
    ],
    [
      'a result that is neither PASSED nor FAILED',
      'approvals: not-approved',
      /by nobody/,
      (draft) => say(draft, 'approval', retext(approval(), /PASSED/, 'passed')),
    ],
    [
      'one supervisor who approves twice',
      'approvals: not-approved',
      /want 2 of bsi, auditor/,
      (draft) => {
        rule(draft).approvals = { threshold: 2, keys: ['bsi', 'auditor'] };
        draft.statements.again = { payload: approval({ checked: ['again'] }), by: 'bsi' };
      },
    ],
    [
      'no review of the source',
      'reviews: not-reviewed',
      /by nobody, want 1 of auditor/,
      (draft) => void delete draft.statements.review,
    ],
    [
      'a review of some paths only',
      'reviews: not-reviewed',
      /by nobody/,
      (draft) => say(draft, 'review', review({ paths: ['README.md'] })),
    ],
    [
      'a review of another source',
      'reviews: not-reviewed',
      /by nobody/,
      (draft) => say(draft, 'review', review({ subjects: [{ name: 'tree', sha256: otherTree }] })),
    ],
    [
      'a review that failed',
      'reviews: rejected',
      /auditor reviewed its source and failed it/,
      (draft) => say(draft, 'review', review({ result: 'FAILED' })),
    ],
    [
      'a withdrawal that is at hand',
      'withdrawal: withdrawn',
      /acme-release withdrew it \(entry 11\): CVE-2026-1/,
      (draft) => {
        const subjects = [{ name: 'scanner.bin', sha256: artifact }];
        const payload = withdrawalStatement({ purl, reason: 'CVE-2026-1', subjects });
        draft.statements.withdrawal = { payload, by: 'acme-release' };
      },
    ],
  ];
}
