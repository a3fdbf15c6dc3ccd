/** A release that nobody rebuilt or approved in time. */
import { encodeHex } from '../../encoding/hex.ts';
import type { Statement } from '../../statement/in-toto.ts';
import { readProvenance } from '../../statement/provenance.ts';
import { readVerificationSummary } from '../../statement/verification-summary.ts';
import type { AuditedEntry } from '../draft.ts';
import { isAbout, listed } from './products.ts';
import type { Rule } from './rule.ts';
import type { FingerprintThreshold, UnconfirmedConfig } from './rule-config.ts';
import { stateKey, type RuleScope } from './scope.ts';

/** A release that waits for its deadline. They stand in a queue: all wait equally long. */
interface Waiting {
  readonly index: number;
  readonly product: string;
  /** Lowercase hex. */
  readonly digests: readonly string[];
  /** Seconds since 1970. */
  readonly deadline: number;
}

interface Queue {
  readonly first: number;
  readonly next: number;
}

/** Fingerprints of the keys that confirmed one digest. */
interface Confirmations {
  readonly rebuilds: readonly string[];
  readonly approvals: readonly string[];
}

const none: Confirmations = { rebuilds: [], approvals: [] };

export class Unconfirmed implements Rule {
  readonly #config: UnconfirmedConfig;

  constructor(config: UnconfirmedConfig) {
    this.#config = config;
  }

  entry({ index, claim, statement }: AuditedEntry, scope: RuleScope): void {
    if (claim === undefined || claim.kind === 'admission' || statement === undefined) return;
    const { rebuilds, approvals } = this.#config;
    switch (claim.kind) {
      case 'release':
        if (isAbout(this.#config.products, claim.purls)) {
          this.#wait(index, listed(claim.purls), statement, scope);
        }
        return;
      case 'provenance':
        if (rebuilds?.keys.has(claim.signer) === true && reproduced(statement)) {
          confirm('rebuilds', claim.signer, statement, true, scope);
        }
        return;
      case 'verification summary':
        if (approvals?.keys.has(claim.signer) === true) {
          const passed = readVerificationSummary(statement).result === 'PASSED';
          confirm('approvals', claim.signer, statement, passed, scope);
        }
        return;
      case 'channel':
      case 'withdrawal':
      case 'source commitment':
        return;
    }
  }

  tick(scope: RuleScope): void {
    const queue = scope.get<Queue>('queue');
    if (queue === undefined) return;
    const latest = scope.now + this.#config.after;
    let { first } = queue;
    for (; first < queue.next; first++) {
      const key = `queue/${first}`;
      const waiting = scope.get<Waiting>(key);
      if (waiting !== undefined && waiting.deadline > scope.now) {
        // The clock was ahead when it was queued: it must not hold up those behind it for longer.
        if (waiting.deadline > latest) scope.put<Waiting>(key, { ...waiting, deadline: latest });
        break;
      }
      if (waiting !== undefined) this.#judge(waiting, scope);
      scope.delete(key);
    }
    if (first > queue.first) scope.put<Queue>('queue', { first, next: queue.next });
  }

  #wait(index: number, product: string, { subject }: Statement, scope: RuleScope): void {
    if (scope.quiet) return;
    const digests = subject.map(({ sha256 }) => encodeHex(sha256));
    const { first, next } = scope.get<Queue>('queue') ?? { first: 0, next: 0 };
    const deadline = scope.now + this.#config.after;
    scope.put<Waiting>(`queue/${next}`, { index, product, digests, deadline });
    scope.put<Queue>('queue', { first, next: next + 1 });
  }

  #judge({ index, product, digests }: Waiting, scope: RuleScope): void {
    const { rebuilds, approvals } = this.#config;
    const found = digests.map((digest) => scope.get<Confirmations>(`of/${digest}`) ?? none);
    const least = (of: keyof Confirmations): number =>
      Math.min(...found.map((each) => each[of].length));
    const missing = [
      lack('rebuilds', rebuilds, least('rebuilds')),
      lack('approvals', approvals, least('approvals')),
    ].filter((text) => text !== undefined);
    if (missing.length === 0) return;
    const hours = Math.round(this.#config.after / 360) / 10;
    scope.raise({
      cause: [stateKey(product, ...digests)],
      index,
      title: `${product} was not confirmed in time: ${missing.join('; ')}`,
      detail: `Entry ${index} was released ${hours} hours ago or longer, with ${digests.slice(0, 8).join(', ')}; each of its files must be confirmed.`,
    });
  }
}

function lack(
  what: string,
  wanted: FingerprintThreshold | undefined,
  got: number,
): string | undefined {
  if (wanted === undefined || got >= wanted.threshold) return undefined;
  return `${got} of ${wanted.threshold} ${what}`;
}

/** A rebuild that came out different names its own result, which must confirm nothing. */
function reproduced(statement: Statement): boolean {
  const { claims } = readProvenance(statement);
  const same = claims && encodeHex(claims);
  return same === undefined || statement.subject.some(({ sha256 }) => encodeHex(sha256) === same);
}

function confirm(
  kind: keyof Confirmations,
  signer: string,
  { subject }: Statement,
  holds: boolean,
  scope: RuleScope,
): void {
  for (const { sha256 } of subject) {
    const key = `of/${encodeHex(sha256)}`;
    const before = scope.get<Confirmations>(key) ?? none;
    if (before[kind].includes(signer) === holds) continue;
    const others = before[kind].filter((other) => other !== signer);
    scope.put<Confirmations>(key, { ...before, [kind]: holds ? [...others, signer] : others });
  }
}
