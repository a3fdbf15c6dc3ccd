/** What runs in the page: the public entry of the core, and a tree that is built, proven and verified there. */
import { decodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import { verifyConsistency, proveConsistency } from '../../src/merkle/consistency.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { proveInclusion, verifyInclusion } from '../../src/merkle/inclusion.ts';
import type { ReadHashes } from '../../src/merkle/node.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';
import {
  parsePolicy,
  publicKeyFromPem,
  verifyProof,
  type Verdict,
} from '../../src/verify/index.ts';

/** Strings only: it travels from the test into the page. */
export interface Claim {
  readonly artifact: string;
  readonly proof: string;
  readonly policy: string;
  readonly issuer: string;
}

/** `artifact` and `proof` are base64. */
export async function judge({ artifact, proof, policy, issuer }: Claim): Promise<Verdict> {
  const bytes = Uint8Array.from(decodeBase64(artifact));
  const sha256 = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return verifyProof({
    artifact: { sha256 },
    proof: decodeBase64(proof),
    policy: parsePolicy(policy),
    issuers: [publicKeyFromPem(issuer)],
  });
}

/** Root, in hex, of a tree of `size` leaves, all of whose proofs verified. */
export async function growTree(size: number): Promise<string> {
  const leaves = Array.from({ length: size }, (_, index) => rfc6962.leaf(utf8(`entry ${index}`)));
  const read: ReadHashes = async (nodes) =>
    nodes.map(({ level, index }) =>
      rootOfLeaves(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)),
    );
  const root = rootOfLeaves(leaves);
  for (const [index, leafHash] of leaves.entries()) {
    verifyInclusion({
      index,
      size,
      leafHash,
      proof: (await proveInclusion(index, size, read)).proof,
      root,
    });
    const from = index + 1;
    const fromRoot = rootOfLeaves(leaves.slice(0, from));
    const proof = await proveConsistency(from, size, read);
    verifyConsistency({ from, to: size, fromRoot, toRoot: root, proof });
  }
  return encodeHex(root);
}

Object.assign(globalThis, { judge, growTree });
