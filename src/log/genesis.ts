/** The first entry of a log, and the admission state that its entries lead to. */
import { hash } from 'node:crypto';
import { DaybookError } from '../errors.ts';
import { utf8 } from '../encoding/bytes.ts';
import { leafIndex, treeSize, type LeafIndex } from '../encoding/integer.ts';
import type { TreeHasher } from '../merkle/hash.ts';
import { rootOfLeaves } from '../merkle/root.ts';
import { formatVkey, type VerifierKey } from '../note/vkey.ts';
import type { Signer, SignatureVerifier } from '../signature/port.ts';
import {
  advance,
  examine,
  openGenesis,
  type AdmissionMode,
  type AdmissionState,
} from '../statement/admission.ts';
import { formatEnvelope, signEnvelope } from '../statement/dsse.ts';
import { genesisStatement } from '../statement/genesis.ts';
import { inTotoPayloadType } from '../statement/in-toto.ts';
import type { Store } from '../store/store.ts';

/** Under this artifact digest, SHA-256 of the origin, all admission entries are found. */
export function admissionDigest(origin: string): Uint8Array {
  return hash('sha256', utf8(origin), 'buffer');
}

export async function writeGenesis(
  store: Store,
  genesis: {
    /** The keys of the log, named by its origin. */
    readonly logKeys: readonly VerifierKey[];
    readonly admission: AdmissionMode;
    readonly registrar: Signer;
  },
  hasher: TreeHasher,
): Promise<void> {
  const { logKeys, admission, registrar } = genesis;
  const { name: origin } = logKeys[0] as VerifierKey;
  const payload = genesisStatement({
    origin,
    logKeys: logKeys.map(formatVkey),
    admission,
    registrar: { threshold: 1, keys: [registrar.publicKey] },
  });
  const entry = formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [registrar]));
  await appendGenesis(store, entry, origin, hasher);
}

/** Makes `entry`, which is a genesis entry, the first of an empty store. */
export async function appendGenesis(
  store: Store,
  entry: Uint8Array,
  origin: string,
  hasher: TreeHasher,
): Promise<void> {
  const leafHash = hasher.leaf(entry);
  const index = leafIndex(0);
  await store.append({
    expectedSize: treeSize(0),
    entries: [entry],
    tiles: [],
    keys: [
      { kind: 'leaf', digest: leafHash, index },
      { kind: 'artifact', digest: admissionDigest(origin), index },
    ],
    root: rootOfLeaves([leafHash], hasher),
  });
}

/** Replays the admission entries. Throws `store-corrupt` when one of them is not valid. */
export async function loadAdmission(
  store: Store,
  verifier: SignatureVerifier,
): Promise<AdmissionState> {
  const [genesis] = await store.readEntries(leafIndex(0), 1);
  let state = await openGenesis(genesis as Uint8Array, verifier);
  if (state.mode === 'open') return state;
  const digest = admissionDigest(state.origin);
  let from = leafIndex(1);
  for (;;) {
    const indexes = await store.list('artifact', digest, from, 1000);
    for (const index of indexes) state = await replay(store, state, index, verifier);
    const last = indexes.at(-1);
    if (last === undefined) return state;
    from = leafIndex(last + 1);
  }
}

async function replay(
  store: Store,
  state: AdmissionState,
  index: LeafIndex,
  verifier: SignatureVerifier,
): Promise<AdmissionState> {
  const [entry] = await store.readEntries(index, 1);
  try {
    const { claim } = await examine(state, entry as Uint8Array, verifier);
    return advance(state, claim);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DaybookError('store-corrupt', `admission entry ${index} is not valid: ${reason}`, {
      cause,
    });
  }
}
