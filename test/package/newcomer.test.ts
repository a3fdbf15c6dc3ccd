/** The commands that the README tells a newcomer to type in a clone. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test('npx daybook finds the command', async () => {
  const { stdout } = await promisify(execFile)('npx', ['daybook', '--help']);
  for (const name of ['serve', 'keygen', 'issuer', 'submit', 'verify', 'demo']) {
    expect(stdout).toMatch(new RegExp(`^  ${name} `, 'm'));
  }
});

test('npm start runs a log with the options given, makes its keys, and stops when asked', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'daybook-newcomer-'));
  const options = ['--port', '0', '--data', directory];
  const npm = spawn('npm', ['start', '--silent', '--', ...options], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(npm, 'exit');
  try {
    let output = '';
    for await (const line of createInterface({ input: npm.stdout })) {
      output += `${line}\n`;
      if (line.includes('npx daybook issuer add')) break;
    }
    const [url] = /http:\/\/\S+/.exec(output) ?? [];
    const checkpoint = await (await fetch(`${url}/checkpoint`)).text();
    const [origin] = checkpoint.split('\n');
    const vkey = await readFile(join(directory, 'log.vkey'), 'utf8');
    expect(vkey.startsWith(`${origin}+`)).toBe(true);
    expect((await stat(join(directory, 'log.key'))).mode & 0o777).toBe(0o600);
  } finally {
    npm.kill('SIGTERM');
  }
  expect(await exited).toEqual([0, null]);
  await rm(directory, { recursive: true });
});
