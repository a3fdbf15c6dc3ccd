import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { asHash } from '../../src/merkle/hash.ts';
import { formatNote, MAX_NOTE_BYTES, parseNote } from '../../src/note/note.ts';
import { signNote, type NoteSigner } from '../../src/note/sign.ts';
import { isAccusation } from '../../src/verify/accusation.ts';
import { convict, formatEvidence, MAX_EVIDENCE_BYTES } from '../../src/verify/evidence.ts';
import { parseEvidence, verifyEvidence, type Conviction } from '../../src/verify/evidence.ts';
import { parsePolicy } from '../../src/verify/policy.ts';
import { parseHead } from '../../src/verify/signed-head.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner } from '../note/new-signer.ts';

type Json = Record<string, unknown>;

const most = 40;
let honest: MemoryLog;
let second: NoteSigner;
let witness: NoteSigner;
let quantum: NoteSigner;
let other: NoteSigner;
beforeAll(async () => {
  honest = await MemoryLog.create(numbered(most));
  [second, witness, quantum, other] = await Promise.all([
    newNoteSigner('log.example', 0x06),
    newNoteSigner('w.example', 0x04),
    newNoteSigner('w.example', 0x06),
    newNoteSigner('other.example', 0x04),
  ]);
});

/** The log with other entries from `at` on. */
function forked(at: number): MemoryLog {
  return honest.fork(at, ...numbered(most - at).map((entry) => Uint8Array.of(...entry, 1)));
}

interface Branch {
  readonly log: MemoryLog;
  readonly size: number;
  readonly signers?: readonly NoteSigner[];
}

/** What convicts the heads of two branches, read from the tree of the larger one. */
async function evidenceOf(a: Branch, b: Branch): Promise<Uint8Array | undefined> {
  const [first, later] = await Promise.all(
    [a, b].map(async ({ log, size, signers }) => parseHead(await log.note(size, signers))),
  );
  return convict(first!, later!, (a.size > b.size ? a : b).log.read);
}

function verify(
  evidence: Uint8Array,
  logs = [honest.signer],
  witnesses = [witness],
): Promise<Conviction> {
  const [logKeys, witnessKeys] = [logs, witnesses].map((signers) => signers.map(({ key }) => key));
  return verifyEvidence(evidence, { logKeys: logKeys!, witnessKeys: witnessKeys! }, nodeVerifier);
}

const size = (least = 0): fc.Arbitrary<number> => fc.integer({ min: least, max: most });

describe('evidence', () => {
  test('convicts exactly the heads that do not continue each other', async () => {
    await fc.assert(
      fc.asyncProperty(size(), size(), size(), async (at, m, n) => {
        const evidence = await evidenceOf({ log: honest, size: m }, { log: forked(at), size: n });
        // Up to the fork both branches are one tree.
        expect(evidence !== undefined).toBe(Math.min(m, n) > at);
        if (evidence === undefined) return;
        expect(await verify(evidence)).toMatchObject({
          origin: 'log.example',
          kind: m === n ? 'same-size' : 'inconsistent',
          sizes: [Math.min(m, n), Math.max(m, n)],
          convictedWitnesses: [],
        });
        expect(formatEvidence(parseEvidence(evidence))).toEqual(evidence);
      }),
      { numRuns: 60 },
    );
  });

  test('never convicts an honest log, whatever proof is made up', async () => {
    const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(asHash);
    await fc.assert(
      fc.asyncProperty(
        size(),
        size(1),
        fc.array(hash, { maxLength: 7 }),
        hash,
        async (a, b, proof, root) => {
          const [m, n] = a < b ? [a, b] : [b - 1, Math.max(a, b)];
          const [smaller, larger] = await Promise.all(
            [m, n].map(async (of) => parseHead(await honest.note(of))),
          );
          const heads = { origin: 'log.example', smaller: smaller!, larger: larger! };
          await expect(verify(formatEvidence({ ...heads, root, proof }))).rejects.toMatchObject({
            code: 'not-convicted',
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  test('convicts a log that signed another root than the one of an empty tree', async () => {
    const wrong = parseHead(await honest.note(0, undefined, asHash(new Uint8Array(32))));
    const empty = parseHead(await honest.note(0));
    const five = parseHead(await honest.note(5));
    expect(await convict(empty, five, honest.read)).toBeUndefined();
    const evidence = (await convict(five, wrong, honest.read))!;
    expect(await verify(evidence)).toMatchObject({ kind: 'inconsistent', sizes: [0, 5] });
    expect(await verify((await convict(wrong, empty, honest.read))!)).toMatchObject({
      kind: 'same-size',
      sizes: [0, 0],
    });
  });

  test('joins heads that were signed by different keys of the log', async () => {
    const evidence = (await evidenceOf(
      { log: honest, size: 30 },
      { log: forked(8), size: 20, signers: [second] },
    ))!;
    expect(await verify(evidence, [honest.signer, second])).toMatchObject({ sizes: [20, 30] });
    await expect(verify(evidence)).rejects.toMatchObject({
      code: 'not-convicted',
      message: expect.stringContaining("is not signed by any of log.example's keys") as string,
    });
  });

  test('holds a log to one key though the signature of its other key is broken', async () => {
    const { text, signatures } = parseNote(await forked(8).note(20, [second, honest.signer]));
    const broken = signatures.map((line) =>
      line.keyId === second.key.keyId ? { ...line, signature: new Uint8Array(2428) } : line,
    );
    const head = parseHead(utf8(formatNote({ text, signatures: broken })));
    const evidence = (await convict(head, parseHead(await honest.note(20)), honest.read))!;
    expect(await verify(evidence, [second, honest.signer])).toMatchObject({ kind: 'same-size' });
  });

  test.each([
    ['by one key', () => [witness], () => [witness], ['w.example']],
    ['by two keys of one name', () => [witness], () => [quantum], ['w.example']],
    ['only one of them', () => [witness], () => [], []],
    ['nobody both', () => [witness], () => [other], []],
  ])('convicts a witness who cosigned both branches: %s', async (_, first, then, convicted) => {
    const evidence = (await evidenceOf(
      { log: honest, size: 30, signers: [honest.signer, ...first()] },
      { log: forked(8), size: 20, signers: [honest.signer, ...then()] },
    ))!;
    const all = [witness, quantum, other];
    expect((await verify(evidence, [honest.signer], all)).convictedWitnesses).toEqual(convicted);
    expect((await verify(evidence, [honest.signer], [other])).convictedWitnesses).toEqual([]);
  });

  test('does not convict a witness by a cosignature that does not verify', async () => {
    const signed = await honest.note(30, [honest.signer, witness]);
    const { text } = parseNote(await forked(8).note(30));
    const { signatures } = await signNote(text, [honest.signer]);
    const moved = parseNote(signed).signatures.filter(({ name }) => name === 'w.example');
    const claimed = parseHead(utf8(formatNote({ text, signatures: [...signatures, ...moved] })));
    const evidence = (await convict(claimed, parseHead(signed), honest.read))!;
    expect(await verify(evidence)).toMatchObject({ kind: 'same-size', convictedWitnesses: [] });
  });

  test('refuses to compare logs, and tiles that are not of the larger head', async () => {
    const [small, large] = [parseHead(await honest.note(20)), parseHead(await honest.note(30))];
    const foreign = await MemoryLog.create(numbered(3), 'foreign.example');
    await expect(
      convict(small, parseHead(await foreign.note()), honest.read),
    ).rejects.toMatchObject({ code: 'bad-usage' });
    await expect(convict(small, large, forked(8).read)).rejects.toMatchObject({
      code: 'consistency-invalid',
    });
  });

  test('has room for the longest notes', async () => {
    const text = (end: string): string => `log.example\n0\n${'A'.repeat(43)}=\n${end}\n`;
    const long = text('"'.repeat(MAX_NOTE_BYTES - 300));
    const heads = await Promise.all(
      [long, text('x')].map(async (of) =>
        parseHead(utf8(formatNote(await signNote(of, [honest.signer])))),
      ),
    );
    const [longest] = heads;
    const bytes = formatEvidence({ origin: 'log.example', smaller: longest!, larger: longest! });
    expect(bytes.length).toBeLessThan(MAX_EVIDENCE_BYTES);
    expect(parseEvidence(bytes).larger.size).toBe(0);
  });
});

describe('hostile evidence', () => {
  let good: Json;
  beforeAll(async () => {
    const evidence = await evidenceOf({ log: honest, size: 30 }, { log: forked(8), size: 20 });
    good = JSON.parse(decodeUtf8(evidence!)) as Json;
  });
  const bytesOf = (change: Json): Uint8Array => utf8(JSON.stringify({ ...good, ...change }));

  test.each<[string, () => Uint8Array, string, RegExp]>([
    ['nothing', () => new Uint8Array(0), 'bad-evidence', /not JSON/],
    ['null', () => utf8('null'), 'bad-evidence', /type is absent/],
    ['a list', () => utf8('[]'), 'bad-evidence', /type is absent/],
    ['no UTF-8', () => Uint8Array.of(0xff), 'bad-evidence', /not valid UTF-8/],
    ['too much', () => new Uint8Array(MAX_EVIDENCE_BYTES + 1), 'bad-evidence', /at most/],
    ['another type', () => bytesOf({ type: 'urn:x' }), 'bad-evidence', /want urn:daybook:evidence/],
    [
      'an accusation',
      () => bytesOf({ type: 'urn:daybook:accusation:v1' }),
      'bad-evidence',
      /accusation/,
    ],
    ['a member more', () => bytesOf({ note: 'x' }), 'bad-evidence', /unknown member "note"/],
    ['a member twice', () => utf8(`{"type":"a","type":"b"}`), 'bad-evidence', /occurs twice/],
    ['another origin', () => bytesOf({ origin: 'a' }), 'bad-evidence', /but the evidence of "a"/],
    ['no note', () => bytesOf({ smaller: 'a' }), 'bad-evidence', /empty line/],
    ['a number as note', () => bytesOf({ larger: 5 }), 'bad-evidence', /want a string/],
    [
      'the heads exchanged',
      () => bytesOf({ smaller: good['larger'], larger: good['smaller'] }),
      'bad-evidence',
      /size 30, the larger 20/,
    ],
    ['no proof', () => bytesOf({ proof: undefined }), 'bad-evidence', /different sizes/],
    ['no root', () => bytesOf({ root: undefined }), 'bad-evidence', /different sizes/],
    [
      'a proof of one size',
      () => bytesOf({ larger: good['smaller'] }),
      'bad-evidence',
      /different sizes/,
    ],
    ['a proof that is no list', () => bytesOf({ proof: 'AA==' }), 'bad-evidence', /want an array/],
    [
      'a long proof',
      () => bytesOf({ proof: Array(65).fill(good['root']) }),
      'bad-evidence',
      /at most 64/,
    ],
    ['a short hash', () => bytesOf({ proof: ['AA=='] }), 'bad-evidence', /hash has 1 bytes/],
    ['a root that is none', () => bytesOf({ root: 'A' }), 'bad-evidence', /base64/],
    ['a nested proof', () => bytesOf({ proof: [['AA==']] }), 'bad-evidence', /nested/],
    ['a shorter proof', () => bytesOf({ proof: [] }), 'not-convicted', /proof has 0 hashes/],
    [
      'one head twice',
      () => bytesOf({ larger: good['smaller'], root: undefined, proof: undefined }),
      'not-convicted',
      /same root/,
    ],
  ])('refuses %s', async (_, bytes, code, message) => {
    await expect(verify(bytes())).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  test('refuses it without a key of the log', async () => {
    await expect(verify(bytesOf({}), [other])).rejects.toMatchObject({
      code: 'not-convicted',
      message: expect.stringMatching(/none of the 1 keys given is one of the log/) as string,
    });
  });

  test('gives one answer to whatever else it may be', () => {
    const value = fc.jsonValue({ maxDepth: 2 });
    const members = ['type', 'origin', 'smaller', 'larger', 'root', 'proof'];
    const changed = fc
      .dictionary(fc.constantFrom(...members), value)
      .map((change) => bytesOf(change));
    const bytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(utf8), changed);
    fc.assert(
      fc.property(bytes, (input) => {
        try {
          parseEvidence(input);
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad-evidence' });
        }
        isAccusation(input);
      }),
    );
  });

  test('convicts by nothing else when any single character is changed', async () => {
    const whole = JSON.stringify(good);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(whole.length - 1),
        fc.constantFrom(...'aA0+"\\ 5'),
        async (at, to) => {
          if (whole[at] === to) return;
          const changed = utf8(whole.slice(0, at) + to + whole.slice(at + 1));
          await expect(verify(changed)).rejects.toMatchObject({
            code: expect.stringMatching(/^(bad-evidence|not-convicted)$/) as string,
          });
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** Of what there is nothing to sign with anew: for other implementations too. */
describe('the published files', () => {
  const folder = 'test/vectors/daybook-evidence';
  const read = (name: string): Uint8Array => new Uint8Array(readFileSync(`${folder}/${name}`));
  const expected = JSON.parse(decodeUtf8(read('expected.json'))) as Record<string, Json>;
  const { logs, witnesses } = parsePolicy(read('log.policy'));
  const keys = {
    logKeys: logs.map(({ key }) => key),
    witnessKeys: witnesses.map(({ key }) => key),
  };

  test.each(Object.entries(expected))('%s', async (name, { code, ...conviction }) => {
    const judged = verifyEvidence(read(name), keys);
    if (code === null) expect(await judged).toMatchObject(conviction);
    else await expect(judged).rejects.toMatchObject({ code });
  });

  test('docs/formats.md shows one of them', () => {
    const sample = JSON.parse(decodeUtf8(read('inconsistent.json'))) as Record<string, string>;
    const formats = readFileSync('docs/formats.md', 'utf8');
    for (const member of ['smaller', 'larger', 'root'] as const) {
      const start = JSON.stringify(sample[member]!.split('— ')[0]).slice(0, -1);
      expect(formats).toContain(`"${member}": ${start}`);
    }
  });
});
