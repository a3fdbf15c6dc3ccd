/**
 * A vendor, its builder, rebuilders, supervisor, reviewer and channels, on a real log in memory: a release
 * that passes, told as a draft of which an attack changes one thing.
 */
import { encodeBase64 } from '../../src/encoding/base64.ts';
import { utf8 } from '../../src/encoding/bytes.ts';
import { encodeHex } from '../../src/encoding/hex.ts';
import { leafIndex, treeSize } from '../../src/encoding/integer.ts';
import { nodeVerifier } from '../../src/keys/node-verifier.ts';
import { proveMultiInclusion } from '../../src/merkle/multi-inclusion.ts';
import { formatCheckpoint } from '../../src/note/checkpoint.ts';
import { formatNote } from '../../src/note/note.ts';
import { signNote, type NoteSigner } from '../../src/note/sign.ts';
import { formatVkey } from '../../src/note/vkey.ts';
import { formatReleaseFile } from '../../src/proof/release-file.ts';
import type { Signer } from '../../src/signature/port.ts';
import { channelStatement } from '../../src/statement/channel.ts';
import { provenanceStatement } from '../../src/statement/provenance.ts';
import { releaseStatement } from '../../src/statement/release.ts';
import { verificationSummaryStatement } from '../../src/statement/verification-summary.ts';
import { parseReleasePolicy } from '../../src/verify/release-policy.ts';
import type { TrustState } from '../../src/verify/trust-state.ts';
import { verifyRelease, type ReleaseVerdict } from '../../src/verify/verify-release.ts';
import { MemoryLog, numbered } from '../client/memory-log.ts';
import { newNoteSigner, newSigner } from '../note/new-signer.ts';
import { sha256, signed } from './released.ts';

export const HOUR = 3600;
export const DAY = 24 * HOUR;
/** The clients' clock. */
export const NOW = 1_795_500_000;
export const purl = 'pkg:generic/acme/scanner@1.2.3';
export const repository = 'git+https://git.acme.example/scanner';
const source = `${repository}@${'a'.repeat(40)}`;
const tree = sha256('the source tree');
export const artifact = sha256('the build');
const builderId = 'https://ci.acme.example/release';

const partyNames = [
  'acme-release',
  'acme-ci',
  'debian',
  'uni',
  'bsi',
  'auditor',
  'acme-channel',
  'bsi-channel',
  'stranger',
] as const;
export type Party = (typeof partyNames)[number];

export interface Said {
  payload: Uint8Array;
  by: Party;
}

type ChannelInput = Parameters<typeof channelStatement>[0];
export type ChannelDraft = { -readonly [Member in keyof ChannelInput]: ChannelInput[Member] } & {
  by: Party;
};

/** JSON of a policy, as far as attacks change it. */
export interface PolicyDraft {
  version: number;
  trust: string[];
  keys: Record<string, { key: string; organisation?: string; until?: number }>;
  products: [Record<string, unknown>, ...Record<string, unknown>[]];
  floors: { treeSize: number; channels: Record<string, number> };
}

/** What is logged, and how it is shown to the client. */
export interface Draft {
  sha256: Uint8Array;
  now: number;
  purl: string | undefined;
  state: TrustState | undefined;
  policy: PolicyDraft;
  statements: Record<string, Said>;
  channels: Record<string, ChannelDraft>;
  /** When each witness cosigned; who is not here did not. */
  cosigned: Record<string, number>;
  /** The last word on what the client is given. */
  given: (files: Files, made: Made) => Files | Promise<Files>;
}

export interface Files {
  proof: Uint8Array;
  channels: Uint8Array[];
}

export interface Made {
  readonly log: MemoryLog;
  /** By the names in `statements` and `channels`. */
  readonly indexes: Readonly<Record<string, number>>;
  readonly note: (log?: MemoryLog, cosigned?: Record<string, number>) => Promise<Uint8Array>;
  readonly file: (
    indexes: readonly number[],
    options?: { log?: MemoryLog; note?: Uint8Array; channels?: readonly Uint8Array[] },
  ) => Promise<Uint8Array>;
}

export class Scene {
  readonly log: MemoryLog;
  readonly witnesses: Readonly<Record<string, NoteSigner>>;
  readonly #signers: Readonly<Record<Party, Signer>>;

  private constructor(
    log: MemoryLog,
    witnesses: Record<string, NoteSigner>,
    signers: Record<Party, Signer>,
  ) {
    this.log = log;
    this.witnesses = witnesses;
    this.#signers = signers;
  }

  static async create(): Promise<Scene> {
    const signers = await Promise.all(
      partyNames.map(async (name) => [name, await newSigner('ed25519')] as const),
    );
    const witnesses = await Promise.all(
      ['w1', 'w2', 'w3', 'other'].map(
        async (name) =>
          [name, await newNoteSigner(`${name}.example`, name === 'w3' ? 0x06 : 0x04)] as const,
      ),
    );
    return new Scene(
      await MemoryLog.create(numbered(5)),
      Object.fromEntries(witnesses),
      Object.fromEntries(signers) as Record<Party, Signer>,
    );
  }

  signer(party: Party): Signer {
    return this.#signers[party];
  }

  vkey(witness: string): string {
    return formatVkey(this.witnesses[witness]!.key);
  }

  /** A release that the strictest policy accepts. */
  draft(): Draft {
    return {
      sha256: artifact,
      now: NOW,
      purl,
      state: undefined,
      policy: this.#policy(),
      statements: statements(),
      channels: {
        stable: this.channel('acme/stable', 'acme-channel'),
        approved: this.channel('bsi/approved', 'bsi-channel', 'approvals'),
      },
      cosigned: { w1: NOW - 100, w2: NOW - 90, w3: NOW - 80 },
      given: (files) => files,
    };
  }

  channel(channel: string, by: Party, kind: ChannelDraft['kind'] = 'releases'): ChannelDraft {
    return {
      by,
      origin: this.log.origin,
      channel,
      kind,
      sequence: 7,
      previous: leafIndex(1),
      issued: NOW - HOUR,
      expires: NOW + DAY,
      current: [{ purl, sha256: [encodeHex(artifact)] }],
      withdrawn: [],
    };
  }

  /** Logs all that the draft says, and gives the client what it shows. */
  async judge(draft: Draft): Promise<ReleaseVerdict> {
    const log = this.log.fork(5);
    const indexes: Record<string, number> = {};
    for (const [name, { payload, by }] of Object.entries(draft.statements)) {
      indexes[name] = log.entries.push(await signed(payload, this.signer(by))) - 1;
    }
    for (const [name, { by, ...state }] of Object.entries(draft.channels)) {
      const entry = await signed(channelStatement(state), this.signer(by));
      indexes[name] = log.entries.push(entry) - 1;
    }
    log.entries.push(...numbered(3, 'later'));
    const made: Made = {
      log,
      indexes,
      note: (of = log, cosigned = draft.cosigned) => this.note(of, cosigned),
      file: async (wanted, { log: of = log, note, channels = [] } = {}) =>
        releaseFile(of, wanted, note ?? (await this.note(of, draft.cosigned)), channels),
    };
    const at = (name: string): number => indexes[name]!;
    const proof = await made.file(Object.keys(draft.statements).map(at));
    const channels = await Promise.all(
      Object.keys(draft.channels).map((name) => made.file([at(name)])),
    );
    const given = await draft.given({ proof, channels }, made);
    return verifyRelease({
      artifact: { sha256: draft.sha256 },
      ...given,
      policy: parseReleasePolicy(utf8(JSON.stringify(draft.policy))),
      now: draft.now,
      state: draft.state,
      purl: draft.purl,
      verifier: nodeVerifier,
    });
  }

  /** The checkpoint of all that `log` holds, cosigned at these times. */
  async note(log: MemoryLog, cosigned: Record<string, number>): Promise<Uint8Array> {
    const size = treeSize(log.entries.length);
    const { origin } = log;
    const text = formatCheckpoint({ origin, size, root: log.root(size), extensions: [] });
    const own = await signNote(text, [log.signer]);
    const others = await Promise.all(
      Object.entries(cosigned).map(([name, time]) => signNote(text, [this.witnesses[name]!], time)),
    );
    const signatures = [own, ...others].flatMap((note) => note.signatures);
    return utf8(formatNote({ text, signatures }));
  }

  #policy(): PolicyDraft {
    const key = (party: Party): { key: string } => ({
      key: encodeBase64(this.signer(party).publicKey.spki),
    });
    const named = partyNames.filter((party) => party !== 'stranger');
    return {
      version: 3,
      trust: [
        `log ${this.log.vkey}`,
        ...['w1', 'w2', 'w3'].map((name) => `witness ${name} ${this.vkey(name)}`),
        'group witnesses 2 w1 w2 w3',
        'quorum witnesses',
      ],
      keys: Object.fromEntries(named.map((party) => [party, key(party)])),
      products: [
        {
          purl: 'pkg:generic/acme/*',
          issuers: ['acme-release'],
          builders: { keys: ['acme-ci'], ids: [builderId] },
          source: { repository, commits: ['a'.repeat(40)], commitments: [encodeHex(tree)] },
          rebuilds: { threshold: 2, keys: ['debian', 'uni'], sourceChecked: true },
          approvals: { threshold: 1, keys: ['bsi'] },
          reviews: { threshold: 1, keys: ['auditor'] },
          assembly: { sites: ['Zurich'], jurisdictions: ['CH'] },
          signing: { jurisdictions: ['CH'] },
          channels: [
            { channel: 'acme/stable', keys: ['acme-channel'], maxAge: '25h' },
            { channel: 'bsi/approved', keys: ['bsi-channel'], maxAge: '7d' },
          ],
          checkpointMaxAge: '24h',
        },
      ],
      floors: { treeSize: 0, channels: {} },
    };
  }
}

async function releaseFile(
  log: MemoryLog,
  indexes: readonly number[],
  checkpoint: Uint8Array,
  channels: readonly Uint8Array[],
): Promise<Uint8Array> {
  const ascending = [...indexes].sort((a, b) => a - b);
  const { proof } = await proveMultiInclusion(ascending, log.entries.length, log.read);
  const entries = ascending.map((index) => ({
    index: leafIndex(index),
    entry: log.entries[index]!,
  }));
  return formatReleaseFile({ checkpoint, entries, proof, channels });
}

type ProvenanceInput = Parameters<typeof provenanceStatement>[0];
type SummaryInput = Parameters<typeof verificationSummaryStatement>[0];
const subjects = [{ name: 'scanner.bin', sha256: artifact }];

export function release(changes: Partial<Parameters<typeof releaseStatement>[0]> = {}): Uint8Array {
  return releaseStatement({ purl, subjects, kind: 'build', ...changes });
}

export function provenance(changes: Partial<ProvenanceInput> = {}): Uint8Array {
  const zurich = { site: 'Zurich', jurisdiction: 'CH' };
  return provenanceStatement({
    subjects,
    buildType: 'https://acme.example/make/v1',
    builderId,
    externalParameters: {},
    source,
    commitment: tree,
    assembly: zurich,
    signing: zurich,
    ...changes,
  });
}

export function rebuild(builder: string, changes: Partial<ProvenanceInput> = {}): Uint8Array {
  return provenance({
    builderId: `https://${builder}.example/rebuild`,
    assembly: undefined,
    signing: undefined,
    sourceChecked: tree,
    claims: artifact,
    ...changes,
  });
}

export function approval(changes: Partial<SummaryInput> = {}): Uint8Array {
  return verificationSummaryStatement({
    subjects,
    verifierId: 'https://bsi.example',
    timeVerified: NOW - HOUR,
    resourceUri: purl,
    policyUri: 'https://bsi.example/rules/4',
    result: 'PASSED',
    ...changes,
  });
}

export function review(changes: Partial<SummaryInput> = {}): Uint8Array {
  return approval({
    subjects: [{ name: 'scanner 1.2.3', sha256: tree }],
    verifierId: 'https://auditor.example',
    resourceUri: source,
    ...changes,
  });
}

function statements(): Record<string, Said> {
  return {
    release: { payload: release(), by: 'acme-release' },
    provenance: { payload: provenance(), by: 'acme-ci' },
    debian: { payload: rebuild('debian'), by: 'debian' },
    uni: { payload: rebuild('uni'), by: 'uni' },
    approval: { payload: approval(), by: 'bsi' },
    review: { payload: review(), by: 'auditor' },
  };
}
