/** All rules of a config over all logs: what an audit calls for each entry, head and poll. */
import { originHash } from '../../note/origin-hash.ts';
import type { MonitorConfig } from '../config.ts';
import type { AuditedEntry, Draft } from '../draft.ts';
import { ChannelRule } from './channel-rule.ts';
import { DifferentResult } from './different-result.ts';
import { MissingCosigner } from './missing-cosigner.ts';
import { NewBuilder } from './new-builder.ts';
import { NewIssuer } from './new-issuer.ts';
import { Rejection } from './rejection.ts';
import type { Rule, SeenHead } from './rule.ts';
import type { RuleConfig } from './rule-config.ts';
import { RuleScope } from './scope.ts';
import { StaleCheckpoint } from './stale-checkpoint.ts';
import { Unconfirmed } from './unconfirmed.ts';
import { UnexpectedRelease } from './unexpected-release.ts';
import { WithdrawalRule } from './withdrawal.ts';

/** A rule that watches a log. */
interface Watching {
  readonly config: RuleConfig;
  readonly rule: Rule;
  readonly prefix: string;
}

interface WatchedLog {
  readonly quietBelow: number;
  readonly onEntry: readonly Watching[];
  readonly onHead: readonly Watching[];
  readonly onTick: readonly Watching[];
}

/**
 * Rules keep all that they remember in the drafts, under `rule/`, so that what they saw and what they
 * raised is durable with the progress of the audit, or not at all.
 */
export class Rules {
  readonly #logs: ReadonlyMap<string, WatchedLog>;

  constructor({ rules, logs }: Pick<MonitorConfig, 'rules' | 'logs'>) {
    const made = rules.map((config) => ({ config, rule: ruleOf(config) }));
    this.#logs = new Map(
      logs.map(({ origin, quietBelow }) => {
        const watching = made
          .filter(({ config }) => config.logs?.has(origin) ?? true)
          .map((each) => ({
            ...each,
            prefix: `rule/${originHash(origin)}/${each.config.name}/`,
          }));
        const those = (method: keyof Rule): Watching[] =>
          watching.filter(({ rule }) => rule[method] !== undefined);
        const log = { onEntry: those('entry'), onHead: those('head'), onTick: those('tick') };
        return [origin, { quietBelow, ...log }];
      }),
    );
  }

  /** Each entry of a log once, in the order of the log. */
  entry(audited: AuditedEntry, draft: Draft): void {
    const log = this.#logs.get(audited.origin);
    if (log === undefined) return;
    const quiet = audited.index < log.quietBelow;
    for (const { config, rule, prefix } of log.onEntry) {
      rule.entry?.(audited, new RuleScope(config, audited.origin, draft, { prefix, quiet }));
    }
  }

  /** Each checkpoint that a poll brought, once all entries below it were seen; also the same one again. */
  head(head: SeenHead, draft: Draft): void {
    for (const { config, rule, prefix } of this.#logs.get(head.origin)?.onHead ?? []) {
      rule.head?.(head, new RuleScope(config, head.origin, draft, { prefix, quiet: false }));
    }
  }

  /**
   * After each poll, also when the log was away; but not while entries of a head are still to be seen:
   * what the rules know is old then.
   */
  tick(origin: string, draft: Draft): void {
    for (const { config, rule, prefix } of this.#logs.get(origin)?.onTick ?? []) {
      rule.tick?.(new RuleScope(config, origin, draft, { prefix, quiet: false }));
    }
  }
}

function ruleOf(config: RuleConfig): Rule {
  switch (config.rule) {
    case 'unexpected-release':
      return new UnexpectedRelease(config);
    case 'new-issuer':
      return new NewIssuer(config);
    case 'new-builder':
      return new NewBuilder(config);
    case 'different-result':
      return new DifferentResult(config);
    case 'unconfirmed':
      return new Unconfirmed(config);
    case 'rejection':
      return new Rejection(config);
    case 'withdrawal':
      return new WithdrawalRule(config);
    case 'channel':
      return new ChannelRule(config);
    case 'stale-checkpoint':
      return new StaleCheckpoint(config);
    case 'missing-cosigner':
      return new MissingCosigner(config);
  }
}
