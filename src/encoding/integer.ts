/**
 * The one integer policy: tree sizes, indexes and times are JavaScript numbers from 0 to 2^53 - 1,
 * checked at every edge. Nothing uses the 32-bit operators on them.
 */
import { DaybookError } from '../errors.ts';

declare const brand: unique symbol;
/** Number of leaves of a tree. */
export type TreeSize = number & { readonly [brand]: 'TreeSize' };
/** Zero-based position of a leaf. */
export type LeafIndex = number & { readonly [brand]: 'LeafIndex' };

function checked(value: number, what: string): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new DaybookError('bad-integer', `${what} is ${value}, want an integer from 0 to 2^53-1`);
  }
  return value;
}

/** Throws `bad-integer` unless `value` is an integer from 0 to 2^53 - 1. */
export function treeSize(value: number): TreeSize {
  return checked(value, 'tree size') as TreeSize;
}

/** Throws `bad-integer` unless `value` is an integer from 0 to 2^53 - 1. */
export function leafIndex(value: number): LeafIndex {
  return checked(value, 'leaf index') as LeafIndex;
}

/**
 * Reads an ASCII decimal without sign or leading zeros, as C2SP formats write sizes and times.
 * Throws `bad-integer`.
 */
export function parseDecimal(text: string): number {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text) || !Number.isSafeInteger(Number(text))) {
    const shown = text.length > 24 ? `${text.slice(0, 24)}…` : text;
    throw new DaybookError(
      'bad-integer',
      `"${shown}" is not a decimal from 0 to 2^53-1 without leading zeros`,
    );
  }
  return Number(text);
}
