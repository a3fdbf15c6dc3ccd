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
  // Before it is parsed, since that recurses.
  const written = countMembers(text, maxDepth);
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new DaybookError('bad-encoding', `not JSON: ${(cause as Error).message}`, { cause });
  }
  // Of two members with one name JSON.parse keeps one.
  if (membersIn(value) !== written) {
    throw new DaybookError(
      'bad-encoding',
      `the member "${shown(repeatedName(text))}" occurs twice`,
    );
  }
  return value;
}

/** How many members a text has, if it is JSON: one for each colon outside of strings. */
function countMembers(text: string, maxDepth: number): number {
  let members = 0;
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case quote:
        i = endOfString(text, i);
        break;
      case 0x7b: // {
      case 0x5b: // [
        if (depth === maxDepth) {
          throw new DaybookError('bad-encoding', `nested more than ${maxDepth} deep`);
        }
        depth += 1;
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth -= 1;
        break;
      case 0x3a: // :
        members += 1;
        break;
    }
  }
  return members;
}

function membersIn(value: JsonValue | undefined): number {
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (isArray(value)) {
    for (const element of value) members += membersIn(element);
  } else {
    // What JSON.parse made has no members but its own.
    for (const name in value) members += 1 + membersIn(value[name]);
  }
  return members;
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/** The first name that an object of this JSON text has twice. */
function repeatedName(text: string): string {
  // For each open bracket the names seen so far, or undefined in an array.
  const open: (Set<string> | undefined)[] = [];
  const colon = /\s*:/y;
  let names: Set<string> | undefined;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (character === '"') {
      const end = endOfString(text, i);
      // Only a name has a colon behind it.
      colon.lastIndex = end + 1;
      if (colon.test(text)) {
        const name = JSON.parse(text.slice(i, end + 1)) as string;
        if (names?.has(name)) return name;
        names?.add(name);
      }
      i = end;
    } else if (character === '{' || character === '[') {
      names = character === '{' ? new Set() : undefined;
      open.push(names);
    } else if (character === '}' || character === ']') {
      open.pop();
      names = open.at(-1);
    }
  }
  return '';
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

function shown(name: string): string {
  return name.length > 48 ? `${name.slice(0, 48)}…` : name;
}
