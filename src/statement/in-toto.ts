/**
 * in-toto Statement v1 (in-toto/attestation, spec/v1/statement.md):
 *
 *     {"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a.tgz","digest":{"sha256":"df7a…"}}],
 *      "predicateType":"https://in-toto.io/attestation/release/v0.1","predicate":{"purl":"pkg:npm/a@1"}}
 *
 * Statement v0.1, which cosign still writes, has the same members and is read alike. Members that
 * are not known here are ignored, as in-toto's parsing rules demand.
 */
import { utf8 } from '../encoding/bytes.ts';
import { decodeHex, encodeHex } from '../encoding/hex.ts';
import { type JsonObject, type JsonValue, parseStrictJson } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import { shape } from './shape.ts';

export interface Subject {
  readonly name?: string;
  readonly uri?: string;
  /** 32 bytes. */
  readonly sha256: Uint8Array;
}

export interface Statement {
  /** At least one. */
  readonly subject: readonly Subject[];
  readonly predicateType: string;
  /** Empty when the statement has none. */
  readonly predicate: JsonObject;
}

export const inTotoPayloadType = 'application/vnd.in-toto+json';
const statementType = 'https://in-toto.io/Statement/v1';
const statementTypes = [statementType, 'https://in-toto.io/Statement/v0.1'];
export const maxSubjects = 512;
const maxDepth = 32;
const { object, array, string, optionalString, within } = shape('bad-statement');

/** Throws `bad-statement`. */
export function parseStatement(payload: Uint8Array): Statement {
  const statement = object(
    within('statement', () => parseStrictJson(payload, { maxDepth })),
    'statement',
  );
  const type = string(statement._type, '_type');
  if (!statementTypes.includes(type)) {
    throw new DaybookError(
      'bad-statement',
      `_type is "${type.slice(0, 80)}", want one of ${statementTypes.join(', ')}`,
    );
  }
  const subject = array(statement.subject, 'subject', maxSubjects).map(parseSubject);
  if (subject.length === 0) {
    throw new DaybookError('bad-statement', 'subject is empty, want at least one artifact');
  }
  return {
    subject,
    predicateType: string(statement.predicateType, 'predicateType'),
    predicate: object(statement.predicate ?? {}, 'predicate'),
  };
}

function parseSubject(value: JsonValue, position: number): Subject {
  const what = `subject[${position}]`;
  const subject = object(value, what);
  const { sha256 } = object(subject.digest, `${what}.digest`);
  const digest = digestOf(sha256);
  if (digest === undefined) {
    throw new DaybookError(
      'bad-statement',
      `${what}.digest has no sha256 of 64 lowercase hex digits; every subject needs one`,
    );
  }
  const name = optionalString(subject.name, `${what}.name`);
  const uri = optionalString(subject.uri, `${what}.uri`);
  return {
    ...(name !== undefined && { name }),
    ...(uri !== undefined && { uri }),
    sha256: digest,
  };
}

function digestOf(text: JsonValue | undefined): Uint8Array | undefined {
  if (typeof text !== 'string' || text.length !== 64) return undefined;
  try {
    return decodeHex(text);
  } catch {
    return undefined;
  }
}

/**
 * Payload bytes of a Statement v1. Members and subjects (by name, then digest) are in fixed order,
 * so that the same facts give the same bytes.
 */
export function formatStatement({ subject, predicateType, predicate }: Statement): Uint8Array {
  const subjects = subject.map(({ name, uri, sha256 }) => ({
    name,
    uri,
    digest: { sha256: encodeHex(sha256) },
  }));
  const order = (s: (typeof subjects)[number]): string => `${s.name ?? ''}\0${s.digest.sha256}`;
  subjects.sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
  return utf8(
    JSON.stringify({ _type: statementType, subject: subjects, predicateType, predicate }),
  );
}
