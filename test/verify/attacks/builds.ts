/** Attacks on what was built, by whom, where and from which source. */
import { encodeHex } from '../../../src/encoding/hex.ts';
import { artifact, provenance, repository } from '../release-scene.ts';
import { type Attack, elsewhere, otherTree, say } from './changes.ts';

export function builds(): Attack[] {
  return [
    [
      'no provenance',
      'builder: builder-refused',
      /found no provenance of this file/,
      (draft) => {
        for (const name of ['provenance', 'debian', 'uni']) delete draft.statements[name];
      },
    ],
    [
      'provenance that a stranger signed',
      'builder: builder-refused',
      /want provenance by acme-ci/,
      (draft) => void (draft.statements.provenance!.by = 'stranger'),
    ],
    [
      "provenance by a rebuilder in the builder's place",
      'builder: builder-refused',
      /signed by debian/,
      (draft) => void (draft.statements.provenance!.by = 'debian'),
    ],
    [
      'another builder of the same key',
      'builder: builder-refused',
      /https:\/\/ci.acme.example\/nightly, signed by acme-ci/,
      (draft) =>
        say(draft, 'provenance', provenance({ builderId: 'https://ci.acme.example/nightly' })),
    ],
    [
      'provenance of another file',
      'builder: builder-refused',
      /want provenance by acme-ci/,
      (draft) => say(draft, 'provenance', provenance({ subjects: elsewhere })),
    ],
    [
      'provenance of another product with the same bytes',
      'builder: builder-refused',
      /want provenance by acme-ci/,
      (draft) =>
        say(
          draft,
          'provenance',
          provenance({ subjects: [{ name: 'pkg:generic/acme/console@1.2.3', sha256: artifact }] }),
        ),
    ],
    [
      'another source commit than was audited',
      'source: source-refused',
      /found git\+https:\/\/git.acme.example\/scanner@b+/,
      (draft) =>
        say(draft, 'provenance', provenance({ source: `${repository}@${'b'.repeat(40)}` })),
    ],
    [
      'the audited commit of another repository',
      'source: source-refused',
      /git.evil.example/,
      (draft) =>
        say(
          draft,
          'provenance',
          provenance({ source: `git+https://git.evil.example/scanner@${'a'.repeat(40)}` }),
        ),
    ],
    [
      'a repository whose name begins as the audited one',
      'source: source-refused',
      /scanner-fork/,
      (draft) =>
        say(draft, 'provenance', provenance({ source: `${repository}-fork@${'a'.repeat(40)}` })),
    ],
    [
      'no source commit',
      'source: source-refused',
      /found commitment/,
      (draft) => say(draft, 'provenance', provenance({ source: undefined })),
    ],
    [
      'another source commitment',
      'source: source-refused',
      /found .*commitment/,
      (draft) => say(draft, 'provenance', provenance({ commitment: otherTree })),
    ],
    [
      'a second source commitment beside the audited one',
      'source: source-refused',
      new RegExp(encodeHex(otherTree)),
      (draft) =>
        say(
          draft,
          'provenance',
          provenance({
            resolvedDependencies: [
              { name: 'source-commitment', digest: { sha256: encodeHex(otherTree) } },
            ],
          }),
        ),
    ],
    [
      'two provenances, one of the right builder and one of the right source',
      'source: source-refused',
      /found .*@b+/,
      (draft) => {
        say(draft, 'provenance', provenance({ source: `${repository}@${'b'.repeat(40)}` }));
        const payload = provenance({ builderId: 'https://laptop.example' });
        draft.statements.second = { payload, by: 'acme-ci' };
      },
    ],
    [
      'assembly in another place',
      'assembly: place-refused',
      /found Minsk, BY/,
      (draft) =>
        say(draft, 'provenance', provenance({ assembly: { site: 'Minsk', jurisdiction: 'BY' } })),
    ],
    [
      'a site of the right name in another country',
      'assembly: place-refused',
      /found Zurich, US/,
      (draft) =>
        say(draft, 'provenance', provenance({ assembly: { site: 'Zurich', jurisdiction: 'US' } })),
    ],
    [
      'assembly in no place',
      'assembly: place-refused',
      /no place named/,
      (draft) => say(draft, 'provenance', provenance({ assembly: undefined })),
    ],
    [
      'signing in another country',
      'signing: place-refused',
      /found BY/,
      (draft) => say(draft, 'provenance', provenance({ signing: { jurisdiction: 'BY' } })),
    ],
  ];
}
