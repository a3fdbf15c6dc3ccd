import { tmpdir } from 'node:os';
import { expect, test } from 'vitest';
import { daybook } from './daybook.ts';

test.each([
  [['frobnicate'], ['frobnicate', 'verify', 'submit', 'keygen']],
  [
    ['issuer', 'frobnicate'],
    ['frobnicate', 'add', 'revoke'],
  ],
  [
    ['keygen', '--out', 'x', '--algorithm', 'rsa'],
    ['--algorithm', 'rsa', 'ed25519, ecdsa-p256'],
  ],
  [['keygen', '--output', 'x'], ['--out']],
  [
    ['keygen', '--out', 'x', '--colour', 'red'],
    ['--colour', '--algorithm'],
  ],
  [
    ['submit', 'x', '--log', 'http://localhost', '--key', 'k', '--purl', 'p', '--kind', 'game'],
    ['--kind', 'game', 'build, av-update'],
  ],
  [
    ['issuer', 'add', '--data', 'd', '--name', 'n', '--key', 'k', '--purl', 'p', '--role', 'king'],
    ['--role', 'king', 'release'],
  ],
  [['verify', 'x', '--issuer', 'k'], ['--policy']],
  [['verify', '--policy', 'p', '--issuer', 'k'], ['FILE']],
] as const)(
  '%s: exits with 2 and names what is wrong and what is accepted',
  async (args, named) => {
    const { exit, stderr } = await daybook(tmpdir(), ...args);
    expect(exit).toBe(2);
    for (const text of named) expect(stderr).toContain(text);
  },
);

test('prints help where it is asked for', async () => {
  const { exit, stdout } = await daybook(tmpdir(), '--help');
  expect(exit).toBe(0);
  for (const name of ['serve', 'keygen', 'issuer', 'submit', 'verify', 'fsck'])
    expect(stdout).toContain(name);
  expect((await daybook(tmpdir(), 'verify', '--help')).stdout).toContain('--issuer');
});
