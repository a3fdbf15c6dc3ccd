/**
 * A real log process under real load, killed 50 times. An observer outside keeps every answer it
 * ever got: each acknowledged index must hold the same bytes after each restart, the tree must
 * verify from its entries, and every checkpoint ever seen must be consistent with the newest.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { treeSize } from '../../src/encoding/integer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { fsck } from '../../src/log/fsck.ts';
import { decodeBundle } from '../../src/merkle/bundle.ts';
import { asHash, rfc6962 } from '../../src/merkle/hash.ts';
import { verifyConsistency } from '../../src/merkle/consistency.ts';
import { rootOfLeaves } from '../../src/merkle/root.ts';
import { bundlePath, tileWidth } from '../../src/merkle/tile.ts';
import { parseCheckpoint, type Checkpoint } from '../../src/note/checkpoint.ts';
import { openNote, parseNote } from '../../src/note/note.ts';
import { parseVkey } from '../../src/note/vkey.ts';
import { scratchDirectory } from './scratch.ts';

const KILLS = 50;
const WRITERS = 8;

interface Process {
  readonly url: string;
  readonly vkey: string;
  readonly child: ChildProcess;
}

async function start(directory: string): Promise<Process> {
  const child = spawn(
    process.execPath,
    [
      'src/cli/main.ts',
      'serve',
      '--data',
      directory,
      '--port',
      '0',
      '--interval-ms',
      '50',
      '--admission',
      'open',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  for await (const chunk of child.stdout) {
    output += String(chunk);
    const url = /at (http:\S+)/.exec(output)?.[1];
    const vkey = /public key\s+(\S+)\n/.exec(output)?.[1];
    if (url !== undefined && vkey !== undefined) return { url, vkey, child };
  }
  throw new Error(`the log does not start: ${output}`);
}

/** What the world outside was told. */
class Observer {
  readonly acknowledged = new Map<number, string>();
  readonly checkpoints = new Map<number, Checkpoint>();
  #next = 0;

  /** Submits until the process dies. */
  async write({ url, vkey }: Process): Promise<void> {
    for (;;) {
      const entry = `entry ${this.#next++} ${'.'.repeat(Math.floor(Math.random() * 600))}`;
      const wait = Math.random() < 0.2 ? 'included' : 'sequenced';
      try {
        const response = await fetch(`${url}/entries?wait=${wait}`, {
          method: 'POST',
          headers: { 'content-type': 'application/octet-stream' },
          body: entry,
        });
        const { index } = (await response.json()) as { index?: number };
        if (response.ok && index !== undefined) this.acknowledged.set(index, entry);
        if (Math.random() < 0.2) await this.look(url, vkey);
      } catch {
        return;
      }
    }
  }

  async look(url: string, vkey: string): Promise<Checkpoint> {
    const note = parseNote(await (await fetch(`${url}/checkpoint`)).text());
    await openNote(note, [parseVkey(vkey)], nodeVerifier);
    const checkpoint = parseCheckpoint(note.text);
    const known = this.checkpoints.get(checkpoint.size);
    if (known) expect(Buffer.from(checkpoint.root)).toEqual(Buffer.from(known.root));
    this.checkpoints.set(checkpoint.size, checkpoint);
    return checkpoint;
  }

  /** All that was ever told against what the log says now. */
  async check({ url, vkey }: Process): Promise<void> {
    const newest = Math.max(-1, ...this.acknowledged.keys());
    let checkpoint = await this.look(url, vkey);
    while (checkpoint.size <= newest) {
      await delay(20);
      checkpoint = await this.look(url, vkey);
    }
    const entries = await readAll(url, checkpoint.size);
    expect(Buffer.from(rootOfLeaves(entries.map((entry) => rfc6962.leaf(entry))))).toEqual(
      Buffer.from(checkpoint.root),
    );
    for (const [index, entry] of this.acknowledged) {
      if (Buffer.from(entries[index] as Uint8Array).toString() !== entry) {
        throw new Error(`entry ${index} was acknowledged as another one`);
      }
    }
    for (const before of this.checkpoints.values()) {
      const answer = await fetch(
        `${url}/proofs/consistency?from=${before.size}&to=${checkpoint.size}`,
      );
      const { hashes } = (await answer.json()) as { hashes: string[] };
      verifyConsistency({
        from: treeSize(before.size),
        to: checkpoint.size,
        fromRoot: before.root,
        toRoot: checkpoint.root,
        proof: hashes.map((hash) => asHash(new Uint8Array(Buffer.from(hash, 'base64')))),
      });
    }
  }
}

async function readAll(url: string, size: number): Promise<Uint8Array[]> {
  const entries: Uint8Array[] = [];
  for (let index = 0; index * 256 < size; index++) {
    const width = tileWidth(0, index, size);
    const response = await fetch(`${url}/${bundlePath(index, width)}`);
    entries.push(...decodeBundle(new Uint8Array(await response.arrayBuffer()), width));
  }
  return entries;
}

test(
  `nothing acknowledged is lost and nothing signed is denied over ${KILLS} kills`,
  { timeout: 300_000 },
  async () => {
    const directory = await scratchDirectory();
    const observer = new Observer();
    for (let kill = 0; kill < KILLS; kill++) {
      const running = await start(directory);
      await observer.check(running);
      const writers = Array.from({ length: WRITERS }, () => observer.write(running));
      await delay(Math.random() * 150);
      running.child.kill('SIGKILL');
      await Promise.all([...writers, once(running.child, 'exit')]);
    }
    const last = await start(directory);
    await observer.check(last);
    last.child.kill('SIGTERM');
    expect(await once(last.child, 'exit')).toEqual([0, null]);
    expect((await fsck(directory)).disagreements).toEqual([]);
    expect(observer.acknowledged.size).toBeGreaterThan(KILLS);
    expect(observer.checkpoints.size).toBeGreaterThan(KILLS / 2);
  },
);
