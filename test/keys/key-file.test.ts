import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import type { ErrorCode } from '../../src/errors.ts';
import { createKeyFile, readKeyFile, readPublicKeyFile } from '../../src/keys/key-file.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'daybook-keys-'));
  path = join(directory, 'log.key');
});
afterEach(() => rm(directory, { recursive: true }));

const refused = (code: ErrorCode, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) as string });

describe('key files', () => {
  it.each(['ed25519', 'ecdsa-p256', 'ecdsa-p384', 'rsa-pss', 'ml-dsa-44'] as const)(
    'keep a %s key that only the owner may read, and its public key',
    async (algorithm) => {
      const created = await createKeyFile(path, algorithm);
      const signer = await readKeyFile(path);
      const publicKey = await readPublicKeyFile(`${path}.pub`);
      expect(created.publicKey).toEqual(publicKey);
      expect(signer.publicKey).toEqual(publicKey);
      expect(publicKey.algorithm).toBe(algorithm);
      const message = utf8('a message');
      expect(await nodeVerifier.verify(publicKey, message, await signer.sign(message))).toBe(true);
      expect((await stat(path)).mode & 0o777).toBe(0o600);
      expect(await readFile(path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
      expect(await readFile(`${path}.pub`, 'utf8')).toMatch(/^-----BEGIN PUBLIC KEY-----\n/);
    },
  );

  it('never overwrite a file', async () => {
    await createKeyFile(path, 'ed25519');
    const before = await readFile(path, 'utf8');
    await expect(createKeyFile(path, 'ed25519')).rejects.toEqual(
      refused('file-unreadable', /log.key exists already: choose another name/),
    );
    expect(await readFile(path, 'utf8')).toBe(before);
    await rm(path);
    await expect(createKeyFile(path, 'ed25519')).rejects.toEqual(
      refused('file-unreadable', /log.key.pub exists already/),
    );
    await expect(stat(path)).rejects.toThrow(/ENOENT/);
  });

  it.each([0o640, 0o604, 0o660, 0o620])('are refused with mode %o', async (mode) => {
    await createKeyFile(path, 'ed25519');
    await chmod(path, mode);
    await expect(readKeyFile(path)).rejects.toEqual(
      refused('bad-key', new RegExp(`mode ${mode.toString(8)}.*chmod 600 ${path}`)),
    );
  });

  it('are refused when they are missing, a directory or huge', async () => {
    await expect(readKeyFile(path)).rejects.toEqual(
      refused('file-unreadable', /cannot read .*log.key: ENOENT/),
    );
    await expect(readPublicKeyFile(directory)).rejects.toEqual(
      refused('file-unreadable', /EISDIR/),
    );
    await writeFile(path, 'a'.repeat(70_000), { mode: 0o600 });
    await expect(readKeyFile(path)).rejects.toEqual(refused('file-unreadable', /70000 bytes/));
    await expect(createKeyFile(join(directory, 'none', 'a'), 'ed25519')).rejects.toEqual(
      refused('file-unreadable', /cannot create .*ENOENT/),
    );
  });

  it('name the file and what was found in it', async () => {
    await createKeyFile(path, 'ed25519');
    await chmod(`${path}.pub`, 0o600);
    await expect(readKeyFile(`${path}.pub`)).rejects.toEqual(
      refused('bad-key', /log.key.pub: want an unencrypted private key .*found PUBLIC KEY/),
    );
    await expect(readPublicKeyFile(path)).rejects.toEqual(
      refused('bad-key', /log.key: PEM block is a PRIVATE KEY/),
    );
    await writeFile(path, 'hello');
    await expect(readKeyFile(path)).rejects.toEqual(refused('bad-key', /found no PEM block/));
  });
});
