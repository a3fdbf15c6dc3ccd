/** A release that is logged and proven by our own code: the files that a client gets, and keys to make others with. */
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { leafIndex, treeSize } from '../../src/encoding/integer.ts';
import { rfc6962 } from '../../src/merkle/hash.ts';
import { proveInclusion } from '../../src/merkle/inclusion.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';
import { formatCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote } from '../../src/note/note.ts';
import { signNote } from '../../src/note/sign.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { formatTlogProof } from '../../src/proof/tlog-proof.ts';
import { publicKeyToPem } from '../../src/signature/public-key.ts';
import { formatEnvelope, signEnvelope } from '../../src/statement/dsse.ts';
import { inTotoPayloadType } from '../../src/statement/in-toto.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import { newNoteSigner, newSigner } from '../note/new-signer.ts';
import type { Claim } from './page.ts';

const origin = 'log.example/browser';
const now = 1_790_000_000;

/** The middle one of 300 entries, under a checkpoint of the log and of two witnesses, one of each kind. */
export async function provenRelease(artifact: Uint8Array): Promise<Claim> {
  const issuer = await newSigner('ecdsa-p256');
  const sha256 = new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(artifact)));
  const payload = releaseStatement({
    purl: 'pkg:generic/acme/scanner@1.2.3',
    subjects: [{ name: 'scanner.bin', sha256 }],
  });
  const entry = formatEnvelope(await signEnvelope(inTotoPayloadType, payload, [issuer]));

  const index = leafIndex(150);
  const size = treeSize(300);
  const leaves = Array.from({ length: size }, (_, i) =>
    rfc6962.leaf(i === index ? entry : utf8(`another entry, ${i}`)),
  );
  const root = rootOfLeaves(leaves);
  const { proof: hashes } = await proveInclusion(index, size, async (nodes) =>
    nodes.map(({ level, index: at }) =>
      rootOfLeaves(leaves.slice(at * 2 ** level, (at + 1) * 2 ** level)),
    ),
  );

  const log = await newNoteSigner(origin, 0x01);
  const witnesses = [await newNoteSigner('alice', 0x04), await newNoteSigner('bob', 0x06)];
  const text = formatCheckpoint({ origin, size, root, extensions: [] });
  const note = await signNote(text, [log, ...witnesses], now);
  const proof = formatTlogProof({
    extra: entry,
    index,
    hashes,
    checkpoint: utf8(formatNote(note)),
  });

  const policy = [
    `log ${formatVkey(log.key)}`,
    ...witnesses.map(({ key }) => `witness ${key.name} ${formatVkey(key)}`),
    'group both all alice bob',
    'quorum both',
    '',
  ].join('\n');
  return {
    artifact: encodeBase64(artifact),
    proof: encodeBase64(utf8(proof)),
    policy,
    issuer: publicKeyToPem(issuer.publicKey),
  };
}
