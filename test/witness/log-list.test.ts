import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { utf8 } from '../../src/encoding/bytes.ts';
import { DaybookError } from '../../src/errors.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { LogList, parseLogList } from '../../src/witness/log-list.ts';
import { newNoteSigner } from '../note/new-signer.ts';
import { witnessDirectory } from './running-witness.ts';

async function logLine(origin: string, type: 0x01 | 0x06 = 0x01): Promise<string> {
  return `log ${formatVkey((await newNoteSigner(origin, type)).key)}\n`;
}

async function witnessLine(): Promise<string> {
  return `witness w ${formatVkey((await newNoteSigner('w', 0x04)).key)}\n`;
}

/** Number of keys of each origin. */
function counted(text: string): Record<string, number> {
  const logs = parseLogList(utf8(text));
  return Object.fromEntries([...logs].map(([origin, keys]) => [origin, keys.length]));
}

describe('a list', () => {
  test('has log lines, with URLs and comments, and several keys of one origin', async () => {
    const [a, a2, b] = await Promise.all([logLine('a'), logLine('a', 0x06), logLine('b')]);
    const withUrl = `${b.trim()} https://b.example/\n`;
    expect(counted(`# ours\n\n${a}\t ${a2}# theirs\n${withUrl}`)).toEqual({ a: 2, b: 1 });
    expect(counted('')).toEqual({});
    expect(counted(a.trim())).toEqual({ a: 1 });
  });

  test('may be a whole trust policy, of which only the logs count', async () => {
    const [a, w] = [await logLine('a'), await witnessLine()];
    for (const quorum of ['quorum none', ' quorum\tw', 'quorum g\n# end']) {
      expect(counted(`${a}${w}group g 1 w\n${quorum}\n`)).toEqual({ a: 1 });
    }
  });

  test('is refused with the number of the line that is wrong', async () => {
    const a = await logLine('a');
    for (const [text, line] of [
      [`${a}junk\n`, 2],
      [`${a}${a}`, 2],
      [`\n\nlog a+00000000+AAAA\n`, 3],
      [`${a}quorum none\nquorum none\n`, 3],
      [(await witnessLine()).replace('witness w', 'log'), 1],
    ] as const) {
      expect(() => parseLogList(utf8(text))).toThrow(
        expect.objectContaining({
          code: 'bad-policy',
          message: expect.stringContaining(`line ${line}:`) as string,
        }) as Error,
      );
    }
  });

  test('of any bytes is read, or refused as a policy', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array(), fc.string().map(utf8)), (bytes) => {
        try {
          parseLogList(bytes);
        } catch (error) {
          expect((error as DaybookError).code).toBe('bad-policy');
        }
      }),
    );
  });
});

describe('the file of a list', () => {
  async function listFile(text: string): Promise<{ path: string; list: LogList; said: unknown[] }> {
    const path = join(await witnessDirectory(), 'logs');
    await writeFile(path, text);
    const said: unknown[] = [];
    const list = new LogList(path, (message, error) => said.push(error ?? message));
    onTestFinished(() => list.close());
    // The watcher takes its first look.
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { path, list, said };
  }
  const origins = (list: LogList): string[] => [...list.logs.keys()];

  test('is read again when it is written or replaced', async () => {
    const [a, b, c] = await Promise.all([logLine('a'), logLine('b'), logLine('c')]);
    const { path, list } = await listFile(a);
    expect(origins(list)).toEqual(['a']);
    await writeFile(path, a + b);
    await vi.waitFor(() => expect(origins(list)).toEqual(['a', 'b']), 10_000);
    await writeFile(`${path}.new`, c);
    await rename(`${path}.new`, path);
    await vi.waitFor(() => expect(origins(list)).toEqual(['c']), 10_000);
  });

  test('that is broken or gone changes nothing, and is reported once', async () => {
    const [a, b] = [await logLine('a'), await logLine('b')];
    const { path, list, said } = await listFile(a);
    await writeFile(path, `${b}junk\n`);
    await vi.waitFor(
      () => expect(said).toEqual([expect.objectContaining({ code: 'bad-policy' })]),
      10_000,
    );
    await rm(path);
    await vi.waitFor(() => expect(said[1]).toMatchObject({ code: 'file-unreadable' }), 10_000);
    expect(origins(list)).toEqual(['a']);
    await writeFile(path, b);
    await vi.waitFor(() => expect(origins(list)).toEqual(['b']), 10_000);
    expect(said).toHaveLength(3);
  });

  test('is read at once when asked', async () => {
    const [a, b] = [await logLine('a'), await logLine('b')];
    const { path, list } = await listFile(a);
    await writeFile(path, b);
    list.reload();
    expect(origins(list)).toEqual(['b']);
  });

  test('must be there and right at the start', async () => {
    const path = join(await witnessDirectory(), 'logs');
    const open = (): LogList => new LogList(path, () => undefined);
    expect(open).toThrow(expect.objectContaining({ code: 'file-unreadable' }) as Error);
    await writeFile(path, 'junk');
    expect(open).toThrow(expect.objectContaining({ code: 'bad-policy' }) as Error);
  });
});
