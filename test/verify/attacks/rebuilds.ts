/** Attacks on the rebuilders: fewer than there seem to be, or of something else. */
import { provenance, rebuild, repository } from '../release-scene.ts';
import { type Attack, elsewhere, otherTree, rule, say } from './changes.ts';

export function rebuilds(): Attack[] {
  return [
    [
      'one rebuild where two are wanted',
      'rebuilds: not-reproduced',
      /by debian \(entry 7\), want 2 of debian, uni/,
      (draft) => void delete draft.statements.uni,
    ],
    [
      'one rebuilder who says it twice',
      'rebuilds: not-reproduced',
      /want 2/,
      (draft) => {
        draft.statements.uni = { payload: rebuild('debian', { invocationId: '2' }), by: 'debian' };
      },
    ],
    [
      'two rebuilders of one organisation',
      'rebuilds: not-reproduced',
      /want 2/,
      (draft) => {
        for (const name of ['debian', 'uni']) draft.policy.keys[name]!.organisation = 'Debian';
      },
    ],
    [
      'a rebuild that a stranger signed',
      'rebuilds: not-reproduced',
      /want 2/,
      (draft) => void (draft.statements.uni!.by = 'stranger'),
    ],
    [
      "a rebuild by the builder's own key",
      'rebuilds: not-reproduced',
      /by debian \(entry 7\), want 2/,
      (draft) => {
        rule(draft).rebuilds = { threshold: 2, keys: ['debian', 'acme-ci'] };
        draft.statements.uni = { payload: rebuild('acme'), by: 'acme-ci' };
      },
    ],
    [
      "a rebuild by the issuer's own key",
      'rebuilds: not-reproduced',
      /by debian \(entry 7\), want 2/,
      (draft) => {
        rule(draft).rebuilds = { threshold: 2, keys: ['debian', 'acme-release'] };
        draft.statements.uni = { payload: rebuild('acme'), by: 'acme-release' };
      },
    ],
    [
      'a rebuild from another source',
      'rebuilds: not-reproduced',
      /want 2/,
      (draft) => say(draft, 'uni', rebuild('uni', { source: `${repository}@${'b'.repeat(40)}` })),
    ],
    [
      'a rebuild that names no source',
      'rebuilds: not-reproduced',
      /want 2/,
      (draft) => say(draft, 'uni', rebuild('uni', { source: undefined, commitment: undefined })),
    ],
    [
      'a rebuild that came out different',
      'rebuilds: not-reproduced',
      /want 2/,
      (draft) => say(draft, 'uni', rebuild('uni', { subjects: elsewhere })),
    ],
    [
      'a rebuilder who did not open the source commitment',
      'rebuilds: not-reproduced',
      /who opened the source commitment/,
      (draft) => say(draft, 'uni', rebuild('uni', { sourceChecked: undefined })),
    ],
    [
      'a rebuilder who opened another source commitment',
      'rebuilds: not-reproduced',
      /who opened the source commitment/,
      (draft) => say(draft, 'uni', rebuild('uni', { sourceChecked: otherTree })),
    ],
    [
      'a rebuild by a key that was revoked before',
      'rebuilds: not-reproduced',
      /want 2/,
      (draft) => void (draft.policy.keys.uni!.until = 8),
    ],
    [
      'one source that is rebuilt and another that is reviewed',
      'reviews: not-reviewed',
      /reviewed by nobody/,
      (draft) => {
        delete rule(draft).source;
        draft.statements = {
          release: draft.statements.release!,
          provenance: { payload: provenance({ commitment: otherTree }), by: 'acme-ci' },
          reviewed: draft.statements.provenance!,
          debian: {
            payload: rebuild('debian', { commitment: otherTree, sourceChecked: otherTree }),
            by: 'debian',
          },
          uni: {
            payload: rebuild('uni', { commitment: otherTree, sourceChecked: otherTree }),
            by: 'uni',
          },
          approval: draft.statements.approval!,
          review: draft.statements.review!,
        };
        // The newest provenance is the one that is judged, where none has both.
        const { reviewed, provenance: rebuilt, ...others } = draft.statements;
        draft.statements = { reviewed: reviewed!, provenance: rebuilt!, ...others };
      },
    ],
  ];
}
