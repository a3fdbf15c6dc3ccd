/**
 * A real log, read by the Go libraries that other tile logs are read with: fills one through
 * `POST /add`, keeps what it publishes on the way, and has log_test.go judge it.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { decodeUtf8 } from '../../src/encoding/bytes.ts';
import { parseCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote, parseNote } from '../../src/note/note.ts';
import { signNote } from '../../src/note/sign.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { parseTlogProof } from '../../src/proof/tlog-proof.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { startLog, type RunningLog } from '../cli/running-log.ts';
import { hasGo } from './go.ts';

const here = import.meta.dirname;
const goTests = readFileSync(join(here, 'log_test.go'), 'utf8').matchAll(/^func (Test\w+)/gm);

/** Over two full tiles of entries, of lengths from one byte to the largest. */
const entries = Array.from({ length: 600 }, (_, index) => {
  const length = index === 300 ? 65_535 : index < 3 ? 1 : 20 + (index % 700);
  return new Uint8Array(length).map((_, at) => (index * 31 + at * 7) % 256);
});

describe.skipIf(!hasGo())('Go reads the log', () => {
  const directory = mkdtempSync(join(tmpdir(), 'daybook-interop-'));
  const exhibits = join(directory, 'exhibits');
  let log: RunningLog;
  let output = '';

  const bytesAt = async (path: string): Promise<Uint8Array> => {
    const answer = await fetch(new URL(path, log.url));
    expect(answer.status, path).toBe(200);
    return new Uint8Array(await answer.arrayBuffer());
  };

  /** Adds the entries and keeps checkpoints that are seen on the way. Returns what the log holds. */
  async function fill(): Promise<Uint8Array[]> {
    const logged: Uint8Array[] = [];
    let size = 0;
    const keepCheckpoint = async (): Promise<void> => {
      const note = await bytesAt('checkpoint');
      size = parseCheckpoint(parseNote(note).text).size;
      writeFileSync(join(exhibits, 'checkpoints', `at-${size}`), note);
    };
    for (let from = 0; from < entries.length; from += 20) {
      const some = entries.slice(from, from + 20).map(async (entry) => {
        const answer = await fetch(new URL('add', log.url), { method: 'POST', body: entry });
        logged[Number(await answer.text())] = entry;
      });
      await Promise.all(some);
      await keepCheckpoint();
    }
    while (size < logged.length) await keepCheckpoint();
    return logged;
  }

  beforeAll(async () => {
    for (const name of ['checkpoints', 'proofs'])
      mkdirSync(join(exhibits, name), { recursive: true });
    log = await startLog(join(directory, 'data'), ['--admission', 'open', '--interval-ms', '50']);

    const logged = await fill();
    for (const index of [0, 1, 255, 256, 511, 599, 600]) {
      const proof = await bytesAt(`proofs/entry/${index}`);
      logged[index] ??= parseTlogProof(proof).extra!;
      writeFileSync(join(exhibits, 'proofs', `${index}.tlog-proof`), proof);
    }
    writeFileSync(join(exhibits, 'entries'), logged.map(encodeBase64).join('\n'));

    const { text, signatures } = parseNote(await bytesAt('checkpoint'));
    const cosigners = [await newNoteSigner('alice', 0x04), await newNoteSigner('bob', 0x06)];
    const cosigned = await signNote(text, cosigners, 1_790_000_000);
    const note = formatNote({ text, signatures: [...signatures, ...cosigned.signatures] });
    writeFileSync(join(exhibits, 'cosigned'), note);
    const vkeys = cosigners.map(({ key }) => formatVkey(key));
    writeFileSync(join(exhibits, 'cosigners'), vkeys.join('\n'));

    output = await runGo({
      DAYBOOK_URL: log.url.href,
      DAYBOOK_VKEY: decodeUtf8(readFileSync(join(directory, 'data', 'log.vkey'))).trim(),
      DAYBOOK_EXHIBITS: exhibits,
    });
  }, 300_000);

  afterAll(async () => {
    await log.stop();
    rmSync(directory, { recursive: true });
  });

  function runGo(settings: Record<string, string>): Promise<string> {
    const env = { ...process.env, ...settings };
    return new Promise((resolve) => {
      execFile('go', ['test', '-count=1', '-v', '.'], { cwd: here, env }, (_, out, err) =>
        resolve(out + err),
      );
    });
  }

  test.each([...goTests].map(([, name]) => name!))('%s', (name) => {
    expect(output).toContain(`--- PASS: ${name} `);
  });
});
