import { expect, test } from 'vitest';
import { DaybookError, type ErrorCode } from '../../src/errors.ts';
import { problemOf } from '../../src/http/problem.ts';

const detailOf = (code: ErrorCode): string =>
  problemOf(new DaybookError(code, 'as /var/lib says')).detail;

test.each(['bad-request', 'overloaded', 'quorum-away', 'clock-went-back'] as const)(
  'callers are told what %s is about',
  (code) => expect(detailOf(code)).toBe('as /var/lib says'),
);

test.each(['internal', 'store-failed', 'store-corrupt', 'log-stopping'] as const)(
  'what %s says of our own machine stays in our log',
  (code) => expect(detailOf(code)).not.toContain('/var/lib'),
);
