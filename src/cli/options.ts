/** Options that several commands take, and their refusal by name. All of them throw `bad-usage`. */
import type { Command } from 'commander';
import { decodeHex } from '../encoding/hex.ts';
import { DaybookError } from '../errors.ts';

/** For options that may be given several times. */
export function collect(value: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, value];
}

/** For commands that only read. */
export function withMirrorOption(command: Command): Command {
  return command.option(
    '--mirror <URL>',
    'mirror of the log, with the origin hash at its end, to read while the log is away; repeatable',
    collect,
  );
}

/** Tries each option alone before anything is hashed, so that a wrong one is told at once and by its name. */
export function checkOptions(tries: Readonly<Record<string, () => unknown>>): void {
  for (const [option, make] of Object.entries(tries)) {
    try {
      make();
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
      throw new DaybookError('bad-usage', `wrong ${option}: ${error.message}`, { cause: error });
    }
  }
}

/** Whether `text` is a SHA-256 as `sha256sum` writes it. */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

/** 32 bytes of 64 hex digits. */
export function digestOption(option: string, text: string): Uint8Array {
  if (isDigest(text)) return decodeHex(text);
  throw new DaybookError('bad-usage', `wrong ${option}: "${text}", want 64 lowercase hex digits`);
}

export function uriOption(option: string, text: string): string {
  if (/^[a-z][a-z0-9+.-]*:[!-~]+$/.test(text)) return text;
  throw new DaybookError('bad-usage', `wrong ${option}: "${text}" is no URI`);
}

/** A TCP port; 0 stands for a free one. */
export function portOption(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) < 65_536) return Number(text);
  throw new DaybookError('bad-usage', `wrong --port: "${text}", want a number from 0 to 65535`);
}
