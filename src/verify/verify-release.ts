/**
 * The verdict on one artifact by a release policy, offline. What the log's signature, the witnesses
 * and the tree must vouch for comes first, and its failure ends everything; then every rule of the
 * policy is judged, so that a refusal can be explained in full.
 */
import { DaybookError, type ErrorCode } from '../errors.ts';
import type { TreeHasher } from '../merkle/hash.ts';
import type { SignatureVerifier } from '../signature/port.ts';
import { webVerifier } from '../signature/web-verifier.ts';
import { channelPredicateType } from '../statement/channel.ts';
import { purlScope } from '../statement/purl.ts';
import type { ProductRule, ReleasePolicy } from './release-policy.ts';
import { withAccepted, withSeen } from './remembered.ts';
import { checkApprovals, checkReviews, checkWithdrawal } from './rules/approval.ts';
import { checkRebuilds, judgeBuilds, warnOfMismatches, type Build } from './rules/build.ts';
import { checkChannel } from './rules/channel.ts';
import {
  checkCheckpointAge,
  checkDowngrade,
  checkHeads,
  checkPolicyVersion,
  checkPublicFor,
} from './rules/history.ts';
import { checkProduct, chooseRelease, ruleFor, type Candidates } from './rules/release.ts';
import {
  found,
  Refusal,
  type Case,
  type ChosenRelease,
  type Finding,
  type ShownChannel,
} from './rules/rule.ts';
import { showFile, signedStatements, type ShownFile, type ShownTree } from './shown.ts';
import { emptyTrustState, type TrustState } from './trust-state.ts';

export interface ReleaseRequest {
  /** SHA-256 of the artifact, or of the manifest that names it: 32 bytes, hashed by the caller from the bytes that it will use. */
  readonly artifact: { readonly sha256: Uint8Array };
  /** A `.release` or `.tlog-proof` file. */
  readonly proof: Uint8Array;
  /** Channel files, besides those that the release file carries. */
  readonly channels?: readonly Uint8Array[] | undefined;
  readonly policy: ReleasePolicy;
  /** The client's own clock, in seconds since 1970. */
  readonly now: number;
  /** What the client has seen before; none on a first install. */
  readonly state?: TrustState | undefined;
  /** The product that it should be: a purl, or a scope such as `pkg:generic/acme/*`. */
  readonly purl?: string | undefined;
  readonly verifier?: SignatureVerifier | undefined;
  readonly hasher?: TreeHasher | undefined;
}

export type RuleName =
  | 'proof'
  | 'checkpoint'
  | 'quorum'
  | 'inclusion'
  | 'policy'
  | 'head'
  | 'release'
  | 'product'
  | 'withdrawal'
  | 'builder'
  | 'source'
  | 'assembly'
  | 'signing'
  | 'rebuilds'
  | 'approvals'
  | 'reviews'
  | 'channel'
  | 'checkpoint-age'
  | 'public-for'
  | 'downgrade';

export interface RuleResult {
  readonly rule: RuleName;
  readonly ok: boolean;
  /** Why not: absent when `ok`. */
  readonly code?: ErrorCode;
  /** What was found, for a person to read. */
  readonly detail: string;
  /** Indexes of the entries that show it. */
  readonly indexes: readonly number[];
}

export interface ReleaseVerdict {
  /** True only when every rule was judged and passed. */
  readonly ok: boolean;
  /** Of the first rule that failed: absent when `ok`. */
  readonly code?: ErrorCode;
  readonly rules: readonly RuleResult[];
  /** What was tolerated, such as a grace, and what is worth knowing. */
  readonly warnings: readonly string[];
  readonly release?: {
    readonly purl: string;
    readonly kind: string | undefined;
    readonly index: number;
    readonly origin: string;
    /** The policy's name for the key. */
    readonly issuer: string;
  };
  /**
   * To be stored before the artifact is used, and also when it is refused: who has seen a withdrawal
   * must not be shown an older statement later. The state that was given where nothing new was verified.
   */
  readonly state: TrustState;
  /** Whether the policy lets an administrator accept it nevertheless. */
  readonly mayOverride: boolean;
}

/** Failures that `override` in a policy covers: never those of signatures, inclusion, rollback, or a known withdrawal. */
const overridable: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'builder-refused',
  'source-refused',
  'not-reproduced',
  'not-approved',
  'not-reviewed',
  'place-refused',
  'channel-missing',
  'channel-stale',
  'not-current',
  'checkpoint-stale',
  'too-new',
]);

/**
 * Judges the artifact. Never throws for what is in the files: throws `bad-usage` or `bad-statement` only
 * for a request that could never succeed, with a digest that has not 32 bytes, a time that is none, or
 * a malformed `purl`.
 */
export async function verifyRelease(request: ReleaseRequest): Promise<ReleaseVerdict> {
  const { sha256 } = request.artifact;
  if (sha256.length !== 32) {
    throw new DaybookError('bad-usage', `artifact.sha256 has ${sha256.length} bytes, want 32`);
  }
  if (!Number.isSafeInteger(request.now) || request.now < 0) {
    throw new DaybookError('bad-usage', `now is ${request.now}, want whole seconds since 1970`);
  }
  if (request.purl !== undefined) purlScope(request.purl);
  return new Judge(request).judge();
}

/** Collects the results of one verdict. */
class Judge {
  readonly #request: ReleaseRequest;
  readonly #state: TrustState;
  readonly #verifier: SignatureVerifier;
  readonly #rules: RuleResult[] = [];
  readonly #warnings: string[] = [];

  constructor(request: ReleaseRequest) {
    this.#request = request;
    this.#state = request.state ?? emptyTrustState;
    this.#verifier = request.verifier ?? webVerifier;
  }

  async judge(): Promise<ReleaseVerdict> {
    const file = await this.#show();
    if (file === undefined) return this.#verdict();
    const { policy } = this.#request;
    const keys = [...policy.keys.values()];
    const [channels, candidates] = await Promise.all([
      this.#channels(file),
      signedStatements(file.entries, keys, this.#verifier),
    ]);
    const trees = [file.tree, ...channels.shown.map((channel) => channel.file.tree)];
    this.#try('policy', () => checkPolicyVersion(policy, this.#state));
    let heads = new Map<string, ShownTree>();
    this.#try('head', () => {
      heads = checkHeads(trees, this.#state, policy);
      const shown = [...heads].map(([origin, { size }]) => `${origin} at size ${size}`).join(', ');
      return found(`${shown}: no smaller than was seen, and no fork`);
    });
    const chosen = this.#choose(candidates);
    if (chosen === undefined) return this.#verdict();
    const given: Case = {
      sha256: this.#request.artifact.sha256,
      policy,
      ...chosen,
      state: this.#state,
      time: this.#time(trees),
      tree: file.tree,
      statements: candidates.statements,
      channels: channels.shown,
      refusedChannels: channels.refused,
      warn: (warning) => this.#warnings.push(warning),
    };
    const newest = newestTime(trees);
    this.#judgeRules(given, newest);
    return this.#verdict(given, withSeen(given, heads, newest));
  }

  async #show(): Promise<ShownFile | undefined> {
    const { proof, policy, now, hasher } = this.#request;
    const steps = ['proof', 'checkpoint', 'quorum', 'inclusion'] as const;
    try {
      return await showFile(proof, policy.trust, Math.max(now, this.#state.time), this.#verifier, {
        hasher,
        passed: (rule, detail) => this.#rules.push({ rule, ok: true, detail, indexes: [] }),
      });
    } catch (error) {
      const passed = this.#rules.length;
      // Log signature and quorum are checked by one function, whose code tells which it was.
      const quorum = error instanceof DaybookError && error.code === 'quorum-missing';
      this.#fail(quorum ? 'quorum' : (steps[passed] ?? 'inclusion'), error);
      return undefined;
    }
  }

  /** Channel files that verify; the others count for nothing, since anybody may add one. */
  async #channels(
    file: ShownFile,
  ): Promise<{ shown: readonly ShownChannel[]; refused: readonly string[] }> {
    const { policy, now, hasher, channels = [] } = this.#request;
    const time = Math.max(now, this.#state.time);
    const keys = [...policy.keys.values()];
    const refused: string[] = [];
    const opened = await Promise.all(
      [...file.channels, ...channels].map(async (bytes) => {
        try {
          const shown = await showFile(bytes, policy.trust, time, this.#verifier, { hasher });
          const { statements } = await signedStatements(shown.entries, keys, this.#verifier);
          return statements
            .filter(({ statement }) => statement.predicateType === channelPredicateType)
            .map((signed) => ({ file: shown, signed }));
        } catch (error) {
          refused.push(error instanceof DaybookError ? error.message : String(error));
          return [];
        }
      }),
    );
    return { shown: opened.flat(), refused };
  }

  /** The release statement that names the artifact, and the product rule that it falls under. */
  #choose(
    candidates: Candidates,
  ): { readonly release: ChosenRelease; readonly rule: ProductRule } | undefined {
    const { policy, artifact, purl: wanted } = this.#request;
    let release: ChosenRelease | undefined;
    this.#try('release', () => {
      release = chooseRelease(candidates, artifact.sha256, policy, wanted);
      const { purl, signed } = release;
      return found(`${purl.text}, released by ${signed.key.name}`, [signed]);
    });
    if (release === undefined) return undefined;
    const chosen = release;
    const rule = ruleFor(policy, chosen);
    this.#try('product', () => checkProduct(chosen, rule, wanted));
    return rule && { release, rule };
  }

  #judgeRules(given: Case, newestCheckpoint: number | undefined): void {
    this.#try('withdrawal', () => checkWithdrawal(given));
    const { builds, results } = judgeBuilds(given);
    for (const { rule, outcome } of results) {
      this.#try(rule, () => {
        if (outcome instanceof Refusal) throw outcome;
        return outcome;
      });
    }
    const build = builds.find((each) => isVouchedFor(given, each, builds)) ?? builds[0];
    warnOfMismatches(given);
    this.#try('rebuilds', () => checkRebuilds(given, build));
    this.#try('approvals', () => checkApprovals(given));
    this.#try('reviews', () => checkReviews(given, build, builds));
    for (const channel of given.rule.channels) {
      this.#try('channel', () => checkChannel(given, channel));
    }
    this.#try('checkpoint-age', () => checkCheckpointAge(given, newestCheckpoint));
    this.#try('public-for', () => checkPublicFor(given));
    this.#try('downgrade', () => checkDowngrade(given));
  }

  /** A rule that the policy does not have gives nothing, and leaves no trace. */
  #try(rule: RuleName, check: () => Finding | undefined): void {
    try {
      const finding = check();
      if (finding !== undefined) this.#rules.push({ rule, ok: true, ...finding });
    } catch (error) {
      this.#fail(rule, error);
    }
  }

  #fail(rule: RuleName, error: unknown): void {
    const { code, message } =
      error instanceof DaybookError
        ? error
        : new DaybookError('internal', `unexpected error: ${String(error)}`);
    const indexes = error instanceof Refusal ? error.indexes : [];
    this.#rules.push({ rule, ok: false, code, detail: message, indexes });
  }

  #time(trees: readonly ShownTree[]): number {
    return Math.max(this.#request.now, this.#state.time, newestTime(trees) ?? 0);
  }

  #verdict(given?: Case, seen: TrustState = this.#state): ReleaseVerdict {
    const failed = this.#rules.filter(({ ok }) => !ok);
    const code = failed[0]?.code;
    const ok = failed.length === 0 && given !== undefined;
    const { rule, release, tree } = given ?? {};
    return {
      ok,
      ...(ok ? {} : { code: code ?? 'internal' }),
      rules: this.#rules,
      warnings: this.#warnings,
      ...(release &&
        tree && {
          release: {
            purl: release.purl.text,
            kind: release.kind,
            index: release.signed.index,
            origin: tree.origin,
            issuer: release.signed.key.name,
          },
        }),
      state: ok ? withAccepted(seen, given) : seen,
      mayOverride:
        !ok &&
        rule?.override === true &&
        failed.every((each) => each.code !== undefined && overridable.has(each.code)),
    };
  }
}

/**
 * Whether rebuilders and reviewers speak of this one build: else a vendor could have one source reviewed
 * and another one rebuilt.
 */
function isVouchedFor(given: Case, build: Build, builds: readonly Build[]): boolean {
  try {
    checkRebuilds(given, build);
    checkReviews(given, build, builds);
    return true;
  } catch (error) {
    if (error instanceof DaybookError) return false;
    throw error;
  }
}

function newestTime(trees: readonly ShownTree[]): number | undefined {
  const times = trees.flatMap((tree) => tree.quorumTime ?? []);
  return times.length === 0 ? undefined : Math.max(...times);
}
