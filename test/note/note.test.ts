import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import {
  formatNote,
  MAX_NOTE_BYTES,
  MAX_SIGNATURES,
  openNote,
  parseNote,
} from '../../src/note/note.ts';
import { signNote } from '../../src/note/sign.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { webVerifier } from '../../src/signature/web-verifier.ts';
import { newNoteSigner } from './new-signer.ts';

/** Both from the specification. */
const quasimodo = `Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
`;
const fooKey = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
const fooNote = `This is an example message.

— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=
`;

const refused = (code: ErrorCode, message = /./): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });
const line = (name: string, bytes: Uint8Array): string => `— ${name} ${encodeBase64(bytes)}\n`;
const someSignature = Uint8Array.of(0, 0, 0, 1, 9);

describe('parseNote', () => {
  it('splits at the last empty line', () => {
    const note = parseNote(quasimodo);
    expect(note.text).toBe(quasimodo.slice(0, quasimodo.indexOf('\n—')));
    expect(note.text).toContain('\n\ned è');
    expect(note.signatures).toMatchObject([
      { name: 'quasimodo.example/salvatore', keyId: 0x367ba04b },
    ]);
    expect(note.signatures[0]?.signature).toHaveLength(64);
    expect(parseNote(utf8(quasimodo))).toEqual(note);
    expect(formatNote(note)).toBe(quasimodo);
  });

  it('reads back any note that formatNote writes', () => {
    const character = fc.constantFrom(...'ab—+\n\n /é\u2028');
    const name = fc.string({ unit: fc.constantFrom(...'ab.-/—é'), minLength: 1, maxLength: 8 });
    const signature = fc.record({
      name,
      keyId: fc.nat(0xffffffff),
      signature: fc.uint8Array({ minLength: 1, maxLength: 80 }),
    });
    fc.assert(
      fc.property(
        fc.string({ unit: character, maxLength: 40 }),
        fc.uniqueArray(signature, { minLength: 1, maxLength: 20, selector: ({ name }) => name }),
        (text, signatures) => {
          const note = { text: `${text}\n`, signatures };
          expect(parseNote(formatNote(note))).toEqual(note);
        },
      ),
    );
  });

  it('never crashes: a changed note is read as another, or refused', () => {
    const pieces = fc.constantFrom(
      '\n',
      '\n\n',
      '— ',
      '—',
      ' ',
      'a',
      '+',
      '=',
      'AAAAAQk=',
      'é',
      '\r',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 12 }), (parts) => {
        const text = parts.join('');
        let note;
        try {
          note = parseNote(text);
        } catch (error) {
          expect(error).toEqual(refused('bad-note'));
          return;
        }
        expect(formatNote(note)).toBe(text);
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['no signature', 'text\n'],
    ['no empty line', `text\n${line('a', someSignature)}`],
    ['no text', `\n${line('a', someSignature)}`],
    ['nothing after the empty line', 'text\n\n'],
    ['no last newline', `text\n\n${line('a', someSignature)}`.slice(0, -1)],
    ['a hyphen for the dash', 'text\n\n- a AAAAAQk=\n'],
    ['two spaces', 'text\n\n— a  AAAAAQk=\n'],
    ['an empty name', 'text\n\n—  AAAAAQk=\n'],
    ['a plus in the name', 'text\n\n— a+b AAAAAQk=\n'],
    ['a no-break space in the name', 'text\n\n— a\u00a0b AAAAAQk=\n'],
    ['a next-line character in the name', 'text\n\n— a\u0085b AAAAAQk=\n'],
    ['no padding', 'text\n\n— a AAAAAQk\n'],
    ['stray bits in the base64', 'text\n\n— a AAAAAQl=\n'],
    ['URL-safe base64', 'text\n\n— a AAAAAf-_\n'],
    ['no bytes after the key ID', 'text\n\n— a AAAAAQ==\n'],
    ['a carriage return', `text\r\n\n${line('a', someSignature)}`],
    ['a tab', `te\txt\n\n${line('a', someSignature)}`],
    ['a zero', `te\0xt\n\n${line('a', someSignature)}`],
    ['two lines of one name and key ID', `text\n\n${line('a', someSignature).repeat(2)}`],
  ])('refuses a note with %s', (_, text) => {
    expect(() => parseNote(text)).toThrow(refused('bad-note'));
  });

  it('takes 64 signatures and a long text, and no more', () => {
    const lines = (count: number): string =>
      Array.from({ length: count }, (_, i) => line(`key${i}`, someSignature)).join('');
    expect(parseNote(`text\n\n${lines(MAX_SIGNATURES)}`).signatures).toHaveLength(64);
    expect(() => parseNote(`text\n\n${lines(MAX_SIGNATURES + 1)}`)).toThrow(
      refused('bad-note', /65 signatures, want 1 to 64/),
    );
    expect(() => parseNote('a'.repeat(MAX_NOTE_BYTES + 1))).toThrow(refused('bad-note', /bytes/));
    expect(() => parseNote('é'.repeat(MAX_NOTE_BYTES - 1))).toThrow(refused('bad-note', /bytes/));
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => parseNote(Uint8Array.of(0xff, 0x0a))).toThrow(refused('bad-encoding'));
  });
});

describe('formatNote', () => {
  const signature = { name: 'a', keyId: 1, signature: Uint8Array.of(9) };

  it.each([
    ['a text without its newline', { text: 'a\n\n— b AAAAAQk=', signatures: [signature] }],
    ['no signatures', { text: 'a\n', signatures: [] }],
    ['a name with a line break', { text: 'a\n', signatures: [{ ...signature, name: 'a\n— b' }] }],
    [
      'an empty signature',
      { text: 'a\n', signatures: [{ ...signature, signature: new Uint8Array() }] },
    ],
    ['one signer twice', { text: 'a\n', signatures: [signature, signature] }],
  ])('refuses %s', (_, note) => {
    expect(() => formatNote(note)).toThrow(refused('bad-note'));
  });
});

describe('openNote', () => {
  it('verifies the example of the specification, with each verifier', async () => {
    const key = parseVkey(fooKey);
    for (const verifier of [nodeVerifier, webVerifier]) {
      const opened = await openNote(parseNote(fooNote), [key], verifier);
      expect(opened).toMatchObject([{ key }]);
      expect(opened[0]).not.toHaveProperty('timestamp');
    }
  });

  it('verifies the checkpoints of a foreign log', async () => {
    const key = parseVkey(
      'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx',
    );
    for (let size = 0; size <= 15; size++) {
      const note = parseNote(readFileSync(`test/vectors/tessera-log/checkpoint.${size}`));
      await expect(openNote(note, [key], nodeVerifier)).resolves.toHaveLength(1);
      expect(parseCheckpoint(note.text)).toMatchObject({ origin: key.name, size });
    }
  });

  it('verifies what a foreign log signed with ML-DSA-44 and without a time', async () => {
    const read = (name: string): string => readFileSync(`test/vectors/torchwood/${name}`, 'utf8');
    const key = parseVkey(read('mldsa-log.vkey').trim());
    const note = parseNote(read('mldsa-log.checkpoint'));
    for (const verifier of [nodeVerifier, webVerifier]) {
      const [opened] = await openNote(note, [key], verifier);
      expect(opened?.key).toBe(key);
      expect(opened).not.toHaveProperty('timestamp');
    }
  });

  it('ignores unknown keys, even when they share the name or the ID of a known one', async () => {
    const { name, keyId, key } = parseVkey(fooKey);
    const wrong = Uint8Array.of(1);
    const { text, signatures } = parseNote(fooNote);
    const note = {
      text,
      signatures: [
        { name, keyId: keyId + 1, signature: wrong },
        { name: 'example.com/bar', keyId, signature: wrong },
        ...signatures,
      ],
    };
    const opened = await openNote(note, [parseVkey(fooKey)], nodeVerifier);
    expect(opened.map((signature) => signature.key.key)).toEqual([key]);
  });

  it('refuses a note without a known key', async () => {
    const { key } = await newNoteSigner('example.com/foo', 0x01);
    for (const keys of [[], [key]]) {
      await expect(openNote(parseNote(fooNote), keys, nodeVerifier)).rejects.toEqual(
        refused('untrusted-checkpoint'),
      );
    }
  });

  it("refuses the whole note when one known key's signature fails", async () => {
    const [good, bad] = [await newNoteSigner('good', 0x01), await newNoteSigner('bad', 0x01)];
    const { text, signatures } = await signNote('a text\n', [good, bad]);
    const broken = signatures[1]!.signature.slice();
    broken[0]! ^= 1;
    const note = { text, signatures: [signatures[0]!, { ...signatures[1]!, signature: broken }] };
    await expect(openNote(note, [good.key], nodeVerifier)).resolves.toHaveLength(1);
    await expect(openNote(note, [good.key, bad.key], nodeVerifier)).rejects.toEqual(
      refused('signature-invalid', /known key bad/),
    );
  });

  it('takes a key that is listed twice, but no two keys with one name and ID', async () => {
    const key = parseVkey(fooKey);
    await expect(openNote(parseNote(fooNote), [key, key], nodeVerifier)).resolves.toHaveLength(1);
    const other = { ...(await newNoteSigner(key.name, 0x01)).key, keyId: key.keyId };
    await expect(openNote(parseNote(fooNote), [key, other], nodeVerifier)).rejects.toEqual(
      refused('bad-key'),
    );
  });
});
