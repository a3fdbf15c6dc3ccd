/** `npm run demo` tells its story with real processes; it fails when any of them does not act as told. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('accepts what was logged and refuses each attack for its own reason', async () => {
  const command = ['src/cli/main.ts', 'demo'];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  expect(stdout.match(/^ {4}VERIFIED/gm)).toHaveLength(3);
  const reasons = ['artifact-mismatch', 'inclusion-invalid', 'untrusted-checkpoint'];
  const refusals = stdout.match(/^ {4}REFUSED.*$/gm);
  expect(refusals?.map((line) => reasons.find((reason) => line.includes(reason)))).toEqual(reasons);
  expect(stdout).toMatch(/Three releases accepted, three attacks refused, in [\d.]+ s\.\n$/);
}, 120_000);
