/**
 * A real log process with witnesses, killed again and again: after each start it goes on with a
 * quorum, no two checkpoints that anybody saw disagree, and a copy from before is always refused.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { fsck } from '../../src/log/fsck.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { checkCheckpoint, formatPolicy, parsePolicy } from '../../src/verify/policy.ts';
import { dataFiles } from '../../src/log/data-directory.ts';
import { openWitnessed, startHouse, until } from './witnessed.ts';
import { scratchDirectory } from './scratch.ts';

const KILLS = 12;

interface Process {
  readonly url: string;
  readonly child: ChildProcess;
}

async function start(directory: string, witnesses: string): Promise<Process> {
  const options = ['--interval-ms', '50', '--admission', 'open', '--origin', 'log.example/a'];
  const child = spawn(
    process.execPath,
    [
      ...['src/cli/main.ts', 'serve', '--data', directory, '--port', '0'],
      ...[...options, '--witnesses', witnesses],
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  for await (const chunk of child.stdout) {
    output += String(chunk);
    const url = /at (http:\S+)/.exec(output)?.[1];
    if (url !== undefined) return { url, child };
  }
  throw new Error(`the log does not start: ${output}`);
}

test(`over ${KILLS} kills`, { timeout: 300_000 }, async () => {
  const house = await startHouse(3);
  const directory = await scratchDirectory();
  const witnesses = join(await scratchDirectory(), 'witnesses');
  const policy = house.policy('group q 2 A B C', 'quorum q');
  await writeFile(witnesses, formatPolicy(policy));
  const roots = new Map<number, string>();
  let copy: string | undefined;
  let copiedSize = 0;

  const look = async ({ url }: Process): Promise<number> => {
    const trusted = parsePolicy(await readFile(dataFiles(directory).policy));
    const answer = await fetch(`${url}/checkpoint`);
    if (!answer.ok) return 0;
    const note = new Uint8Array(await answer.arrayBuffer());
    const { checkpoint } = await checkCheckpoint(note, trusted, nodeVerifier);
    const root = Buffer.from(checkpoint.root).toString('hex');
    expect(roots.get(checkpoint.size) ?? root).toBe(root);
    roots.set(checkpoint.size, root);
    return checkpoint.size;
  };
  const write = async (running: Process): Promise<void> => {
    try {
      for (let i = 0; ; i++) {
        await fetch(`${running.url}/add`, { method: 'POST', body: `${running.url} ${i}` });
        if (i % 3 === 0) await look(running);
      }
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  };

  for (let kill = 0; kill < KILLS; kill++) {
    const running = await start(directory, witnesses);
    const vkeys = (await readFile(dataFiles(directory).vkey, 'utf8')).trim().split('\n');
    house.known.logs.set('log.example/a', vkeys.map(parseVkey));
    while (!(await fetch(`${running.url}/readyz`)).ok) await delay(20);
    const writers = [write(running), write(running)];
    await delay(100 + Math.random() * 200);
    running.child.kill('SIGKILL');
    await Promise.all([...writers, once(running.child, 'exit')]);
    if (kill !== KILLS / 2) continue;
    copy = await scratchDirectory();
    await cp(directory, copy, { recursive: true, filter: (path) => !path.endsWith('LOCK') });
    copiedSize = Math.max(...roots.keys());
  }
  const last = await start(directory, witnesses);
  while (!(await fetch(`${last.url}/readyz`)).ok) await delay(20);
  expect(await look(last)).toBeGreaterThan(copiedSize);
  last.child.kill('SIGTERM');
  expect(await once(last.child, 'exit')).toEqual([0, null]);
  expect((await fsck(directory)).disagreements).toEqual([]);
  expect(roots.size).toBeGreaterThan(KILLS / 2);

  const { log } = await openWitnessed(house, { policy, directory: copy as string });
  await until(() => log.status().reason?.code === 'log-behind');
});
