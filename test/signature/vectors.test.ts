/** Published vectors, hostile ones above all, against every verifier: they must agree on each. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeHex } from '../../src/encoding/hex.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { DaybookError } from '../../src/errors.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { PublicKey } from '../../src/signature/port.ts';
import { ed25519PublicKey, publicKeyFromSpki } from '../../src/signature/public-key.ts';
import { pureVerifier } from '../../src/signature/pure-verifier.ts';
import { webVerifier } from '../../src/signature/web-verifier.ts';

interface WycheproofFile {
  readonly testGroups: readonly {
    readonly publicKeyDer: string;
    readonly tests: readonly WycheproofTest[];
  }[];
}

interface WycheproofTest {
  readonly tcId: number;
  readonly comment: string;
  readonly msg: string;
  readonly ctx?: string;
  readonly sig: string;
  readonly result: 'valid' | 'invalid';
  readonly flags: readonly string[];
}

function readVectors<T>(path: string): T {
  return JSON.parse(readFileSync(`test/vectors/${path}`, 'utf8')) as T;
}

async function verdicts(
  key: PublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): Promise<string> {
  const verifiers = { node: nodeVerifier, web: webVerifier, pure: pureVerifier };
  const answers = await Promise.all(
    Object.entries(verifiers).map(async ([name, verifier]) => {
      return `${name} ${await verifier.verify(key, message, signature)}`;
    }),
  );
  return answers.join(', ');
}

const agreed = (valid: boolean): string => `node ${valid}, web ${valid}, pure ${valid}`;

/** Salts of lengths that the vectors' own verifier does not take; Daybook takes all. */
const otherSalt = /^s_len changed to/;

describe.each([
  'ed25519',
  'ecdsa_secp256r1_sha256',
  'ecdsa_secp384r1_sha384',
  'rsa_pss_2048_sha256_mgf1_0',
  'rsa_pss_2048_sha256_mgf1_32',
  'mldsa_44_verify',
])('Wycheproof %s', (name) => {
  const { testGroups } = readVectors<WycheproofFile>(`wycheproof/${name}_test.json`);

  it.each(testGroups.map((group, i) => ({ i, group })))('group $i', async ({ group }) => {
    const key = decodeHex(group.publicKeyDer);
    if (group.tests.every(({ flags }) => flags.includes('IncorrectPublicKeyLength'))) {
      expect(() => publicKeyFromSpki(key)).toThrow(expect.objectContaining({ code: 'bad-key' }));
      return;
    }
    const publicKey = publicKeyFromSpki(key);
    // Daybook's context is always empty.
    for (const test of group.tests.filter(({ ctx = '' }) => ctx === '')) {
      const valid = test.result === 'valid' || otherSalt.test(test.comment);
      const answer = await verdicts(publicKey, decodeHex(test.msg), decodeHex(test.sig));
      expect(answer, `${test.tcId} ${test.comment}`).toBe(agreed(valid));
    }
  });
});

interface EdgeCase {
  readonly number: number;
  readonly key: string;
  readonly sig: string;
  readonly msg: string;
  readonly flags: readonly string[] | null;
}

function loadKey(raw: Uint8Array): PublicKey | undefined {
  try {
    return ed25519PublicKey(raw);
  } catch (error) {
    expect(error).toBeInstanceOf(DaybookError);
    return undefined;
  }
}

it('refuses the keys of all Ed25519 edge cases that are unsafe, and agrees on the signatures of the others', async () => {
  const unsafe = ['low_order_A', 'low_order_component_A', 'non_canonical_A'];
  const invalid = ['low_order_R', 'low_order_residue', 'non_canonical_R', 'reencoded_k'];
  let checked = 0;
  for (const { number, key, msg, sig, flags } of readVectors<EdgeCase[]>(
    'ed25519-edge-cases/ed25519vectors.json',
  )) {
    const has = (names: string[]): boolean => names.some((name) => flags?.includes(name));
    const loaded = loadKey(decodeHex(key));
    expect(loaded === undefined, `key of ${number}`).toBe(has(unsafe));
    if (!loaded) continue;
    const answer = await verdicts(loaded, utf8(msg), decodeHex(sig));
    expect(answer, `signature of ${number}`).toBe(agreed(!has(invalid)));
    checked++;
  }
  expect(checked).toBeGreaterThan(10);
});
