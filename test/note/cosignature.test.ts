import { describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../src/encoding/bytes.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote, openNote, parseNote } from '../../src/note/note.ts';
import { signNote } from '../../src/note/sign.ts';
import { pureVerifier } from '../../src/signature/pure-verifier.ts';
import { newNoteSigner, newSigner } from './new-signer.ts';

/** From the specification, with its time. */
const text = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
`;
const time = 1679315147;
const refused = (code: ErrorCode): unknown => expect.objectContaining({ code });

function uint64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

describe('Ed25519 cosignatures', () => {
  it('sign the header, the time and the whole text', async () => {
    const witness = await newNoteSigner('witness.example.com/w1', 0x04);
    const extended = `${text}extension\n`;
    const { signatures } = await signNote(extended, [witness], time);
    const { signature } = signatures[0]!;
    expect(signature).toHaveLength(8 + 64);
    expect(signature.subarray(0, 8)).toEqual(uint64(BigInt(time)));
    const message = utf8(`cosignature/v1\ntime 1679315147\n${extended}`);
    const { key } = witness.key;
    expect(await nodeVerifier.verify(key, message, signature.subarray(8))).toBe(true);
  });

  it('are read from the example of the specification', () => {
    const note = parseNote(`${text}
— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`);
    expect(note.signatures.map(({ keyId }) => keyId)).toEqual([0x033de0ae, 0x8d66cf3f]);
    expect(note.signatures[1]!.signature.subarray(0, 8)).toEqual(uint64(BigInt(time)));
  });
});

describe('ML-DSA-44 cosignatures', () => {
  it('sign the cosigned_message structure, without extension lines', async () => {
    const witness = await newNoteSigner('witness.example.com/é', 0x06);
    const { signatures } = await signNote(`${text}extension\n`, [witness], time);
    const { signature } = signatures[0]!;
    expect(signature).toHaveLength(8 + 2420);
    const name = utf8('witness.example.com/é');
    const origin = utf8('example.com/behind-the-sofa');
    const message = concatBytes(
      utf8('subtree/v1\n\0'),
      Uint8Array.of(name.length),
      name,
      uint64(BigInt(time)),
      Uint8Array.of(origin.length),
      origin,
      uint64(0n),
      uint64(20852163n),
      parseCheckpoint(text).root,
    );
    for (const verifier of [nodeVerifier, pureVerifier]) {
      expect(await verifier.verify(witness.key.key, message, signature.subarray(8))).toBe(true);
    }
    const note = { text, signatures };
    await expect(openNote(note, [witness.key], nodeVerifier)).resolves.toHaveLength(1);
  });

  it('refuse an origin over 255 bytes', async () => {
    const witness = await newNoteSigner('w', 0x06);
    const long = text.replace('example.com/behind-the-sofa', 'o'.repeat(256));
    await expect(signNote(long, [witness], time)).rejects.toEqual(refused('bad-checkpoint'));
  });
});

describe('signNote and openNote', () => {
  it('agree for every type of key, in the order given', async () => {
    const keys = await Promise.all(
      ([0x01, 0x04, 0x06] as const).map((type) => newNoteSigner('example.com/key', type)),
    );
    const note = parseNote(formatNote(await signNote(text, keys, time)));
    const opened = await openNote(
      note,
      keys.map(({ key }) => key),
      nodeVerifier,
    );
    expect(opened.map(({ key, timestamp }) => [key.type, timestamp])).toEqual([
      [0x01, undefined],
      [0x04, time],
      [0x06, time],
    ]);
    const changed = { ...note, text: text.replace('20852163', '20852164') };
    for (const { key } of keys) {
      await expect(openNote(changed, [key], nodeVerifier)).rejects.toEqual(
        refused('signature-invalid'),
      );
    }
  });

  it.each([0x04, 0x06] as const)('want a checkpoint and a real time for type %i', async (type) => {
    const key = await newNoteSigner('w', type);
    await expect(signNote('no checkpoint\n', [key], time)).rejects.toEqual(
      refused('bad-checkpoint'),
    );
    for (const wrong of [undefined, 0, -1, 1.5, 2 ** 53, Number.NaN]) {
      await expect(signNote(text, [key], wrong)).rejects.toEqual(refused('bad-integer'));
    }
  });

  it.each([0x04, 0x06] as const)('refuse a changed or unusable time for type %i', async (type) => {
    const key = await newNoteSigner('w', type);
    const { signatures } = await signNote(text, [key], time);
    const { signature } = signatures[0]!;
    for (const stamp of [BigInt(time) + 1n, 0n, 2n ** 53n, 2n ** 63n]) {
      const changed = concatBytes(uint64(stamp), signature.subarray(8));
      const note = { text, signatures: [{ ...signatures[0]!, signature: changed }] };
      await expect(openNote(note, [key.key], nodeVerifier)).rejects.toEqual(
        refused('signature-invalid'),
      );
    }
    for (const length of [1, 7, 8, 9]) {
      const cut = { ...signatures[0]!, signature: signature.subarray(0, length) };
      await expect(openNote({ text, signatures: [cut] }, [key.key], nodeVerifier)).rejects.toEqual(
        refused('signature-invalid'),
      );
    }
  });

  it('refuse a time of 0 with Ed25519, even when it is signed', async () => {
    const witness = await newNoteSigner('w', 0x04);
    const bare = await witness.signer.sign(utf8(`cosignature/v1\ntime 0\n${text}`));
    const { name, keyId } = witness.key;
    const note = { text, signatures: [{ name, keyId, signature: concatBytes(uint64(0n), bare) }] };
    await expect(openNote(note, [witness.key], nodeVerifier)).rejects.toEqual(
      refused('signature-invalid'),
    );
  });

  it('refuse a signer that holds another key', async () => {
    const { key } = await newNoteSigner('w', 0x01);
    const signer = await newSigner('ed25519');
    await expect(signNote('text\n', [{ key, signer }])).rejects.toEqual(refused('bad-key'));
  });
});
