import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesScope, parsePurl, purlScope } from '../../src/statement/purl.ts';

const matches = (scope: string, purl: string): boolean =>
  matchesScope(purlScope(scope), parsePurl(purl));

describe('a scope', () => {
  it.each([
    ['pkg:generic/acme/scanner', 'pkg:generic/acme/scanner@1.2.3'],
    ['pkg:generic/acme/scanner', 'pkg:generic/acme/scanner'],
    ['pkg:generic/acme/scanner', 'pkg:generic/acme/scanner@1?arch=amd64#docs/README'],
    ['pkg:generic/acme/scanner@1.2.3', 'pkg:generic/acme/scanner@1.2.3'],
    ['pkg:generic/acme/scanner?arch=amd64', 'pkg:generic/acme/scanner@1?os=linux&arch=amd64'],
    ['pkg:generic/acme/*', 'pkg:generic/acme/av-bases@2026.11.23-01'],
    ['pkg:generic/acme/*', 'pkg:generic/acme/x%40y@1'],
    ['pkg:generic/acme/*', 'pkg:generic/acme/*@1'],
    ['pkg:generic/*', 'pkg:generic/openssl@3'],
    ['pkg:generic/*/*', 'pkg:generic/acme/scanner@1'],
    ['pkg:golang/github.com/acme/*', 'pkg:golang/github.com/acme/tool@v1.0.0'],
    ['pkg:golang/github.com/acme/*/*', 'pkg:golang/github.com/acme/tool/v2@v2.0.0'],
    ['pkg:npm/@acme/*', 'pkg:npm/%40acme/ui@1.0.0'],
    ['pkg:npm/%40acme/*', 'pkg:npm/@acme/ui@1.0.0'],
    ['pkg:npm/acme', 'pkg:npm/ACME@1'],
    ['pkg:pypi/acme-tool', 'pkg:pypi/Acme_Tool@1'],
    ['pkg:GENERIC/acme/*', 'pkg:Generic/acme/x@1'],
    [
      'pkg:generic/acme/%D1%81%D0%BA%D0%B0%D0%BD%D0%B5%D1%80',
      'pkg:generic/acme/%d1%81%d0%ba%d0%b0%d0%bd%d0%b5%d1%80@1',
    ],
    [
      'pkg:oci/img?repository_url=registry.acme.example',
      'pkg:oci/img@sha256%3Aab?repository_url=registry.acme.example&tag=1',
    ],
  ])('%s covers %s', (scope, purl) => {
    expect(matches(scope, purl)).toBe(true);
  });

  it.each([
    ['pkg:generic/acme/*', 'pkg:generic/acmeevil/x@1'],
    ['pkg:generic/acme/*', 'pkg:generic/acme@1'],
    ['pkg:generic/acme/*', 'pkg:generic/acme/sub/x@1'],
    ['pkg:generic/acme/*', 'pkg:generic/evil/acme/x@1'],
    ['pkg:generic/acme/*', 'pkg:generic/ACME/x@1'],
    ['pkg:generic/acme/*', 'pkg:npm/acme/x@1'],
    ['pkg:generic/acme/*', 'pkg:generic/%61cme%2Ex/x@1'],
    ['pkg:generic/acme/*', 'pkg:generic/acme%40x/y@1'],
    ['pkg:generic/acme/*', 'pkg:generic/*/x@1'],
    ['pkg:generic/acme/*', 'pkg:generic/acme/x@1/y@2'],
    ['pkg:generic/acme/*', 'pkg:generic/acme@1/x'],
    ['pkg:generic/*', 'pkg:generic/acme/x@1'],
    ['pkg:generic/*/*', 'pkg:generic/x@1'],
    ['pkg:generic/acme/scanner', 'pkg:generic/acme/scanner2@1'],
    ['pkg:generic/acme/scanner', 'pkg:generic/acme/Scanner@1'],
    ['pkg:generic/acme/scanner@1', 'pkg:generic/acme/scanner@1.2'],
    ['pkg:generic/acme/scanner@1', 'pkg:generic/acme/scanner'],
    ['pkg:generic/acme/scanner?arch=amd64', 'pkg:generic/acme/scanner@1?arch=arm64'],
    ['pkg:generic/acme/scanner?arch=amd64', 'pkg:generic/acme/scanner@1'],
    ['pkg:golang/github.com/acme/*', 'pkg:golang/github.com/acme/tool/v2@v2.0.0'],
    ['pkg:oci/img', 'pkg:oci/img@sha256%3Aab?repository_url=registry.evil.example'],
    ['pkg:oci/img?repository_url=a.example', 'pkg:oci/img@sha256%3Aab?repository_url=b.example'],
    ['pkg:generic/constructor', 'pkg:generic/toString@1'],
    ['pkg:generic/x?constructor=1', 'pkg:generic/x@1'],
  ])('%s does not cover %s', (scope, purl) => {
    expect(matches(scope, purl)).toBe(false);
  });

  it.each([
    'pkg:generic/ac*/x',
    'pkg:generic/*/scanner',
    'pkg:generic/acme/sc*',
    'pkg:generic/acme/**',
    'pkg:generic/acme/%2A',
    'pkg:generic/acme/x#sub',
    'pkg:*/acme/x',
    '*',
    'pkg:generic/',
  ])('%s is refused', (scope) => {
    expect(() => purlScope(scope)).toThrow(expect.objectContaining({ code: 'bad-statement' }));
  });

  it('with prototype names is a scope like any other', () => {
    for (const word of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
      expect(matches(`pkg:generic/${word}/*`, `pkg:generic/${word}/x@1`)).toBe(true);
      expect(matches('pkg:generic/acme/*', `pkg:generic/${word}/x@1`)).toBe(false);
    }
    expect(matches('pkg:constructor/acme/*', 'pkg:constructor/acme/x@1')).toBe(true);
    expect(matches('pkg:constructor/acme/*', 'pkg:valueof/acme/x@1')).toBe(false);
  });

  it('covers exactly the paths that it equals, segment by segment, up to its stars', () => {
    const segment = fc.constantFrom('a', 'b', 'ab', 'a.b', '-');
    const path = fc.array(segment, { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(path, path, fc.nat(4), (mine, theirs, stars) => {
        const kept = mine.slice(0, Math.max(0, mine.length - stars));
        const scope = [...kept, ...mine.slice(kept.length).map(() => '*')];
        const pattern = kept
          .map((s) => s.replaceAll('.', '\\.'))
          .concat(scope.slice(kept.length).map(() => '[^/]+'));
        const naive = new RegExp(`^${pattern.join('/')}$`).test(theirs.join('/'));
        expect(matches(`pkg:generic/${scope.join('/')}`, `pkg:generic/${theirs.join('/')}@1`)).toBe(
          naive,
        );
      }),
    );
  });
});

describe('a purl', () => {
  it('is read into its components', () => {
    expect(
      parsePurl('pkg:oci/my-image@sha256%3Afedcba09?repository_url=r.example/p&tag=v1'),
    ).toEqual({
      text: 'pkg:oci/my-image@sha256%3Afedcba09?repository_url=r.example/p&tag=v1',
      type: 'oci',
      path: ['my-image'],
      version: 'sha256:fedcba09',
      qualifiers: expect.objectContaining({ repository_url: 'r.example/p', tag: 'v1' }) as unknown,
    });
    expect(parsePurl('pkg:golang/google.golang.org/genproto@v0.1.0#googleapis/api').path).toEqual([
      'google.golang.org',
      'genproto',
    ]);
  });

  it('may have a question mark in its subpath, which begins no qualifiers', () => {
    expect(() => parsePurl('pkg:generic/a@1#x?b=1&b=2')).not.toThrow();
  });

  it.each([
    ['a parent segment', 'pkg:generic/acme/../evil@1'],
    ['an escaped parent segment', 'pkg:generic/acme/%2e%2E/evil@1'],
    ['a dot segment', 'pkg:generic/acme/./x@1'],
    ['an empty segment', 'pkg:generic/acme//x@1'],
    ['an empty first segment', 'pkg:generic//x@1'],
    ['an escaped slash in the namespace', 'pkg:generic/acme%2Fevil/x@1'],
    ['an escaped slash in the name', 'pkg:generic/acme%2fx@1'],
    ['a tab', 'pkg:generic/ac\tme/x@1'],
    ['a line break', 'pkg:generic/acme/x@1\n'],
    ['an outer space', ' pkg:generic/acme/x@1'],
    ['an escaped space', 'pkg:generic/acme/x%20@1'],
    ['an escaped no-break space', 'pkg:generic/acme/x%C2%A0@1'],
    ['an escaped zero-width joiner', 'pkg:generic/acme/x%E2%80%8D@1'],
    ['an escaped NUL', 'pkg:generic/acme/x%00@1'],
    ['unescaped non-ASCII', 'pkg:generic/acmé/x@1'],
    ['an escape that is not UTF-8', 'pkg:generic/acme/%FF@1'],
    ['half an escape', 'pkg:generic/acme/x%4@1'],
    ['two slashes after the scheme', 'pkg://generic/acme/x@1'],
    ['an authority', 'pkg://user:pw@generic/acme/x@1'],
    ['an escaped type', 'pkg:gener%69c/acme/x@1'],
    ['another scheme', 'npm:generic/acme/x@1'],
    ['an upper case scheme', 'PKG:generic/acme/x@1'],
    ['no name', 'pkg:generic/acme/'],
    ['no type', 'pkg:acme'],
    ['a type that starts with a digit', 'pkg:7z/acme/x@1'],
    ['a qualifier twice', 'pkg:oci/x@1?repository_url=a.example&Repository%5Furl=b.example'],
    ['nothing', ''],
    ['a maven purl without namespace', 'pkg:maven/x@1'],
    ['over 1024 characters', `pkg:generic/acme/${'x'.repeat(1024)}@1`],
  ])('with %s is refused', (_, text) => {
    expect(() => parsePurl(text)).toThrow(expect.objectContaining({ code: 'bad-statement' }));
  });
});
