/** What the benches log: 300 random bytes, or real signed statements of about 1 KB. */
import { randomBytes, randomFillSync } from 'node:crypto';
import { generateKey, signerFromPem } from '../src/keys/node-signer.ts';
import { readKeyFile } from '../src/keys/key-file.ts';
import { dataFiles } from '../src/log/data-directory.ts';
import type { Log } from '../src/log/log.ts';
import type { Signer } from '../src/signature/port.ts';
import { formatEnvelope, signEnvelope } from '../src/statement/dsse.ts';
import { inTotoPayloadType } from '../src/statement/in-toto.ts';
import { issuerStatement } from '../src/statement/issuer.ts';
import { releaseStatement } from '../src/statement/release.ts';

export const RAW_BYTES = 300;

/** All different, cheaply: one random block, and a counter in each. */
export function rawEntries(count: number, label: number): Uint8Array[] {
  const block = randomBytes(count * RAW_BYTES);
  return Array.from({ length: count }, (_, i) => {
    const entry = block.subarray(i * RAW_BYTES, (i + 1) * RAW_BYTES);
    entry.writeDoubleBE(label + i);
    return entry;
  });
}

export async function newIssuer(): Promise<Signer> {
  return signerFromPem(await generateKey('ed25519'));
}

/** A release statement in its envelope, about 1 KB as real ones are. */
export async function signedRelease(issuer: Signer, serial: number): Promise<Uint8Array> {
  const digest = randomFillSync(new Uint8Array(32));
  const payload = releaseStatement({
    purl: `pkg:generic/acme/scanner@1.0.${serial}`,
    subjects: [
      { name: `scanner-1.0.${serial}-linux-amd64.tar.gz`, sha256: digest },
      {
        name: `scanner-1.0.${serial}-windows-amd64.zip`,
        sha256: randomFillSync(new Uint8Array(32)),
      },
    ],
    kind: 'build',
    source: 'git+https://git.acme.example/scanner@0123456789abcdef0123456789abcdef01234567',
    builder: 'https://ci.acme.example/builders/release',
  });
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [issuer]));
}

/** Copies of an entry that differ in eight of their bytes. */
export function numbered(entry: Uint8Array, count: number, label: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => {
    const copy = Buffer.from(entry);
    copy.writeDoubleBE(label + i, copy.length >> 1);
    return copy;
  });
}

export async function signedReleases(issuer: Signer, count: number): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = [];
  for (let i = 0; i < count; i++) entries.push(await signedRelease(issuer, i));
  return entries;
}

/** Admits `issuer` to the log in `directory` for all of pkg:generic/acme and its channels. */
export async function admissionEntry(
  log: Pick<Log, 'origin' | 'admission'>,
  directory: string,
  issuer: Signer,
): Promise<Uint8Array> {
  const registrar = await readKeyFile(dataFiles(directory).registrarKey);
  const payload = issuerStatement({
    origin: log.origin,
    sequence: log.admission.nextSequence,
    action: 'admit',
    name: 'acme',
    key: issuer.publicKey,
    roles: ['release', 'channel'],
    purls: ['pkg:generic/acme/*', 'pkg:channel/acme/*'],
  });
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [registrar]));
}
