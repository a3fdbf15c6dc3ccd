import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatVkey } from '../../src/note/vkey.ts';
import type { NoteSigner } from '../../src/note/sign.ts';
import { formatAccusation } from '../../src/verify/accusation.ts';
import { convict } from '../../src/verify/evidence.ts';
import { parseHead } from '../../src/verify/signed-head.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { released, type Released } from '../verify/released.ts';
import { daybook, removeDirectory, temporaryDirectory } from './daybook.ts';

let directory: string;
let log: MemoryLog;
let witness: NoteSigner;
beforeAll(async () => {
  directory = await temporaryDirectory();
  log = await MemoryLog.create(numbered(30));
  witness = await newNoteSigner('w.example', 0x04);
  const forked = log.fork(8, ...numbered(22, 'other'));
  const signers = [log.signer, witness];
  const small = parseHead(await forked.note(20, signers));
  const large = parseHead(await log.note(30, signers));
  const write = (name: string, bytes: Uint8Array | string): Promise<void> =>
    writeFile(join(directory, name), bytes);
  await write('evidence.json', (await convict(small, large, log.read))!);
  const { origin } = log;
  await write(
    'accusation.json',
    formatAccusation({ origin, head: large, known: small, reason: 'its tiles are not there' }),
  );
  await write('nothing.json', '{}');
  await write(
    'policy',
    `log ${log.vkey}\nwitness w ${formatVkey(witness.key)} http://w.example/\nquorum w\n`,
  );
});
afterAll(() => removeDirectory(directory));

const verify = (...args: readonly string[]): ReturnType<typeof daybook> =>
  daybook(directory, 'evidence', 'verify', ...args);

describe('daybook evidence verify', () => {
  test('says whom a policy convicts', async () => {
    const { exit, stdout } = await verify('evidence.json', '--policy', 'policy');
    expect(exit).toBe(0);
    expect(stdout.split('\n')).toEqual([
      'CONVICTED  the log log.example signed two trees, the larger of which does not continue the smaller',
      expect.stringMatching(/^ {2}size 20, root [0-9a-f]{64}$/),
      expect.stringMatching(/^ {2}size 30, root [0-9a-f]{64}$/),
      'CONVICTED  the witness w.example cosigned both',
      '',
    ]);
  });

  test('prints JSON', async () => {
    const given = ['--vkey', log.vkey, '--witness', formatVkey(witness.key), '--json'];
    const convicted = await verify('evidence.json', ...given);
    expect(convicted.exit).toBe(0);
    expect(JSON.parse(convicted.stdout)).toMatchObject({
      convicted: true,
      code: null,
      exit: 0,
      origin: 'log.example',
      kind: 'inconsistent',
      sizes: [20, 30],
      convictedWitnesses: ['w.example'],
    });
    const refused = await verify('nothing.json', ...given);
    expect(refused.exit).toBe(40);
    expect(JSON.parse(refused.stdout)).toMatchObject({ convicted: false, code: 'bad-evidence' });
  });

  test.each([
    ['nothing.json', 40, /its type is absent/],
    ['accusation.json', 41, /this is an accusation, not evidence: .*\(its tiles are not there\)/],
    ['missing.json', 3, /no such file/],
  ])('gives %s its exit code: %i', async (file, code, message) => {
    const { exit, stdout, stderr } = await verify(file, '--policy', 'policy');
    expect(exit).toBe(code);
    expect(stderr).toMatch(message);
    expect(stdout).toBe('');
  });

  test('convicts nobody by the keys of another log, and wants some', async () => {
    const other = await newNoteSigner('log.example', 0x01);
    const { exit, stderr } = await verify('evidence.json', '--vkey', formatVkey(other.key));
    expect(exit).toBe(41);
    expect(stderr).toMatch(/not signed by any of log.example's keys given/);
    expect((await verify('evidence.json')).exit).toBe(2);
    expect((await verify('evidence.json', '--vkey', 'x')).exit).toBe(2);
  });
});

describe('daybook verify --report', () => {
  let release: Released;
  beforeAll(async () => {
    release = await released();
    await writeFile(join(directory, 'scanner.tlog-proof'), release.request.proof);
    await writeFile(join(directory, 'release.policy'), 'quorum none\n');
    await writeFile(join(directory, 'scanner'), 'not what was released');
  });

  /** A monitor that answers so; gives what was sent to it. */
  async function reported(status: number, verdict: string): Promise<readonly [string[], string]> {
    const sent: string[] = [];
    const server = createServer((req, res) => {
      let body = '';
      req.on('data', (chunk: Buffer) => (body += chunk.toString()));
      req.on('end', () => {
        sent.push(`${req.method} ${req.url} ${body}`);
        res.writeHead(status, { 'content-type': 'application/json' });
        res.end(JSON.stringify({ verdict }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/monitor`;
    const keys = ['--policy', 'release.policy', '--issuer', 'issuer.pub'];
    const { exit, stderr } = await daybook(
      directory,
      'verify',
      'scanner',
      ...keys,
      '--report',
      url,
    );
    server.close();
    server.closeAllConnections();
    // The verdict is what it was: there is no key of the issuer.
    expect(exit).toBe(3);
    return [sent, stderr];
  }

  test('shows the checkpoint to a monitor, whatever the verdict was', async () => {
    const [sent, stderr] = await reported(200, 'consistent');
    expect(sent).toHaveLength(1);
    expect(sent[0]).toMatch(/^POST \/monitor\/gossip\/checkpoint log\.example\n300\n/);
    expect(stderr).not.toMatch(/ATTENTION|could not/);
  });

  test('tells when the monitor convicts the log', async () => {
    const [, stderr] = await reported(200, 'convicted');
    expect(stderr).toMatch(/ATTENTION .* convicts its log/);
  });

  test('changes nothing when the monitor is of no use', async () => {
    const [, stderr] = await reported(404, '');
    expect(stderr).toMatch(/could not be reported to http:\/\/127/);
  });
});

test('a command that is shown a fork keeps the evidence', async () => {
  let shown = log;
  const server = createServer((req, res) => {
    void shown
      .fetch(`http://log.invalid${req.url}`)
      .then(async (answer) => res.writeHead(answer.status).end(await answer.bytes()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const bundle = (): ReturnType<typeof daybook> =>
    daybook(directory, 'bundle', 'policy', '--log', url, '--vkey', log.vkey, '--state', 'seen');
  // Nothing is logged about the file, but the checkpoint is remembered.
  expect((await bundle()).stderr).toMatch(/not-found/);
  shown = log.fork(8, ...numbered(30, 'other'));
  const { exit, stderr } = await bundle();
  server.close();
  server.closeAllConnections();
  expect(exit).toBe(15);
  const [, file = ''] = /Evidence that convicts the log: (\S+)\. /.exec(stderr) ?? [];
  expect((await verify(file, '--vkey', log.vkey)).exit).toBe(0);
});
