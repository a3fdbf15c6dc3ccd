/** Reads JSON members by type, so that a refusal names the member and what it should be. */
import type { JsonObject, JsonValue } from '../encoding/strict-json.ts';
import { DaybookError, type ErrorCode } from '../errors.ts';

export interface Shape {
  readonly object: (value: JsonValue | undefined, what: string) => JsonObject;
  readonly array: (
    value: JsonValue | undefined,
    what: string,
    most: number,
  ) => readonly JsonValue[];
  readonly string: (value: JsonValue | undefined, what: string, longest?: number) => string;
  /** Unset, null and empty mean the same. */
  readonly optionalString: (
    value: JsonValue | undefined,
    what: string,
    longest?: number,
  ) => string | undefined;
  readonly integer: (value: JsonValue | undefined, what: string, least: number) => number;
  /** Refuses members that are not among `names`. */
  readonly only: (object: JsonObject, names: readonly string[], what: string) => void;
  /** Runs `read` and reports its `bad-encoding` and `bad-integer` under this shape's code. */
  readonly within: <T>(what: string, read: () => T) => T;
}

/** A reader whose refusals carry `code`. */
export function shape(code: ErrorCode): Shape {
  const refuse = (message: string, cause?: unknown): never => {
    throw new DaybookError(code, message, { cause });
  };
  const string: Shape['string'] = (value, what, longest = Infinity) => {
    if (typeof value !== 'string') return refuse(`${what} is ${kindOf(value)}, want a string`);
    if (value.length > longest) {
      return refuse(`${what} has ${value.length} characters, at most ${longest} are allowed`);
    }
    return value;
  };
  return {
    object(value, what) {
      if (typeof value !== 'object' || value === null || isArray(value)) {
        return refuse(`${what} is ${kindOf(value)}, want an object`);
      }
      return value;
    },
    array(value, what, most) {
      if (value === undefined || !isArray(value)) {
        return refuse(`${what} is ${kindOf(value)}, want an array`);
      }
      if (value.length > most) {
        return refuse(`${what} has ${value.length} elements, at most ${most} are allowed`);
      }
      return value;
    },
    string,
    optionalString(value, what, longest) {
      return value === undefined || value === null || value === ''
        ? undefined
        : string(value, what, longest);
    },
    integer(value, what, least) {
      if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least) {
        return refuse(`${what} is ${kindOf(value)}, want an integer of at least ${least}`);
      }
      return value;
    },
    only(object, names, what) {
      for (const name of Object.keys(object)) {
        if (!names.includes(name)) {
          refuse(
            `${what} has the unknown member "${name.slice(0, 48)}"; known: ${names.join(', ')}`,
          );
        }
      }
    },
    within(what, read) {
      try {
        return read();
      } catch (error) {
        if (
          error instanceof DaybookError &&
          (error.code === 'bad-encoding' || error.code === 'bad-integer')
        ) {
          return refuse(`${what}: ${error.message}`, error);
        }
        throw error;
      }
    },
  };
}

function isArray(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}

function kindOf(value: JsonValue | undefined): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (isArray(value)) return 'an array';
  return typeof value === 'number' ? String(value) : `of type ${typeof value}`;
}
