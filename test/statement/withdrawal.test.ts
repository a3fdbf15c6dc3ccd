import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../../src/encoding/strict-json.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import {
  readWithdrawal,
  withdrawalPredicateType,
  withdrawalStatement,
} from '../../src/statement/withdrawal.ts';
import { subject } from './parties.ts';

const purl = 'pkg:generic/acme/scanner@1.2.2';
const subjects = [subject('scanner.tar.gz')];

describe('a withdrawal', () => {
  it('is read back', () => {
    const statement = parseStatement(withdrawalStatement({ purl, reason: 'CVE-2026-1', subjects }));
    expect(statement).toMatchObject({ subject: subjects, predicateType: withdrawalPredicateType });
    const { purl: product, reason } = readWithdrawal(statement);
    expect([product.text, reason]).toEqual([purl, 'CVE-2026-1']);
  });

  it.each<[string, JsonObject, RegExp]>([
    ['no purl', { reason: 'x' }, /purl is missing/],
    ['a purl of all versions', { purl: 'pkg:generic/acme/scanner', reason: 'x' }, /a version/],
    ['what is no purl', { purl: 'scanner', reason: 'x' }, /not a usable purl/],
    ['no reason', { purl }, /reason is missing/],
    ['a blank reason', { purl, reason: ' \n' }, /and a reason/],
    ['an endless reason', { purl, reason: 'x'.repeat(1025) }, /1025 characters/],
    ['an unknown member', { purl, reason: 'x', replacedBy: 'y' }, /unknown member "replacedBy"/],
  ])('with %s is refused', (_, predicate, message) => {
    const statement = { subject: subjects, predicateType: withdrawalPredicateType, predicate };
    expect(() => readWithdrawal(statement)).toThrow(
      expect.objectContaining({
        code: 'bad-statement',
        message: expect.stringMatching(message) as string,
      }) as Error,
    );
  });
});
