/** Attacks with a release statement that does not count. */
import { release } from '../release-scene.ts';
import { type Attack, elsewhere, other, retext, say } from './changes.ts';

export function releases(): Attack[] {
  return [
    [
      'a release signed by a stranger',
      'release: signature-invalid',
      /entry 5 is signed by no key of the policy/,
      (draft) => void (draft.statements.release!.by = 'stranger'),
    ],
    [
      'a release signed by a stolen key after it was revoked',
      'release: signature-invalid',
      /entry 5 is signed by acme-release, which counts below index 5 only/,
      (draft) => void (draft.policy.keys['acme-release']!.until = 5),
    ],
    [
      'a release signed by a key that the policy knows, but not as an issuer',
      'release: signature-invalid',
      /acme-ci, who signed it, is no issuer of pkg:generic\/acme\/scanner@1.2.3/,
      (draft) => void (draft.statements.release!.by = 'acme-ci'),
    ],
    [
      'a release of one vendor by the issuer of another',
      'release: no-rule',
      /no rule for pkg:generic\/other\/scanner@1.2.3/,
      (draft) => say(draft, 'release', release({ purl: 'pkg:generic/other/scanner@1.2.3' })),
    ],
    [
      'the release of another product than was asked for',
      'product: artifact-mismatch',
      /it is pkg:generic\/acme\/scanner@1.2.3, want pkg:generic\/acme\/console/,
      (draft) => void (draft.purl = 'pkg:generic/acme/console'),
    ],
    [
      'another artifact under an honest release file',
      'release: artifact-mismatch',
      /none of the releases in the file names/,
      (draft) => void (draft.sha256 = other),
    ],
    [
      'the release file of the version before, replayed',
      'release: artifact-mismatch',
      /none of the releases in the file names/,
      (draft) =>
        say(
          draft,
          'release',
          release({ purl: 'pkg:generic/acme/scanner@1.2.2', subjects: elsewhere }),
        ),
    ],
    [
      'an artifact that only its provenance names',
      'release: signature-invalid',
      /no release statement/,
      (draft) => void delete draft.statements.release,
    ],
    [
      'a digest in another algorithm only',
      'release: signature-invalid',
      /entry 5 is malformed: subject\[0\].digest has no sha256/,
      (draft) => say(draft, 'release', retext(release(), /"sha256":"/, '"sha512":"')),
    ],
    [
      'a statement of a version of in-toto that nobody knows',
      'release: signature-invalid',
      /_type is/,
      (draft) => say(draft, 'release', retext(release(), /Statement\/v1/, 'Statement/v9')),
    ],
    [
      'a release with a predicate that is none',
      'release: signature-invalid',
      /no release statement/,
      (draft) => say(draft, 'release', retext(release(), /"purl"/, '"purls"')),
    ],
  ];
}
