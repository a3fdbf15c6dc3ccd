import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import {
  emptyTrustState,
  formatTrustState,
  parseTrustState,
  type TrustState,
} from '../../src/verify/trust-state.ts';
import { sha256 } from './released.ts';

const state: TrustState = {
  time: 1_795_514_400,
  policyVersion: 3,
  heads: { 'log.example': { size: 300, root: 'ab'.repeat(32) } },
  channels: { 'log.example acme/stable': { sequence: 7, leafHash: 'cd'.repeat(32) } },
  releases: { 'log.example generic/acme/scanner': 200 },
};
const withSum = (json: string): Uint8Array => utf8(`${json}\n${encodeHex(sha256(json))}\n`);
const unreadable = expect.objectContaining({ code: 'state-unreadable' }) as Error;

test('reads back what it wrote', () => {
  for (const each of [state, emptyTrustState]) {
    expect(parseTrustState(formatTrustState(each))).toEqual(each);
  }
});

test('notices each byte that is changed, lost or added', () => {
  const bytes = formatTrustState(state);
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
      const changed = bytes.map((byte, i) => (i === at ? byte ^ mask : byte));
      expect(() => parseTrustState(changed)).toThrow(unreadable);
      expect(() => parseTrustState(bytes.slice(0, at))).toThrow(unreadable);
    }),
  );
  expect(() => parseTrustState(concatBytes(bytes, utf8('\n')))).toThrow(unreadable);
});

test.each<[string, (json: string) => string]>([
  ['another version', (json) => json.replace('"version":1', '"version":2')],
  ['a member that is not known', (json) => json.replace('{', '{"extra":1,')],
  ['a member twice', (json) => json.replace('{', '{"time":1,')],
  ['no heads', (json) => json.replace('"heads"', '"hats"')],
  ['a time that is none', (json) => json.replace('1795514400', '-1')],
  ['a size that is no integer', (json) => json.replace('"size":300', '"size":300.5')],
  ['a root that is none', (json) => json.replace('ab', 'xx')],
  ['nothing', () => ''],
])('refuses a state with %s, though its sum is right', (_, change) => {
  const [json = ''] = decodeUtf8(formatTrustState(state)).split('\n');
  expect(change(json)).not.toBe(json);
  expect(() => parseTrustState(withSum(change(json)))).toThrow(unreadable);
});
