import { beforeAll, expect, test } from 'vitest';
import { decodeUtf8, utf8 } from '../../src/encoding/bytes.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { formatAccusation, isAccusation, verifyAccusation } from '../../src/verify/accusation.ts';
import { parseHead, type NotedHead } from '../../src/verify/signed-head.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';

type Json = Record<string, unknown>;

let log: MemoryLog;
let [known, head]: NotedHead[] = [];
let good: Json;
beforeAll(async () => {
  log = await MemoryLog.create(numbered(30));
  [known, head] = [parseHead(await log.note(20)), parseHead(await log.note(30))];
  const { origin } = log;
  const bytes = formatAccusation({ origin, head, known, reason: `because${'.'.repeat(3000)}` });
  good = JSON.parse(decodeUtf8(bytes)) as Json;
});

const verify = (change: Json, log_ = log): ReturnType<typeof verifyAccusation> =>
  verifyAccusation(utf8(JSON.stringify({ ...good, ...change })), [log_.signer.key], nodeVerifier);

test('says what the log has to explain, in a bounded file', async () => {
  expect(await verify({})).toMatchObject({ head: { size: 30 }, known: { size: 20 } });
  expect((good['reason'] as string).length).toBe(2000);
});

test('is void without signatures of the log', async () => {
  const other = await MemoryLog.create(numbered(3));
  await expect(verify({}, other)).rejects.toMatchObject({ code: 'not-convicted' });
});

test.each<[string, () => Json, RegExp]>([
  ['another type', () => ({ type: 'urn:daybook:evidence:v1' }), /its type is not/],
  ['a member more', () => ({ proof: [] }), /unknown member "proof"/],
  ['a head that is no text', () => ({ head: 5 }), /want strings/],
  ['a head that is no note', () => ({ head: 'x' }), /empty line/],
  ['another origin', () => ({ origin: 'a' }), /not of its origin/],
  ['a head that could be judged', () => ({ head: good['known'] }), /could be judged/],
])('is none with %s', async (_, change, message) => {
  await expect(verify(change())).rejects.toMatchObject({
    code: 'bad-evidence',
    message: expect.stringMatching(message) as string,
  });
});

test('is told from evidence and from rubbish', () => {
  const told = [good, { ...good, type: 'x' }, null, []].map((json) =>
    isAccusation(utf8(JSON.stringify(json))),
  );
  expect([...told, isAccusation(utf8('{'))]).toEqual([true, false, false, false, false]);
});
