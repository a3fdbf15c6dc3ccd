/** A log as static files, of so many entries that no server could verify them in the time of a bench. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { leafIndex } from '../src/encoding/integer.ts';
import { nodeTreeHasher as hasher } from '../src/keys/node-hasher.ts';
import { encodeBundle } from '../src/merkle/bundle.ts';
import { GrowingTree } from '../src/merkle/growing-tree.ts';
import { bundlePath, TILE_WIDTH, tilePath, tileWidth } from '../src/merkle/tile.ts';
import { formatCheckpoint } from '../src/note/checkpoint.ts';
import { formatNote } from '../src/note/note.ts';
import { signNote } from '../src/note/sign.ts';
import { formatVkey, verifierKey } from '../src/note/vkey.ts';
import type { Signer } from '../src/signature/port.ts';
import { formatEnvelope, signEnvelope } from '../src/statement/dsse.ts';
import { genesisStatement } from '../src/statement/genesis.ts';
import { inTotoPayloadType } from '../src/statement/in-toto.ts';
import { issuerStatement } from '../src/statement/issuer.ts';
import { newIssuer, signedRelease } from './samples.ts';

const origin = 'log.example/bench';

/** Writes the log's files; gives its vkey. With `signed`, every signature of its releases is right. */
export async function writeStaticLog(
  directory: string,
  size: number,
  { signed }: { readonly signed: boolean },
): Promise<string> {
  const [logSigner, registrar, issuer] = [await newIssuer(), await newIssuer(), await newIssuer()];
  const key = verifierKey(origin, 0x01, logSigner.publicKey);
  const tree = GrowingTree.empty(hasher);
  const write = (path: string, bytes: Uint8Array | string): void => {
    const file = join(directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, bytes);
  };
  const template = await signedRelease(issuer, 0);
  for (let index = 0; index * TILE_WIDTH < size; index++) {
    const width = tileWidth(0, index, size);
    const entries: Uint8Array[] = [];
    for (let i = index * TILE_WIDTH; entries.length < width; i++) {
      if (i === 0) entries.push(await genesis(formatVkey(key), registrar));
      else if (i === 1) entries.push(await admission(registrar, issuer));
      else entries.push(signed ? await signedRelease(issuer, i) : copy(template, i));
    }
    write(bundlePath(index, width), encodeBundle(entries));
    for (const tile of tree.append(entries.map((entry) => hasher.leaf(entry)))) {
      write(tilePath({ ...tile, width: TILE_WIDTH }), tile.hashes);
    }
  }
  for (let level = 0, rest = size; rest > 0; level++, rest = Math.floor(rest / TILE_WIDTH)) {
    const width = rest % TILE_WIDTH;
    if (width === 0) continue;
    const tile = { level, index: leafIndex(Math.floor(rest / TILE_WIDTH)), width };
    write(tilePath(tile), tree.partialTile(level));
  }
  const text = formatCheckpoint({ origin, size: tree.size, root: tree.root(), extensions: [] });
  write('checkpoint', formatNote(await signNote(text, [{ key, signer: logSigner }])));
  return formatVkey(key);
}

async function genesis(vkey: string, registrar: Signer): Promise<Uint8Array> {
  const payload = genesisStatement({
    origin,
    logKeys: [vkey],
    admission: 'issuers',
    registrar: { threshold: 1, keys: [registrar.publicKey] },
  });
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [registrar]));
}

async function admission(registrar: Signer, issuer: Signer): Promise<Uint8Array> {
  const payload = issuerStatement({
    origin,
    sequence: 1,
    action: 'admit',
    name: 'acme',
    key: issuer.publicKey,
    roles: ['release'],
    purls: ['pkg:generic/acme/*'],
  });
  return formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [registrar]));
}

/** The release of another artifact, under a signature that is not its own. */
function copy(template: Uint8Array, index: number): Uint8Array {
  const envelope = JSON.parse(Buffer.from(template).toString()) as { payload: string };
  const digest = createHash('sha256').update(String(index)).digest('hex');
  const payload = Buffer.from(envelope.payload, 'base64')
    .toString()
    .replace(/[0-9a-f]{64}/, digest)
    .replaceAll('1.0.0', `1.0.${index}`);
  return Buffer.from(
    JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString('base64') }),
  );
}
