/** A log as a monitor's rules see it: parties that sign, entries that are admitted, a clock that is set. */
import { onTestFinished } from 'vitest';
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { leafIndex } from '../../src/encoding/integer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import type { Alert } from '../../src/monitor/alert.ts';
import { Change } from '../../src/monitor/change.ts';
import { parseMonitorConfig } from '../../src/monitor/config.ts';
import type { AuditedEntry } from '../../src/monitor/draft.ts';
import { Outbox } from '../../src/monitor/outbox.ts';
import type { SeenHead } from '../../src/monitor/rules/rule.ts';
import { Rules } from '../../src/monitor/rules/rules.ts';
import type { Signer } from '../../src/signature/port.ts';
import { advance, examine, type AdmissionState } from '../../src/statement/admission.ts';
import { parseEnvelope } from '../../src/statement/dsse.ts';
import { parseStatement } from '../../src/statement/in-toto.ts';
import type { Role } from '../../src/statement/issuer.ts';
import { openRecordStore } from '../../src/store/record-store.ts';
import { changePayload, logKey, newLog, newSigner, origin, signed } from '../statement/parties.ts';
import { temporaryDirectory } from '../store/temporary-directory.ts';

export const START = 1_795_500_000;
const partyRoles = {
  vendor: ['release', 'provenance', 'withdraw', 'channel'],
  builder: ['provenance'],
  rebuilder: ['rebuild'],
  second: ['rebuild'],
  supervisor: ['approve', 'channel'],
  stranger: ['release', 'channel', 'withdraw', 'provenance'],
} as const satisfies Record<string, readonly Role[]>;
export type Party = keyof typeof partyRoles;
const scopes = ['pkg:generic/acme/*', 'pkg:generic/other/*', 'pkg:channel/acme/*'];

export class RuleScene {
  /** Seconds since 1970. */
  now = START;
  readonly parties: Readonly<Record<Party, Signer>>;
  readonly registrar: Signer;
  readonly outbox: Outbox;
  readonly #rules: Rules;
  #state: AdmissionState;
  #next = 1;

  private constructor(
    outbox: Outbox,
    rules: Rules,
    registrar: Signer,
    state: AdmissionState,
    parties: Readonly<Record<Party, Signer>>,
  ) {
    this.outbox = outbox;
    this.#rules = rules;
    this.registrar = registrar;
    this.#state = state;
    this.parties = parties;
  }

  /** `rules` as in the config file; `parties` are its keys. They are admitted before the rules look. */
  static async open(
    rules: readonly object[],
    options: {
      readonly trust?: readonly string[];
      readonly quietBelow?: number;
      readonly folder?: string;
    } = {},
  ): Promise<RuleScene> {
    const names = Object.keys(partyRoles) as Party[];
    const signers = await Promise.all(
      names.map(async (name) => [name, await newSigner()] as const),
    );
    const parties = Object.fromEntries(signers) as Record<Party, Signer>;
    const keys = signers.map(([name, { publicKey }]) => [name, encodeBase64(publicKey.spki)]);
    const { trust, quietBelow = 0, folder = '/nowhere' } = options;
    const log = { ...(trust ? { policy: trust } : { vkeys: [logKey] }), quietBelow };
    const json = {
      data: 'state',
      logs: [{ ...log, url: 'https://log.acme.example' }],
      keys: Object.fromEntries(keys) as Record<string, string>,
      rules,
    };
    const config = parseMonitorConfig(utf8(JSON.stringify(json)), `${folder}/monitor.json`);
    const store = await openRecordStore(await temporaryDirectory(), { create: true });
    onTestFinished(() => store.close());
    const outbox = await Outbox.open(store, [], { report: () => undefined });
    const registrar = await newSigner();
    let state = await newLog(registrar);
    for (const name of names) {
      const change = {
        issuer: parties[name],
        name,
        roles: partyRoles[name],
        purls: scopes,
        sequence: state.nextSequence,
      };
      const entry = await signed(changePayload(change), registrar);
      state = advance(state, (await examine(state, entry, nodeVerifier)).claim);
    }
    return new RuleScene(outbox, new Rules(config), registrar, state, parties);
  }

  /** Alerts that were raised so far, in that order. */
  get alerts(): readonly Alert[] {
    return this.outbox.newest.toReversed();
  }

  /** Logs a statement; gives the index of its entry. */
  async log(payload: Uint8Array, by: Party | Signer = 'vendor'): Promise<number> {
    const signer = typeof by === 'string' ? this.parties[by] : by;
    const entry = await signed(payload, signer);
    const { claim } = await examine(this.#state, entry, nodeVerifier);
    this.#state = advance(this.#state, claim);
    const statement = parseStatement(parseEnvelope(entry).payload);
    const index = leafIndex(this.#next++);
    await this.see({ origin, index, entry, statement, claim });
    return index;
  }

  /** An admission entry by the registrar. */
  admission(change: Omit<Parameters<typeof changePayload>[0], 'sequence'>): Promise<number> {
    const payload = changePayload({ ...change, sequence: this.#state.nextSequence });
    return this.log(payload, this.registrar);
  }

  async see(entry: AuditedEntry): Promise<void> {
    await this.#change((change) => this.#rules.entry(entry, change));
  }

  async head(head: Omit<SeenHead, 'origin' | 'note'>): Promise<void> {
    await this.#change((change) =>
      this.#rules.head({ ...head, origin, note: new Uint8Array() }, change),
    );
  }

  async tick(): Promise<void> {
    await this.#change((change) => this.#rules.tick(origin, change));
  }

  async #change(use: (change: Change) => void): Promise<void> {
    const { records, raise } = this.outbox;
    const change = new Change(records, raise, this.now * 1000);
    use(change);
    await change.commit();
  }
}
