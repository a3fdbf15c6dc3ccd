import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concatBytes, utf8 } from '../../src/encoding/bytes.ts';
import { octetText } from '../../src/encoding/octet-text.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { formatNote, type SignedNote } from '../../src/note/note.ts';
import { signNote, type NoteSigner } from '../../src/note/sign.ts';
import { formatVkey, verifierKey } from '../../src/note/vkey.ts';
import { webVerifier } from '../../src/signature/web-verifier.ts';
import {
  checkCheckpoint,
  formatPolicy,
  parsePolicy,
  type CheckedCheckpoint,
} from '../../src/verify/policy.ts';
import { newNoteSigner } from '../note/new-signer.ts';

const refused = (code: ErrorCode, message = /./): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });
const vkey = ({ key }: NoteSigner): string => formatVkey(key);
const origin = 'example.com/log';
const text = `${origin}\n7\n${'A'.repeat(43)}=\n`;
const time = 1_700_000_000;

let log: NoteSigner;
let mlDsaLog: NoteSigner;
let otherLog: NoteSigner;
/** The witnesses X1 to X3 and Y1 to Y3 of the specification's example; Y3 is an ML-DSA-44 one. */
let witnesses: Record<string, NoteSigner>;
let example: string;

beforeAll(async () => {
  log = await newNoteSigner(origin, 0x01);
  mlDsaLog = await newNoteSigner(origin, 0x06);
  otherLog = await newNoteSigner('example.com/other', 0x01);
  const named = ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3'].map(
    async (name) =>
      [name, await newNoteSigner(`witness.example/${name}`, name === 'Y3' ? 0x06 : 0x04)] as const,
  );
  witnesses = Object.fromEntries(await Promise.all(named));
  const witnessLine = (name: string): string => `witness ${name} ${vkey(witnesses[name]!)}`;
  example = `log ${vkey(log)}

${['X1', 'X2', 'X3'].map(witnessLine).join('\n')}
group X-witnesses 2 X1 X2 X3

${['Y1', 'Y2', 'Y3'].map(witnessLine).join('\n')}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
`;
});

async function signed(...names: string[]): Promise<SignedNote> {
  return signNote(text, [log, ...names.map((name) => witnesses[name]!)], time);
}

function check(policy: string, note: SignedNote): Promise<CheckedCheckpoint> {
  return checkCheckpoint(utf8(formatNote(note)), parsePolicy(policy), nodeVerifier);
}

describe('parsePolicy', () => {
  it('reads the example of the specification', () => {
    const policy = parsePolicy(example);
    expect(policy.logs.map(({ key }) => key)).toEqual([log.key]);
    expect(policy.witnesses.map(({ name }) => name)).toEqual(Object.keys(witnesses));
    expect(policy.groups).toEqual([
      { name: 'X-witnesses', threshold: 2, members: ['X1', 'X2', 'X3'] },
      { name: 'Y-witnesses', threshold: 1, members: ['Y1', 'Y2', 'Y3'] },
      { name: 'X-and-Y', threshold: 2, members: ['X-witnesses', 'Y-witnesses'] },
    ]);
    expect(policy.quorum).toBe('X-and-Y');
  });

  it('takes comments, white space, URLs, and an unfinished last line', () => {
    const policy =
      parsePolicy(`# a comment, é\n \t # another\n\n\t log\t ${vkey(log)}  https://log.example/ \n
quorum none\nwitness #1 ${vkey(witnesses.X1!)} https://w.example/#x`);
    expect(policy.logs).toEqual([{ key: log.key, url: 'https://log.example/' }]);
    expect(policy.witnesses).toMatchObject([{ name: '#1', url: 'https://w.example/#x' }]);
    expect(policy.quorum).toBe('none');
  });

  it('keeps names as octets', () => {
    const line = (name: Uint8Array, signer: NoteSigner): Uint8Array =>
      concatBytes(utf8('witness '), name, utf8(` ${vkey(signer)}\n`));
    const kelvin = utf8('\u212a');
    const latin = Uint8Array.of(0xe9);
    const bytes = concatBytes(
      line(utf8('K'), witnesses.X1!),
      line(kelvin, witnesses.X2!),
      line(latin, witnesses.X3!),
      line(utf8('é'), witnesses.Y1!),
      utf8('group g all K \u212a '),
      latin,
      utf8(' é\nquorum g\n'),
    );
    const policy = parsePolicy(bytes);
    expect(policy.groups[0]?.members).toEqual(['K', '\u212a', octetText(latin), 'é']);
    expect(new Set(policy.witnesses.map(({ name }) => name)).size).toBe(4);
    expect(parsePolicy(formatPolicy(policy))).toEqual(policy);
  });

  it('reads back what formatPolicy writes', async () => {
    const policy = parsePolicy(`log ${vkey(mlDsaLog)}\n${example}`);
    expect(parsePolicy(formatPolicy(policy))).toEqual(policy);
    const withUrl = { ...policy, logs: [{ key: log.key, url: 'https://log.example/é' }] };
    expect(parsePolicy(formatPolicy(withUrl))).toEqual(withUrl);
  });

  it('takes at least 32 logs, witnesses and groups', async () => {
    const numbers = Array.from({ length: 32 }, (_, i) => i);
    const lines = await Promise.all(
      numbers.map(async (i) => {
        const newLog = await newNoteSigner(`log${i}`, 0x01);
        const witness = await newNoteSigner(`w${i}`, 0x04);
        return `log ${vkey(newLog)}\nwitness w${i} ${vkey(witness)}\ngroup g${i} any w${i}\n`;
      }),
    );
    const all = `group all all ${numbers.map((i) => `g${i}`).join(' ')}\nquorum all\n`;
    expect(parsePolicy(lines.join('') + all).groups).toHaveLength(33);
  });

  it.each<[string, () => string, RegExp]>([
    ['no quorum', () => `log ${vkey(log)}\n`, /no quorum line/],
    ['nothing', () => '', /no quorum line/],
    ['two quorums', () => 'quorum none\nquorum none\n', /line 2: .*second/],
    ['a quorum of an unknown name', () => 'quorum X\n', /line 1: "X" is no witness or group/],
    ['a quorum of a later name', () => `quorum X\nwitness X ${vkey(witnesses.X1!)}\n`, /line 1/],
    ['a quorum of two names', () => 'quorum none none\n', /line 1: want "quorum/],
    ['an unknown keyword', () => '\n\nlogs x\n', /line 3: "logs" is none of/],
    ['a keyword in capitals', () => 'LOG x\n', /line 1/],
    ['a carriage return', () => 'quorum none\r\n', /line 1: octet 13/],
    ['a form feed', () => '#\f\nquorum none\n', /line 1: octet 12/],
    ['a delete character', () => '#\x7f\nquorum none\n', /line 1: octet 127/],
    ['a log without a key', () => 'log\n', /line 1: want "log/],
    ['a log with two URLs', () => `log ${vkey(log)} a b\n`, /line 1: want "log/],
    ['a comment after a line', () => 'quorum none # none\n', /line 1: want "quorum/],
    ['a witness without a key', () => 'witness X\n', /line 1: want "witness/],
    ['a malformed key', () => 'log example.com/foo\n', /line 1: malformed vkey/],
    ['a cosignature key as log', () => `log ${vkey(witnesses.X1!)}\n`, /type 4, want 1 or 6/],
    ['a log key as witness', () => `witness X ${vkey(log)}\n`, /type 1, want 4 or 6/],
    ['one log twice', () => `log ${vkey(log)}\nlog ${vkey(log)} u\n`, /line 2: .*there already/],
    [
      'one log under two names',
      () => `log ${vkey(log)}\nlog ${formatVkey(verifierKey('b', 0x01, log.key.key))}\n`,
      /line 2: the public key of b/,
    ],
    [
      'one witness under two names',
      () => {
        const { key } = witnesses.X1!;
        return `witness a ${formatVkey(key)}\nwitness b ${formatVkey(verifierKey('b', 0x04, key.key))}\n`;
      },
      /line 2: the public key of b/,
    ],
    [
      'one name for two witnesses',
      () => `witness X ${vkey(witnesses.X1!)}\nwitness X ${vkey(witnesses.X2!)}\n`,
      /line 2: "X" is defined already/,
    ],
    [
      'a group with the name of a witness',
      () => example + 'group X1 any Y-witnesses\n',
      /"X1" is defined/,
    ],
    ['a witness called none', () => `witness none ${vkey(witnesses.X1!)}\n`, /"none"/],
    ['a group called none', () => `witness X ${vkey(witnesses.X1!)}\ngroup none any X\n`, /"none"/],
    ['none as a member', () => 'group g any none\n', /"none" is no witness/],
    ['a group without members', () => 'group g any\n', /line 1: want "group/],
    ['a group in itself', () => 'group g any g\n', /"g" is no witness/],
    [
      'a member in two groups',
      () => example + 'group h any X1\n',
      /"X1" is a member of a group already/,
    ],
    [
      'a group in two groups',
      () => example + 'group h any X-witnesses\n',
      /"X-witnesses" is a member/,
    ],
    [
      'a member twice',
      () => `witness X ${vkey(witnesses.X1!)}\ngroup h 2 X X\n`,
      /"X" is a member/,
    ],
    [
      'a threshold of 0',
      () => `witness X ${vkey(witnesses.X1!)}\ngroup h 0 X\n`,
      /threshold is 0, want 1 to 1/,
    ],
    [
      'a threshold over its members',
      () => `witness X ${vkey(witnesses.X1!)}\ngroup h 2 X\n`,
      /is 2, want 1 to 1/,
    ],
    ['a threshold with a zero', () => `witness X ${vkey(witnesses.X1!)}\ngroup h 01 X\n`, /"01"/],
    [
      'a threshold of no number',
      () => `witness X ${vkey(witnesses.X1!)}\ngroup h most X\n`,
      /"most"/,
    ],
  ])('refuses a policy with %s', (_, policy, message) => {
    expect(() => parsePolicy(policy())).toThrow(refused('bad-policy', message));
  });

  it('refuses a key whose name is not UTF-8, and a huge policy', () => {
    const bytes = concatBytes(utf8('log '), Uint8Array.of(0xe9), utf8(`${vkey(log)}\n`));
    expect(() => parsePolicy(bytes)).toThrow(refused('bad-policy', /not UTF-8/));
    expect(() => parsePolicy(new Uint8Array(2 ** 20 + 1))).toThrow(refused('bad-policy', /bytes/));
  });
});

describe('checkCheckpoint', () => {
  it.each([nodeVerifier, webVerifier])(
    'accepts what the quorum of the example cosigned',
    async (verifier) => {
      const note = utf8(formatNote(await signed('Y3', 'X1', 'X3')));
      const checked = await checkCheckpoint(note, parsePolicy(example), verifier);
      expect(checked.checkpoint).toMatchObject({ origin, size: 7 });
      expect(checked.log).toEqual(log.key);
      expect(checked.quorum).toBe('X-and-Y');
      expect(checked.cosignatures).toEqual(
        ['X1', 'X3', 'Y3'].map((name) => ({ name, key: witnesses[name]!.key, timestamp: time })),
      );
    },
  );

  it('reaches the quorum exactly when two X and one Y cosigned', async () => {
    const all = await signed(...Object.keys(witnesses));
    await fc.assert(
      fc.asyncProperty(fc.subarray(Object.keys(witnesses)), async (names) => {
        const chosen = new Set([origin, ...names.map((name) => `witness.example/${name}`)]);
        const note = { text, signatures: all.signatures.filter(({ name }) => chosen.has(name)) };
        const count = (letter: string): number =>
          names.filter((name) => name.startsWith(letter)).length;
        const result = check(example, note);
        if (count('X') >= 2 && count('Y') >= 1) {
          expect((await result).cosignatures.map(({ name }) => name)).toEqual(names);
        } else {
          await expect(result).rejects.toEqual(
            refused('quorum-missing', /"X-and-Y" is not reached/),
          );
        }
      }),
    );
  });

  it('takes a single witness, or none, as the quorum', async () => {
    const lines = `log ${vkey(log)}\nwitness X1 ${vkey(witnesses.X1!)}\n`;
    await expect(check(`${lines}quorum X1\n`, await signed('X1'))).resolves.toBeDefined();
    await expect(check(`${lines}quorum X1\n`, await signed())).rejects.toEqual(
      refused('quorum-missing', /no witness/),
    );
    await expect(check(`${lines}quorum none\n`, await signed())).resolves.toMatchObject({
      cosignatures: [],
      quorum: 'none',
    });
  });

  it('refuses the checkpoint when one known signature fails, needed or not', async () => {
    const note = await signed('X1', 'X2', 'Y1', 'Y2');
    for (const i of [0, 1, 4]) {
      const signatures = note.signatures.map((line, at) => {
        const signature = line.signature.slice();
        if (at === i) signature[signature.length - 40]! ^= 1;
        return { ...line, signature };
      });
      await expect(check(example, { text, signatures })).rejects.toEqual(
        refused('signature-invalid'),
      );
    }
  });

  it('refuses a checkpoint without its log', async () => {
    const note = await signNote(text, [witnesses.X1!, witnesses.X2!, witnesses.Y1!], time);
    await expect(check(example, note)).rejects.toEqual(refused('untrusted-checkpoint'));
    await expect(check('quorum none\n', await signed())).rejects.toEqual(
      refused('untrusted-checkpoint'),
    );
  });

  it('refuses a checkpoint that a trusted log signed for another origin', async () => {
    const policy = `log ${vkey(log)}\nlog ${vkey(otherLog)}\nquorum none\n`;
    const note = await signNote(text, [otherLog]);
    await expect(check(policy, note)).rejects.toEqual(
      refused('untrusted-checkpoint', /example.com\/log/),
    );
  });

  it('takes either key of a log, and extension lines only from the one that covers them', async () => {
    const extended = `${text}extension\n`;
    const policy = `log ${vkey(mlDsaLog)}\nlog ${vkey(log)}\nquorum none\n`;
    const both = await check(policy, await signNote(extended, [mlDsaLog, log], time));
    expect(both.log).toEqual(log.key);
    expect(both.checkpoint.extensions).toEqual(['extension']);
    const one = await check(policy, await signNote(extended, [mlDsaLog], time));
    expect(one.log).toEqual(mlDsaLog.key);
    expect(one.checkpoint.extensions).toEqual([]);
  });

  it('counts no cosignature without a time', async () => {
    const { key, signer } = witnesses.Y3!;
    const zero = new Uint8Array(8);
    const message = concatBytes(
      utf8('subtree/v1\n\0'),
      Uint8Array.of(utf8(key.name).length),
      utf8(key.name),
      zero,
      Uint8Array.of(origin.length),
      utf8(origin),
      zero,
      Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 7),
      new Uint8Array(32),
    );
    const signature = concatBytes(zero, await signer.sign(message));
    const { signatures } = await signed();
    const note = {
      text,
      signatures: [...signatures, { name: key.name, keyId: key.keyId, signature }],
    };
    const policy = `log ${vkey(log)}\nwitness Y3 ${vkey(witnesses.Y3!)}\n`;
    await expect(check(`${policy}quorum none\n`, note)).resolves.toMatchObject({
      cosignatures: [],
    });
    await expect(check(`${policy}quorum Y3\n`, note)).rejects.toEqual(refused('quorum-missing'));
  });

  it('refuses what is no note or no checkpoint', async () => {
    const policy = parsePolicy(example);
    await expect(checkCheckpoint(utf8('text'), policy, nodeVerifier)).rejects.toEqual(
      refused('bad-note'),
    );
    await expect(check(example, await signNote('text\n', [log]))).rejects.toEqual(
      refused('bad-checkpoint'),
    );
  });
});
