/** A real process that publishes statements of a channel, killed 10 times; what it acknowledged stays so. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { createKeyFile, readKeyFile } from '../../src/keys/key-file.ts';
import { channelPlace } from '../../src/log/channels.ts';
import { dataFiles } from '../../src/log/data-directory.ts';
import { fsck } from '../../src/log/fsck.ts';
import { Log } from '../../src/log/log.ts';
import { openLevelStore } from '../../src/store/level-store.ts';
import { admission, scratchDirectory } from './scratch.ts';

const writerPath = fileURLToPath(new URL('./channel-writer.ts', import.meta.url));

test(
  'channels lose no acknowledged place and take none twice over 10 kills',
  { timeout: 120_000 },
  async () => {
    const directory = await scratchDirectory();
    const keyFile = join(directory, 'acme.key');
    await createKeyFile(keyFile, 'ed25519');
    const log = await Log.open({ directory });
    await log.submit(await admission(log, directory, await readKeyFile(keyFile)));
    await log.close();
    const acknowledged = new Map<string, string>();
    for (let kill = 0; kill < 10; kill++) {
      const writer = spawn(process.execPath, [writerPath, directory, keyFile], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(writer, 'exit');
      let output = '';
      writer.stdout.on('data', (chunk: Buffer) => (output += String(chunk)));
      await once(writer.stdout, 'data');
      await delay(Math.random() * 100);
      writer.kill('SIGKILL');
      await exited;
      for (const [, sequence = '', index = ''] of output.matchAll(/^(\d+) (\d+)\n/gm)) {
        expect(acknowledged.get(sequence), sequence).toBeUndefined();
        acknowledged.set(sequence, index);
      }
    }
    expect((await fsck(directory)).disagreements).toEqual([]);
    const store = await openLevelStore(dataFiles(directory).database);
    for (const [sequence, index] of acknowledged) {
      const place = channelPlace('acme/stable', Number(sequence));
      expect(store.lookup('channel', place), sequence).toBe(Number(index));
    }
    await store.close();
  },
);
