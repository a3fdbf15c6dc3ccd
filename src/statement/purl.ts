/**
 * Package URLs (package-url/purl-spec) and the scopes that say which of them an issuer may speak
 * for. Scopes match parsed components, never the text.
 */
import { hasInvisible } from '../encoding/invisible.ts';
import { PackageURL } from 'packageurl-js';
import { DaybookError } from '../errors.ts';

export interface Purl {
  /** As it was written. */
  readonly text: string;
  readonly type: string;
  /** The segments of the namespace, then the name; decoded. */
  readonly path: readonly string[];
  readonly version: string | undefined;
  readonly qualifiers: Readonly<Record<string, string>>;
}

/** A purl that may lack a version and whose last path segments may each be `*`. */
export type PurlScope = Purl;

const maxLength = 1024;
const wildcard = '*';

/** Throws `bad-statement`. */
export function parsePurl(text: string): Purl {
  const shown = text.length > 120 ? `${text.slice(0, 120)}…` : text;
  const refuse = (problem: string, cause?: unknown): DaybookError =>
    new DaybookError('bad-statement', `"${shown}" is not a usable purl: it ${problem}`, { cause });
  if (text.length > maxLength) {
    throw refuse(`has ${text.length} characters, at most ${maxLength} are allowed`);
  }
  // The library reads through a URL parser, which drops tabs, line breaks and outer spaces and
  // which would take escapes in the type; none of that may make two texts the same product.
  if (!/^pkg:[a-z][a-z0-9.+-]*\/[!-~]+$/i.test(text) || !text.startsWith('pkg:')) {
    throw refuse('must be printable ASCII of the form pkg:type/namespace/name@version');
  }
  const [location = ''] = text.split(/[?#]/, 1);
  if (/\/(?:\/|$)|%2f/i.test(location)) throw refuse('has an empty path segment or an escaped "/"');
  if (location.includes('%')) {
    const plain = decoded(location, refuse);
    if (/\s/.test(plain) || hasInvisible(plain)) {
      throw refuse('escapes a space or a control character');
    }
  }
  if (text.includes('?') && repeatsQualifier(text)) throw refuse('has a qualifier twice');
  let parsed;
  try {
    parsed = PackageURL.fromString(text);
  } catch (cause) {
    throw refuse(`is malformed: ${(cause as Error).message}`, cause);
  }
  const namespace = parsed.namespace ? parsed.namespace.split('/') : [];
  const path = [...namespace, parsed.name];
  if (path.some((segment) => segment === '.' || segment === '..')) {
    throw refuse('has "." or ".." as a path segment');
  }
  return {
    text,
    type: parsed.type,
    path,
    version: parsed.version || undefined,
    qualifiers: parsed.qualifiers ?? {},
  };
}

/** Readers differ on which one counts. */
function repeatsQualifier(text: string): boolean {
  const [, query = ''] = /^[^?#]*\?([^#]*)/.exec(text) ?? [];
  const names = [...new URLSearchParams(query).keys()].map((name) => name.toLowerCase());
  return new Set(names).size < names.length;
}

function decoded(text: string, refuse: (problem: string, cause?: unknown) => DaybookError): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw refuse('has a percent escape that is not UTF-8', cause);
  }
}

/**
 * The scope that a pattern stands for: `pkg:generic/acme/scanner` is one product,
 * `pkg:generic/acme/*` every name in exactly that namespace, `pkg:golang/github.com/acme/*\/*`
 * every name one level further down. A version or qualifiers in it must be equal in the purl.
 * Throws `bad-statement`.
 */
export function purlScope(pattern: string): PurlScope {
  const scope = parsePurl(pattern);
  const firstWildcard = scope.path.indexOf(wildcard);
  const rest = firstWildcard === -1 ? [] : scope.path.slice(firstWildcard);
  if (
    scope.path.some((segment) => segment !== wildcard && segment.includes(wildcard)) ||
    rest.some((segment) => segment !== wildcard) ||
    /%2a/i.test(pattern) ||
    pattern.includes('#')
  ) {
    throw new DaybookError(
      'bad-statement',
      `the scope "${pattern}" cannot be used: * must be the whole of each last path segment, as in pkg:generic/acme/*, and a scope has no subpath`,
    );
  }
  return scope;
}

/**
 * Is `purl` within `scope`? A subpath and further qualifiers name a part or a variant of a release
 * and do not matter, but `repository_url` names another registry, hence another product.
 */
export function matchesScope(scope: PurlScope, purl: Purl): boolean {
  return (
    scope.type === purl.type &&
    scope.path.length === purl.path.length &&
    scope.path.every((segment, i) => segment === wildcard || segment === purl.path[i]) &&
    (scope.version === undefined || scope.version === purl.version) &&
    scope.qualifiers.repository_url === purl.qualifiers.repository_url &&
    Object.entries(scope.qualifiers).every(([name, value]) => purl.qualifiers[name] === value)
  );
}
