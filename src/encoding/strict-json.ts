/**
 * JSON (RFC 8259) without its ambiguities: UTF-8 only, no byte order mark, no object with the same
 * member twice (readers differ on which one counts), bounded depth.
 */
import { DaybookError } from '../errors.ts';
import { decodeUtf8 } from './bytes.ts';

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** Made by JSON.parse: a member named `__proto__` is an own member like any other. */
export interface JsonObject {
  readonly [member: string]: JsonValue | undefined;
}

const quote = 0x22;
const backslash = 0x5c;

/**
 * The value of a JSON text whose arrays and objects nest at most `maxDepth` deep.
 * Throws `bad-encoding`.
 */
export function parseStrictJson(bytes: Uint8Array, { maxDepth }: { maxDepth: number }): JsonValue {
  const text = decodeUtf8(bytes);
  checkMembersAndDepth(text, maxDepth);
  try {
    return JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new DaybookError('bad-encoding', `not JSON: ${(cause as Error).message}`, { cause });
  }
}

/**
 * One pass over the text that trusts nothing about its syntax: JSON.parse judges that afterwards,
 * and by then the depth is known to be bounded.
 */
function checkMembersAndDepth(text: string, maxDepth: number): void {
  // For each open bracket the names seen so far, or undefined in an array.
  const open: (Set<string> | undefined)[] = [];
  let names: Set<string> | undefined;
  let nameComes = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case quote: {
        const end = endOfString(text, i);
        if (nameComes && names !== undefined) {
          const name = unescaped(text.slice(i, end + 1));
          if (names.has(name)) {
            throw new DaybookError('bad-encoding', `the member "${shown(name)}" occurs twice`);
          }
          names.add(name);
          nameComes = false;
        }
        i = end;
        break;
      }
      case 0x7b: // {
      case 0x5b: // [
        if (open.length === maxDepth) {
          throw new DaybookError('bad-encoding', `nested more than ${maxDepth} deep`);
        }
        nameComes = text[i] === '{';
        names = nameComes ? new Set() : undefined;
        open.push(names);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        open.pop();
        names = open.at(-1);
        nameComes = false;
        break;
      case 0x2c: // ,
        nameComes = names !== undefined;
        break;
    }
  }
}

/** Position of the quote that closes the string which opens at `start`; the text's end if none does. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end !== -1) {
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before--;
    if ((end - before) % 2 === 1) return end;
    end = text.indexOf('"', end + 1);
  }
  return text.length;
}

function unescaped(literal: string): string {
  if (!literal.includes('\\')) return literal.slice(1, -1);
  try {
    return JSON.parse(literal) as string;
  } catch (cause) {
    throw new DaybookError('bad-encoding', `not JSON: ${(cause as Error).message}`, { cause });
  }
}

function shown(name: string): string {
  return name.length > 48 ? `${name.slice(0, 48)}…` : name;
}
