import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DaybookError } from '../../src/errors.ts';
import { formatTime, parseTime } from '../../src/statement/timestamp.ts';

const refusal = (message: RegExp) =>
  expect.objectContaining({
    code: 'bad-statement',
    message: expect.stringMatching(message) as string,
  }) as Error;

describe('a time', () => {
  it.each([
    ['1970-01-01T00:00:00Z', 0],
    ['2024-02-29T23:59:59Z', 1_709_251_199],
    ['2026-11-24T10:00:00Z', 1_795_514_400],
    ['9999-12-31T23:59:59Z', 253_402_300_799],
  ])('%s is %d seconds after 1970', (text, seconds) => {
    expect(parseTime(text, 'issued')).toBe(seconds);
    expect(formatTime(seconds)).toBe(text);
  });

  it('comes back from its text', () => {
    const seconds = fc.integer({ min: 0, max: 253_402_300_799 });
    fc.assert(fc.property(seconds, (s) => parseTime(formatTime(s), 'issued') === s));
  });

  it('has one form only, whatever the text', () => {
    const near = fc.stringMatching(
      /^20\d\d-[01]\d-[0-3]\d[T ][0-2]\d:[0-6]\d:[0-6]\d(Z|\+00:00|\.0Z|)$/,
    );
    fc.assert(
      fc.property(fc.oneof(near, fc.string()), (text) => {
        let seconds;
        try {
          seconds = parseTime(text, 'issued');
        } catch (error) {
          expect(error).toBeInstanceOf(DaybookError);
          return;
        }
        expect(formatTime(seconds)).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  it.each([
    '2026-11-24T10:00:00+00:00',
    '2026-11-24T10:00:00.000Z',
    '2026-11-24T10:00Z',
    '2026-11-24 10:00:00Z',
    '2026-11-24t10:00:00z',
    '2026-02-29T10:00:00Z',
    '2026-04-31T10:00:00Z',
    '2026-11-24T24:00:00Z',
    '2026-11-24T10:00:60Z',
    '2026-13-01T00:00:00Z',
    '1969-12-31T23:59:59Z',
    '+12026-11-24T10:00:00Z',
    '2026-11-24T10:00:00Z\n',
    '',
    null,
    undefined,
    1_795_514_400,
  ])('is not %j', (value) => {
    expect(() => parseTime(value, 'issued')).toThrow(refusal(/^issued is .*such as 2026-11-24T/));
  });

  it.each([-1, 0.5, NaN, Infinity, 253_402_300_800])('is not written for %d seconds', (seconds) => {
    expect(() => formatTime(seconds)).toThrow(refusal(/no whole second/));
  });
});
