import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gateScene, scriptText, type Scene } from './gate-scene.ts';
import { product } from './organisations.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await gateScene();
});
afterAll(() => scene.leave());

describe('a release that the policy lets through', () => {
  test('is run, with its arguments and its exit code', async () => {
    const ran = await scene.gate('tool', ['{}', 'a', 'b']);
    expect(ran).toMatchObject({ exit: 0, stdout: 'one a b\n' });
    expect(await scene.gate('tool', ['sh', '-c', 'exit 7'])).toMatchObject({ exit: 7 });
    expect(await scene.gate('tool', ['sh', '-c', 'kill -9 $$'])).toMatchObject({ exit: 137 });
    expect(await scene.gate('tool', ['no-such-command'])).toMatchObject({ exit: 127 });
  });

  test('comes last in the command where {} stands nowhere, as a copy of the same name', async () => {
    const { stdout } = await scene.gate('tool', ['echo']);
    expect(stdout).toMatch(/\/daybook-[^/]+\/tool\n$/);
    expect(stdout.trim()).not.toBe(scene.path('tool'));
  });

  test('is run as it was verified, whatever becomes of the file meanwhile', async () => {
    const swap = `printf '%s' '${scriptText('evil')}' > ${scene.path('tool')}; {}`;
    const { stdout, exit } = await scene.gate('tool', ['sh', '-c', swap]);
    expect({ stdout, exit }).toEqual({ stdout: 'one\n', exit: 0 });
    expect(await scene.gate('tool', ['{}'])).toMatchObject({ exit: 18, stdout: '' });
    await writeFile(scene.path('tool'), scriptText('one'));
  });

  test('leaves no copy behind', async () => {
    await mkdir(scene.path('work'), { recursive: true });
    await scene.gate('tool', ['{}'], '--work', 'work');
    expect(await readdir(scene.path('work'))).toEqual([]);
  });

  test('gets its command under the gate no sooner than the policy is judged', async () => {
    const { exit, stderr } = await scene.gate(
      'tool',
      ['touch', scene.path('ran')],
      '--purl',
      'pkg:generic/acme/other',
    );
    expect({ exit, says: stderr.includes('want pkg:generic/acme/other') }, stderr).toEqual({
      exit: 18,
      says: true,
    });
    expect(await readdir(scene.directory)).not.toContain('ran');
  });
});

describe('what is no file', () => {
  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['a symbolic link', () => symlink('tool', scene.path('link')), /symbolic link/],
    ['a FIFO', async () => execFileSync('sh', ['-c', `mkfifo ${scene.path('link')}`]), /a FIFO/],
    ['nothing', async () => undefined, /no such file/],
  ])('is refused: %s', async (_, make, message) => {
    await make();
    const proof = ['--proof', 'tool.release'];
    const { exit, stderr } = await scene.gate('link', ['cat'], ...proof);
    expect({ exit, says: message.test(stderr) }, stderr).toEqual({ exit: 3, says: true });
    await rm(scene.path('link'), { force: true });
  });

  test('is refused: a directory without its manifest', async () => {
    await mkdir(scene.path('dir'));
    const { exit, stderr } = await scene.gate('dir', ['ls'], '--proof', 'tool.release');
    expect({ exit, says: stderr.includes('dir.SHA256SUMS') }, stderr).toEqual({
      exit: 3,
      says: true,
    });
  });
});

test('a file of 4 GiB is judged in bounded memory', { timeout: 300_000 }, async () => {
  await writeFile(scene.path('large'), '');
  await truncate(scene.path('large'), 4 * 2 ** 30);
  // `verify` hashes it; a heap and buffers of a few hundred MB are far from 4 GiB.
  const args = [
    'verify',
    'large',
    '--policy',
    'policy.json',
    '--proof',
    'tool.release',
    '--state',
    'client',
  ];
  const limited = `ulimit -v 3000000; exec "$@"`;
  const main = `${process.cwd()}/src/cli/main.ts`;
  const run = (): unknown =>
    execFileSync('bash', ['-c', limited, 'bash', process.execPath, main, ...args], {
      cwd: scene.directory,
      stdio: 'pipe',
    });
  expect(run).toThrow(expect.objectContaining({ status: 18 }));
  await rm(scene.path('large'));
});

describe('what was seen before', () => {
  test('an older release is refused after a newer one, and the channel does not go back', async () => {
    const old = await readFile(scene.path('tool.release'));
    await writeFile(scene.path('tool2'), scriptText('two'));
    await scene.release('tool2', '2');
    expect(await scene.gate('tool2', ['sh', '{}'])).toMatchObject({ exit: 0, stdout: 'two\n' });
    await writeFile(scene.path('tool.release'), old);
    const { exit, stderr } = await scene.gate('tool', ['{}']);
    expect(exit).toBe(15);
    expect(stderr).toContain('acme/stable is shown at statement 1, but 2 was seen before');
    expect(stderr).toContain('the release of entry');
    await scene.must(scene.ask('bundle', 'tool', '--channel', 'acme/stable'));
    expect(await scene.gate('tool', ['{}'])).toMatchObject({ exit: 31 });
  });

  test('a damaged memory accepts nothing, and says what to do', async () => {
    const state = scene.path('client/trust.json');
    const whole = await readFile(state);
    for (const damaged of [
      '',
      whole.subarray(0, 20),
      whole.toString().replace(/"size":\d/, '"size":0'),
    ]) {
      await writeFile(state, damaged);
      const { exit, stderr } = await scene.gate('tool2', ['sh', '{}']);
      expect({ exit, says: stderr.includes('trust.json') }, stderr).toEqual({
        exit: 38,
        says: true,
      });
      expect(await readFile(state, 'utf8')).toBe(damaged.toString());
    }
    await writeFile(state, whole);
    expect(await scene.gate('tool2', ['sh', '{}'])).toMatchObject({ exit: 0 });
  });

  test('a lock that a killed process left behind does not stop the next one', async () => {
    await writeFile(scene.path('client/trust.json.lock'), '4194304\n');
    expect(await scene.gate('tool2', ['sh', '{}'])).toMatchObject({ exit: 0 });
    expect(await readdir(scene.path('client'))).toEqual(
      expect.not.arrayContaining(['trust.json.lock']),
    );
  });

  test('many gates at once take turns, and none forgets', async () => {
    const runs = Array.from({ length: 6 }, () => scene.gate('tool2', ['sh', '{}']));
    expect((await Promise.all(runs)).map(({ exit }) => exit)).toEqual([0, 0, 0, 0, 0, 0]);
    expect((await readdir(scene.path('client'))).filter((name) => name.includes('lock'))).toEqual(
      [],
    );
  });
});

test('who was refused by a newer channel is not let through by an older one', async () => {
  const old = await readFile(scene.path('tool2.release'));
  await writeFile(scene.path('tool3'), scriptText('three'));
  await scene.release('tool3', '3');
  await scene.must(scene.ask('bundle', 'tool2', '--channel', 'acme/stable'));
  expect(await scene.gate('tool2', ['sh', '{}'])).toMatchObject({ exit: 31, stdout: '' });
  await writeFile(scene.path('tool2.release'), old);
  const { exit, stderr } = await scene.gate('tool2', ['sh', '{}']);
  expect(exit).toBe(15);
  expect(stderr).toContain('but 3 was seen before');
  const purl = product.replace(/@.*/, '@2');
  const again = ['--add', `tool2=${purl}`, '--expires', '24h'];
  await scene.must(scene.as('vendor', 'channel', 'publish', 'acme/stable', ...again));
  await scene.must(scene.ask('bundle', 'tool2', '--channel', 'acme/stable'));
  expect(await scene.gate('tool2', ['sh', '{}'])).toMatchObject({ exit: 0, stdout: 'two\n' });
});

test('a signal reaches the command, and the copy is removed after it', async () => {
  await mkdir(scene.path('work'), { recursive: true });
  const main = `${process.cwd()}/src/cli/main.ts`;
  const args = ['gate', 'tool2', '--policy', 'policy.json', '--state', 'client', '--work', 'work'];
  const script = 'trap "echo stopped; exit 9" TERM; echo up; while :; do sleep 0.1; done';
  const gate = spawn(process.execPath, [main, ...args, '--', 'sh', '-c', script, '{}'], {
    cwd: scene.directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  gate.stdout.on('data', (data: Buffer) => {
    output += data.toString();
    if (output === 'up\n') gate.kill('SIGTERM');
  });
  expect(await once(gate, 'close')).toEqual([9, null]);
  expect(output).toBe('up\nstopped\n');
  expect(await readdir(scene.path('work'))).toEqual([]);
});

describe('an override', () => {
  test('does nothing unless the policy allows it, and needs a reason', async () => {
    await scene.policy({ approvals: { threshold: 1, keys: ['agency'] } });
    expect(await scene.gate('tool2', ['sh', '{}'], '--override', 'urgent')).toMatchObject({
      exit: 24,
      stdout: '',
    });
    await scene.policy({ approvals: { threshold: 1, keys: ['agency'] }, override: true });
    expect(await scene.gate('tool2', ['sh', '{}'], '--override', ' ')).toMatchObject({ exit: 24 });
    expect(await scene.gate('tool2', ['sh', '{}'])).toMatchObject({ exit: 24 });
  });

  test('runs the command, and is on record', async () => {
    const ran = await scene.gate('tool2', ['sh', '{}'], '--override', 'outage 7');
    expect(ran).toMatchObject({ exit: 0, stdout: 'two\n' });
    expect(ran.stderr).toContain('OVERRIDDEN');
    const record = await readFile(scene.path('client/overrides.jsonl'), 'utf8');
    expect(JSON.parse(record)).toMatchObject({ reason: 'outage 7', codes: ['not-approved'] });
  });

  test('never covers changed bytes', async () => {
    await appendFile(scene.path('tool2'), '#');
    expect(await scene.gate('tool2', ['sh', '{}'], '--override', 'outage 7')).toMatchObject({
      exit: 18,
      stdout: '',
    });
    await writeFile(scene.path('tool2'), scriptText('two'));
    await scene.policy();
  });
});

describe('policy explain', () => {
  test('says rule by rule why a file passes, with entries, and remembers nothing', async () => {
    const before = await readFile(scene.path('client/trust.json'));
    const ran = await scene.run(
      'policy',
      'explain',
      'tool2',
      '--policy',
      'policy.json',
      '--state',
      'client',
    );
    expect(ran.exit).toBe(0);
    expect(ran.stdout).toMatch(/^ok {6}release .*released by vendor \[\d+\]$/m);
    expect(ran.stdout).toMatch(/^ok {6}channel .*acme\/stable lists it in statement 4.* \[\d+\]$/m);
    expect(await readFile(scene.path('client/trust.json'))).toEqual(before);
  });

  test('lists every rule that fails', async () => {
    await scene.policy({
      approvals: { threshold: 1, keys: ['agency'] },
      rebuilds: { threshold: 1, keys: ['uni'] },
      channels: [{ channel: 'agency/approved', keys: ['agency'], maxAge: '25h' }],
    });
    const ran = await scene.run(
      'policy',
      'explain',
      'tool2',
      '--policy',
      'policy.json',
      '--state',
      'client',
      '--json',
    );
    const { rules, code } = JSON.parse(ran.stdout) as {
      rules: { ok: boolean; code: string }[];
      code: string;
    };
    expect(code).toBe('builder-refused');
    expect(rules.filter(({ ok }) => !ok).map((rule) => rule.code)).toEqual([
      'builder-refused',
      'not-reproduced',
      'not-approved',
      'channel-missing',
    ]);
    await scene.policy();
  });
});
