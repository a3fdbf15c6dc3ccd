/**
 * Who really stands behind a quorum: lines of a tlog-policy are keys, but what a threshold is meant to
 * count are operators. An operator with several keys (Ed25519 and ML-DSA-44) belongs in one `any`
 * group, which counts once.
 */
import type { PolicyGroup, PolicyWitness, TrustPolicy } from './policy.ts';
import type { ReleasePolicy } from './release-policy.ts';

/** An operator that counts more than once in a group, and through which members. */
export interface CountedTwice {
  readonly group: PolicyGroup;
  readonly operator: string;
  readonly members: readonly string[];
  /** Whether it fills these members alone, or is only one of those who fill them. */
  readonly alone: boolean;
}

export interface QuorumOperators {
  /** Lines `witness` that the quorum counts. */
  readonly witnesses: readonly PolicyWitness[];
  readonly operators: readonly string[];
  readonly twice: readonly CountedTwice[];
  /** Reach the whole quorum without any other. */
  readonly alone: readonly string[];
}

export function quorumOperators({ trust, organisations }: ReleasePolicy): QuorumOperators {
  const operatorOf = operatorsOf(trust, organisations.witnesses);
  const tree = new QuorumTree(trust, operatorOf);
  const witnesses = trust.quorum === 'none' ? [] : tree.witnessesUnder(trust.quorum);
  const operators = [...new Set(witnesses.map(operatorOf))];
  const groups = trust.groups.filter(({ name }) => tree.isUnder(name, trust.quorum));
  return {
    witnesses,
    operators,
    twice: groups.flatMap((group) => operators.flatMap((each) => tree.countedTwice(group, each))),
    alone: operators.filter((operator) => tree.fills(trust.quorum, operator)),
  };
}

/**
 * Who runs a witness: the organisation that the policy names for it, or for another key of the same
 * witness or host; else the host in its key's name.
 */
export function operatorsOf(
  { witnesses }: TrustPolicy,
  organisations: ReadonlyMap<string, string>,
): (witness: PolicyWitness) => string {
  const spelling = new Map(
    [...organisations.values()].reverse().map((name) => [foldName(name), name]),
  );
  const organisationOf = ({ name }: PolicyWitness): string | undefined => {
    const organisation = organisations.get(name);
    return organisation && spelling.get(foldName(organisation));
  };
  const named = (fits: (other: PolicyWitness) => boolean): string | undefined => {
    const found = witnesses.find((other) => fits(other) && organisations.has(other.name));
    return found && organisationOf(found);
  };
  return (witness) =>
    organisationOf(witness) ??
    named(({ key }) => key.name === witness.key.name) ??
    named(({ key }) => hostOf(key.name) === hostOf(witness.key.name)) ??
    hostOf(witness.key.name);
}

/** Two names that a reader takes for the same give the same. */
export function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase().replace(/\s+/gu, ' ').trim();
}

function hostOf(keyName: string): string {
  return (keyName.split('/', 1)[0] ?? keyName).toLowerCase();
}

class QuorumTree {
  readonly #groups: ReadonlyMap<string, PolicyGroup>;
  readonly #witnesses: ReadonlyMap<string, PolicyWitness>;
  readonly #operatorOf: (witness: PolicyWitness) => string;

  constructor({ groups, witnesses }: TrustPolicy, operatorOf: (witness: PolicyWitness) => string) {
    this.#groups = new Map(groups.map((group) => [group.name, group]));
    this.#witnesses = new Map(witnesses.map((witness) => [witness.name, witness]));
    this.#operatorOf = operatorOf;
  }

  witnessesUnder(name: string): PolicyWitness[] {
    const witness = this.#witnesses.get(name);
    if (witness !== undefined) return [witness];
    return (this.#groups.get(name)?.members ?? []).flatMap((member) => this.witnessesUnder(member));
  }

  isUnder(name: string, top: string): boolean {
    if (name === top) return true;
    return (this.#groups.get(top)?.members ?? []).some((member) => this.isUnder(name, member));
  }

  /** Whether this operator's keys alone are enough for a witness or group. */
  fills(name: string, operator: string): boolean {
    const witness = this.#witnesses.get(name);
    if (witness !== undefined) return this.#operatorOf(witness) === operator;
    const group = this.#groups.get(name);
    if (group === undefined) return false;
    const filled = group.members.filter((member) => this.fills(member, operator));
    return filled.length >= group.threshold;
  }

  countedTwice(group: PolicyGroup, operator: string): CountedTwice[] {
    const operators = new Set(this.witnessesUnder(group.name).map(this.#operatorOf));
    // A group of one operator's keys is that operator, however many of its keys it wants.
    if (group.threshold < 2 || operators.size < 2) return [];
    const filled = group.members.filter((member) => this.fills(member, operator));
    if (filled.length > 1) return [{ group, operator, members: filled, alone: true }];
    const shared = group.members.filter((member) =>
      this.witnessesUnder(member).some((witness) => this.#operatorOf(witness) === operator),
    );
    return shared.length > 1 ? [{ group, operator, members: shared, alone: false }] : [];
  }
}
