/**
 * Gathers cosignatures: one checkpoint goes to all witnesses at once, each has its own deadline, and
 * none waits for another. The quorum is what the trust policy says (C2SP tlog-policy).
 */
import { DaybookError } from '../errors.ts';
import type { SignatureLine } from '../note/note.ts';
import { reachesQuorum, type PolicyWitness, type TrustPolicy } from '../verify/policy.ts';
import { Witness, type Signed, type WitnessOptions } from './witness.ts';

/** One checkpoint on its way. Neither promise rejects. */
export interface Gathering {
  /** True as soon as the quorum has cosigned, false when each witness had its say without one. */
  readonly quorum: Promise<boolean>;
  /** When each witness had its say: false when one was passed over, for a newer checkpoint. */
  readonly ended: Promise<boolean>;
}

export interface GatherEvents {
  readonly onCosigned: (lines: readonly SignatureLine[]) => void;
  /** The witness says that it knows another or a larger tree than the log has ever signed. */
  readonly onContradiction: (witness: Witness) => void;
}

export class Gatherer {
  readonly policy: TrustPolicy;
  readonly witnesses: readonly Witness[];
  readonly #stopping = new AbortController();

  /**
   * Witness lines with one URL are one witness with several keys. Throws `bad-policy` for a line
   * without URL: nobody could ask that witness what it knows; `bad-usage` for a wrong one.
   */
  constructor(policy: TrustPolicy, options: Omit<WitnessOptions, 'signal'>) {
    const { signal } = this.#stopping;
    this.policy = policy;
    this.witnesses = [...byUrl(policy.witnesses)].map(
      ([url, lines]) => new Witness(url, lines, { ...options, signal }),
    );
  }

  /** Ends when the log stops. */
  get signal(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Names of the witnesses that cosigned nothing when they were asked last. */
  get silent(): string[] {
    return namesOf(this.witnesses.filter(({ silent }) => silent));
  }

  /** Whether those who are not left alone just now could make up a quorum. */
  get hopeful(): boolean {
    const askable = this.witnesses.filter((witness) => witness.askable);
    return reachesQuorum(this.policy, new Set(namesOf(askable)));
  }

  gather(signed: Signed, { onCosigned, onContradiction }: GatherEvents): Gathering {
    const cosigners = new Set<string>();
    let complete = true;
    let settleQuorum!: (reached: boolean) => void;
    const quorum = new Promise<boolean>((resolve) => (settleQuorum = resolve));
    const ask = async (witness: Witness): Promise<void> => {
      const answer = await witness.ask(signed);
      if (answer.kind === 'superseded') complete = false;
      if (answer.kind === 'ahead' || answer.kind === 'conflict') onContradiction(witness);
      if (answer.kind !== 'cosigned') return;
      for (const name of answer.names) cosigners.add(name);
      onCosigned(answer.lines);
      if (reachesQuorum(this.policy, cosigners)) settleQuorum(true);
    };
    if (reachesQuorum(this.policy, cosigners)) settleQuorum(true);
    const ended = Promise.all(this.witnesses.map(ask)).then(() => {
      settleQuorum(false);
      return complete;
    });
    return { quorum, ended };
  }

  /** Ends what is on its way: whoever has not answered yet is silent. */
  stop(): void {
    this.#stopping.abort();
  }
}

export function namesOf(witnesses: readonly Witness[]): string[] {
  return witnesses.flatMap(({ names }) => names);
}

function byUrl(witnesses: readonly PolicyWitness[]): Map<string, PolicyWitness[]> {
  const found = new Map<string, PolicyWitness[]>();
  for (const witness of witnesses) {
    const { name, url } = witness;
    if (url === undefined) {
      throw new DaybookError('bad-policy', `witness ${name} has no URL at which it could be asked`);
    }
    found.set(url, [...(found.get(url) ?? []), witness]);
  }
  return found;
}
