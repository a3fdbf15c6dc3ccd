/** A monitor's config: what is taken, and what is refused with the member that is wrong. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { DaybookError } from '../../src/errors.ts';
import { parseMonitorConfig, type MonitorConfig } from '../../src/monitor/config.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { logKey, newSigner, origin } from '../statement/parties.ts';

const witness = formatVkey((await newNoteSigner('w1.example', 0x04)).key);
const otherLog = formatVkey((await newNoteSigner('other.example', 0x01)).key);
const { publicKey } = await newSigner();
const spki = encodeBase64(publicKey.spki);
const url = 'https://log.acme.example';
const least = { data: 'state', logs: [{ vkeys: [logKey], url }] };

function parse(json: unknown): MonitorConfig {
  return parseMonitorConfig(utf8(JSON.stringify(json)), '/etc/daybook/monitor.json');
}

function refusal(json: unknown): string {
  try {
    parse(json);
  } catch (error) {
    if (error instanceof DaybookError && error.code === 'bad-usage') return error.message;
    throw error;
  }
  return 'taken';
}

test('the least config, and its defaults', () => {
  const config = parse(least);
  expect(config).toMatchObject({
    data: '/etc/daybook/state',
    listen: undefined,
    rules: [],
    alerts: { webhooks: [] },
    gossip: undefined,
    pollSeconds: 10,
    cosign: false,
  });
  expect(config.logs[0]).toMatchObject({
    origin,
    url,
    mirrors: [],
    cosigned: false,
    quietBelow: 0,
  });
  expect(config.logs[0]?.policy.quorum).toBe('none');
});

test('keys of each type, of logs and of witnesses', async () => {
  const mlDsa = formatVkey((await newNoteSigner(origin, 0x06)).key);
  const other = formatVkey((await newNoteSigner('w2.example', 0x06)).key);
  const witnesses = [witness, other].map((vkey) => ({ vkey, url: 'https://w.example' }));
  const { logs, gossip } = parse({
    ...least,
    logs: [{ vkeys: [logKey, mlDsa], url }],
    gossip: { witnesses },
  });
  expect(logs[0]?.policy.logs.map(({ key }) => formatVkey(key))).toEqual([logKey, mlDsa]);
  expect(gossip?.witnesses.map(({ key }) => formatVkey(key))).toEqual([witness, other]);
});

test('a config with everything', () => {
  const policy = [`log ${logKey}`, `witness w1 ${witness} https://w1.example`, 'quorum w1'];
  const config = parse({
    ...least,
    $schema: 'monitor.schema.json',
    listen: { port: 8090 },
    logs: [{ policy, url, mirrors: ['https://mirror.example/x'], cosigned: true, quietBelow: 9 }],
    keys: { release: spki },
    rules: [
      {
        rule: 'unexpected-release',
        purls: ['pkg:generic/acme/*'],
        keys: ['release'],
        released: 'r',
      },
      { rule: 'missing-cosigner', witnesses: ['w1'], after: '1h', logs: [origin] },
      {
        rule: 'unconfirmed',
        name: 'slow',
        after: '2d',
        approvals: { threshold: 1, keys: ['release'] },
      },
    ],
    alerts: { webhooks: [{ url: 'https://hooks.example/x?y=1', secretFile: 'hook.secret' }] },
    gossip: {
      peers: [{ name: 'uni', url: 'https://uni.example' }],
      witnesses: [{ vkey: witness, url: 'https://w1.example' }],
    },
    cosign: true,
  });
  expect(config.listen).toEqual({ host: '127.0.0.1', port: 8090 });
  expect(config.rules[0]).toMatchObject({
    name: 'unexpected-release',
    severity: 'critical',
    keys: new Set([publicKey.fingerprint]),
    released: '/etc/daybook/r',
  });
  expect(config.rules[1]).toMatchObject({ after: 3600, logs: new Set([origin]) });
  expect(config.rules[2]).toMatchObject({ name: 'slow', after: 172_800, rebuilds: undefined });
  expect(config.alerts.webhooks[0]?.secretFile).toBe('/etc/daybook/hook.secret');
  expect(config.gossip).toMatchObject({
    intervalSeconds: 60,
    acceptReports: false,
    accuseAfter: 3600,
    witnesses: [{ key: { name: 'w1.example' }, url: 'https://w1.example' }],
  });
});

describe('refused', () => {
  const withRule = (rule: object): object => ({ ...least, keys: { k: spki }, rules: [rule] });
  const withLog = (log: object): object => ({ ...least, logs: [log] });
  const after = '1h';
  const cases: readonly (readonly [string, unknown, string])[] = [
    ['no object', [], 'the file'],
    ['an unknown member', { ...least, poll: 1 }, '"poll"'],
    ['no logs', { ...least, logs: [] }, 'logs'],
    ['a log without keys', withLog({ url }), 'logs.0: want either vkeys or policy'],
    ['a malformed vkey', withLog({ vkeys: ['x'], url }), 'logs.0: malformed vkey'],
    ['logs of two origins', withLog({ vkeys: [logKey, otherLog], url }), 'want one origin'],
    ['a policy without quorum', withLog({ policy: [`log ${logKey}`], url }), 'no quorum line'],
    [
      'one log twice',
      { ...least, logs: [...least.logs, ...least.logs] },
      `${origin} is there twice`,
    ],
    ['a URL of another kind', withLog({ vkeys: [logKey], url: 'ftp://x' }), 'logs.0.url'],
    [
      'a URL with a password',
      withLog({ vkeys: [logKey], url: 'https://a:b@c' }),
      'user or password',
    ],
    ['a malformed key', { ...least, keys: { k: 'AAAA' } }, 'keys.k'],
    ['an unknown rule', withRule({ rule: 'nothing' }), 'rules.0.rule'],
    ['an unknown member of a rule', withRule({ rule: 'withdrawal', purl: 'x' }), '"purl"'],
    ['a malformed purl', withRule({ rule: 'withdrawal', purls: ['acme'] }), 'rules.0: "acme"'],
    [
      'a key that is not there',
      withRule({ rule: 'new-issuer', known: ['x'] }),
      '"x" is not in keys',
    ],
    ['a malformed duration', withRule({ rule: 'stale-checkpoint', after: '1 h' }), 'rules.0.after'],
    [
      'a rule that wants nothing',
      withRule({ rule: 'unconfirmed', after }),
      'want rebuilds, approvals',
    ],
    [
      'a threshold above the keys',
      withRule({ rule: 'unconfirmed', after, rebuilds: { threshold: 2, keys: ['k', 'k'] } }),
      'threshold is 2, but there are 1',
    ],
    ['a malformed channel', withRule({ rule: 'channel', channels: ['Acme'] }), 'no channel name'],
    [
      'a witness that the policy lacks',
      withRule({ rule: 'missing-cosigner', witnesses: ['w1'], after }),
      '"w1" is no witness in the policy',
    ],
    [
      'a log that is not watched',
      withRule({ rule: 'withdrawal', logs: ['elsewhere'] }),
      'elsewhere is none of the logs',
    ],
    ['a name of ours', withRule({ rule: 'withdrawal', name: 'log-forked' }), 'begins with log-'],
    [
      'two rules of one name',
      { ...least, rules: [{ rule: 'withdrawal' }, { rule: 'withdrawal' }] },
      'withdrawal is there twice',
    ],
    [
      'a log key as a witness',
      { ...least, gossip: { witnesses: [{ vkey: logKey, url }] } },
      "want a witness's",
    ],
  ];
  test.each(cases)('%s', (_, json, problem) => {
    expect(refusal(json)).toContain(problem);
  });

  test('a member twice, and what is no JSON', () => {
    for (const text of ['{"data":"a","data":"b"}', '{', '\ufeff{}']) {
      expect(() => parseMonitorConfig(utf8(text), 'x.json')).toThrow(
        /monitor config x.json refused/,
      );
    }
  });

  test('whatever else stands in place of a member: as bad-usage, never otherwise', () => {
    const members = ['data', 'listen', 'logs', 'keys', 'rules', 'alerts', 'gossip', 'pollSeconds'];
    fc.assert(
      fc.property(fc.constantFrom(...members), fc.jsonValue(), (member, value) => {
        refusal({ ...least, [member]: value });
      }),
    );
  });
});
