/** Release policies for tests: a sound one, and keys that sign. */
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import type { Signer } from '../../src/signature/port.ts';
import { newNoteSigner, newSigner } from '../note/new-signer.ts';

export type Json = Record<string, unknown>;

const names = ['release', 'ci', 'debian', 'uni', 'bsi', 'channel', 'alice', 'bob', 'eve'] as const;
export type Name = (typeof names)[number];

export const signers = Object.fromEntries(
  await Promise.all(names.map(async (name) => [name, await newSigner('ed25519')] as const)),
) as Record<Name, Signer>;

const vkey = async (name: string, type: 0x01 | 0x04 | 0x06): Promise<string> =>
  formatVkey((await newNoteSigner(name, type)).key);
export const logLine = `log ${await vkey('log.acme.example', 0x01)}`;
/** A line for a new witness whose key has this name. */
export async function witnessLine(name: string, keyName: string, mlDsa = false): Promise<string> {
  return `witness ${name} ${await vkey(keyName, mlDsa ? 0x06 : 0x04)}`;
}

export function keyOf(signer: Signer, more: Json = {}): Json {
  return { key: encodeBase64(signer.publicKey.spki), ...more };
}

const twoWitnesses = [
  await witnessLine('north', 'north.example'),
  await witnessLine('south', 'south.example'),
];

/** A product that `daybook policy check` finds nothing against. */
export const product: Json = {
  purl: 'pkg:generic/acme/*',
  issuers: ['release'],
  builders: { keys: ['ci'], ids: ['https://ci.acme.example/release'] },
  source: { repository: 'git+https://git.acme.example/scanner' },
  rebuilds: { threshold: 2, keys: ['debian', 'uni'] },
  approvals: { threshold: 1, keys: ['bsi'] },
  channels: [{ channel: 'acme/stable', keys: ['channel'], maxAge: '25h', grace: '6d' }],
  checkpointMaxAge: '24h',
};

/** A policy that `daybook policy check` finds nothing against. */
export const sound: Json = {
  version: 3,
  trust: [logLine, ...twoWitnesses, 'group both all north south', 'quorum both'],
  root: { threshold: 2, keys: ['alice', 'bob', 'eve'] },
  keys: {
    release: keyOf(signers.release, { organisation: 'Acme' }),
    ci: keyOf(signers.ci, { organisation: 'Acme' }),
    debian: keyOf(signers.debian, { organisation: 'Debian' }),
    uni: keyOf(signers.uni, { organisation: 'Uni Zurich' }),
    bsi: keyOf(signers.bsi, { organisation: 'BSI' }),
    channel: keyOf(signers.channel, { organisation: 'Acme' }),
    alice: keyOf(signers.alice),
    bob: keyOf(signers.bob),
    eve: keyOf(signers.eve),
  },
  organisations: {
    log: 'Acme',
    registrar: 'Cyberlab',
    witnesses: { north: 'North Ltd', south: 'South Ltd' },
  },
  products: [product],
  floors: { treeSize: 1000, channels: { 'acme/stable': 12 } },
};

export function bytesOf(json: unknown): Uint8Array {
  return utf8(JSON.stringify(json));
}

/** The sound policy with other members. */
export function policyWith(members: Json): Uint8Array {
  return bytesOf({ ...sound, ...members });
}

/** The sound policy with other members of its product. */
export function productWith(members: Json): Uint8Array {
  return policyWith({ products: [{ ...product, ...members }] });
}
