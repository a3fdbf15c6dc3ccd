/** One rule's part of a draft, for one log: its own state and its alerts. */
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeUtf8, utf8 } from '../../encoding/bytes.ts';
import { encodeHex } from '../../encoding/hex.ts';
import { alertId } from '../alert.ts';
import type { Draft } from '../draft.ts';
import type { RuleConfig } from './rule-config.ts';

export interface Cause {
  /** What makes this alert another one than the rule's others about this log. */
  readonly cause: readonly string[];
  readonly index?: number | undefined;
  readonly title: string;
  readonly detail: string;
}

const maxTitle = 300;
const maxDetail = 4000;

export class RuleScope {
  readonly origin: string;
  readonly #rule: Pick<RuleConfig, 'name' | 'severity'>;
  readonly #draft: Draft;
  readonly #quiet: boolean;
  readonly #prefix: string;

  /** `prefix` is where the rule's state lies; with `quiet` its alerts are dropped. */
  constructor(
    rule: Pick<RuleConfig, 'name' | 'severity'>,
    origin: string,
    draft: Draft,
    { prefix, quiet }: { readonly prefix: string; readonly quiet: boolean },
  ) {
    this.origin = origin;
    this.#rule = rule;
    this.#draft = draft;
    this.#quiet = quiet;
    this.#prefix = prefix;
  }

  /** Whether the entry is below the index from which on the operator wants alerts. */
  get quiet(): boolean {
    return this.#quiet;
  }

  /** Seconds since 1970. */
  get now(): number {
    return Math.floor(this.#draft.now / 1000);
  }

  /** What `put` left under `key`, of this rule and log. */
  get<T>(key: string): T | undefined {
    const bytes = this.#draft.get(this.#prefix + key);
    return bytes === undefined ? undefined : (JSON.parse(decodeUtf8(bytes)) as T);
  }

  put<T>(key: string, value: T): void {
    this.#draft.put(this.#prefix + key, utf8(JSON.stringify(value)));
  }

  delete(key: string): void {
    this.#draft.delete(this.#prefix + key);
  }

  raise({ cause, index, title, detail }: Cause): void {
    if (this.#quiet) return;
    const { name, severity } = this.#rule;
    this.#draft.raise({
      id: alertId(name, this.origin, ...cause),
      rule: name,
      severity,
      origin: this.origin,
      at: this.now,
      ...(index !== undefined && { index }),
      title: clipped(title, maxTitle),
      detail: clipped(detail, maxDetail),
    });
  }
}

/** A short key for texts that strangers wrote. */
export function stateKey(...texts: readonly string[]): string {
  return encodeHex(sha256(utf8(JSON.stringify(texts))).subarray(0, 16));
}

function clipped(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
