/**
 * The policies of test/vectors/tlog-policy, read by us and by two parsers in Go: the same ones are
 * read, and the same cosignatures reach their quorums. Where a peer reads one otherwise, it is named
 * here, so that this test also notices when the peer changes; docs/interop.md says what that means.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { DaybookError } from '../../src/errors.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { formatNote, parseNote } from '../../src/note/note.ts';
import { checkCheckpoint, parsePolicy } from '../../src/verify/policy.ts';
import { BUILD_MS, buildGo, hasGo, run } from './go.ts';

const vectors = join(import.meta.dirname, '../vectors/tlog-policy');
const policies = (kind: 'valid' | 'refused'): string[] =>
  readdirSync(join(vectors, kind)).map((file) => basename(file, '.policy'));
const octets = (kind: 'valid' | 'refused', name: string): Uint8Array =>
  readFileSync(join(vectors, kind, `${name}.policy`));
/** The smallest sets of cosigners that reach the quorum of each valid policy. */
const quorums = JSON.parse(readFileSync(join(vectors, 'expected.json'), 'utf8')) as Record<
  string,
  string[][]
>;

const { text, signatures } = parseNote(readFileSync(join(vectors, 'checkpoint')));
const cosigner = (name: string): string | undefined => /^witness\.example\/(.*)/.exec(name)?.[1];
const witnesses = signatures.flatMap(({ name }) => cosigner(name) ?? []);

/** All sets of witnesses. */
const subsets = witnesses.reduce<string[][]>(
  (sets, witness) => [...sets, ...sets.map((set) => [...set, witness])],
  [[]],
);
const notes = subsets.map((subset) =>
  utf8(
    formatNote({
      text,
      signatures: signatures.filter(({ name }) => {
        const witness = cosigner(name);
        return witness === undefined || subset.includes(witness);
      }),
    }),
  ),
);

function expected(name: string): boolean[] {
  return subsets.map((subset) =>
    quorums[name]!.some((needed) => needed.every((witness) => subset.includes(witness))),
  );
}

describe('our reading', () => {
  test('there are results for all valid policies', () => {
    expect(Object.keys(quorums).toSorted()).toEqual(policies('valid').toSorted());
    expect(witnesses).toHaveLength(6);
  });

  test.each(policies('valid'))('%s', async (name) => {
    const policy = parsePolicy(octets('valid', name));
    const reached = await Promise.all(
      notes.map((note) =>
        checkCheckpoint(note, policy, nodeVerifier).then(
          () => true,
          (error: unknown) => {
            if (error instanceof DaybookError && error.code === 'quorum-missing') return false;
            throw error;
          },
        ),
      ),
    );
    expect(reached).toEqual(expected(name));
  });

  test.each(policies('refused'))('refuses %s', (name) => {
    expect(() => parsePolicy(octets('refused', name))).toThrow(
      expect.objectContaining({ code: 'bad-policy' }),
    );
  });
});

type Peer = 'torchwood' | 'tessera';
type Reading = Record<Peer, { error?: string; satisfied: boolean[] | null }>;
/** How a peer can read a policy otherwise than its specification. */
type Otherwise = 'accepted' | 'refused' | 'another quorum';

const otherwise: Record<Peer, Record<Otherwise, readonly string[]>> = {
  torchwood: {
    refused: [
      // It knows Ed25519 only.
      'ml-dsa-44-log',
      'ml-dsa-44-witness',
      'specification-example',
      'specification-example-without-urls',
      'two-keys-of-one-log',
      // It ends a line at any #, and an item at any Unicode space.
      'next-line-character-in-a-name',
      'no-break-space-in-a-name',
      'number-signs-in-names-and-urls',
    ],
    // It wants all of the logs to have signed, not one.
    'another quorum': ['two-logs'],
    accepted: [
      'carriage-returns',
      'comment-behind-a-line',
      'delete-in-a-comment',
      'escape-in-a-name',
      'form-feed',
      'nul-in-a-comment',
      'group-called-none',
      'witness-called-none',
      'group-in-two-groups',
      'member-of-two-groups',
      'member-twice',
      'one-log-twice',
      'one-log-under-two-names',
      'one-witness-twice',
      'one-witness-under-two-key-names',
      'quorum-before-its-witness',
      'quorum-of-two-names',
      'log-with-two-urls',
      'witness-with-two-urls',
      'threshold-with-a-leading-zero',
      'threshold-with-a-plus',
    ],
  },
  tessera: {
    refused: [
      'keywords-as-names',
      'next-line-character-in-a-name',
      'no-break-space-in-a-name',
      'number-signs-in-names-and-urls',
      // As the log's side it wants to know where each witness is.
      'specification-example-without-urls',
    ],
    'another quorum': [],
    accepted: [
      'carriage-returns',
      'comment-behind-a-line',
      'delete-in-a-comment',
      'escape-in-a-name',
      'form-feed',
      'nul-in-a-comment',
      // With these, fewer cosignatures than the policy seems to ask for are enough.
      'group-all-without-members',
      'threshold-0',
      'member-twice',
      'group-in-two-groups',
      'member-of-two-groups',
      'two-quorums',
      'the-same-quorum-twice',
      'one-witness-twice',
      'one-witness-under-two-key-names',
      'quorum-before-its-witness',
      'threshold-with-a-leading-zero',
      // It computes key IDs anew, and takes a log's key for a cosigner's.
      'key-id-of-another-key',
      'key-id-of-another-name',
      'witness-with-a-log-key',
      // It skips log lines.
      'log-with-a-cosigner-key',
      'log-with-a-malformed-key',
      'log-with-two-urls',
      'log-without-a-key',
      'one-log-twice',
      'one-log-under-two-names',
    ],
  },
};

function howOtherwise(peer: Peer, name: string): Otherwise | undefined {
  const kinds = ['accepted', 'refused', 'another quorum'] as const;
  return kinds.find((kind) => otherwise[peer][kind].includes(name));
}

describe.skipIf(!hasGo())('Go reads policies as we do', () => {
  const directory = mkdtempSync(join(tmpdir(), 'daybook-policies-'));
  const readings = new Map<string, Reading>();
  const all = (['valid', 'refused'] as const).flatMap((kind) =>
    policies(kind).map((name) => ({ kind, name })),
  );

  beforeAll(async () => {
    const program = await buildGo('./policies', directory);
    const questions = all.map(({ kind, name }) => ({
      policy: encodeBase64(octets(kind, name)),
      checkpoints: kind === 'valid' ? notes.map(encodeBase64) : [],
    }));
    const answers = JSON.parse(await run(program, [], JSON.stringify(questions))) as Reading[];
    answers.forEach((answer, i) => readings.set(all[i]!.name, answer));
  }, BUILD_MS);

  afterAll(() => rmSync(directory, { recursive: true }));

  function seen({ kind, name }: (typeof all)[number], peer: Peer): Otherwise | undefined {
    const { error, satisfied } = readings.get(name)![peer];
    if (kind === 'refused') return error === undefined ? 'accepted' : undefined;
    if (error !== undefined) return 'refused';
    return JSON.stringify(satisfied) === JSON.stringify(expected(name))
      ? undefined
      : 'another quorum';
  }

  test.each(all)('$kind $name', (policy) => {
    for (const peer of ['torchwood', 'tessera'] as const) {
      expect(seen(policy, peer), `${peer}: ${readings.get(policy.name)![peer].error}`).toBe(
        howOtherwise(peer, policy.name),
      );
    }
  });
});
