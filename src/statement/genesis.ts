/**
 * Genesis: entry 0 of every log, signed by its own registrar. It fixes for the log's life:
 *
 *     "subject":[{"name":"<origin>","digest":{"sha256":"<SHA-256 of the origin>"}}],
 *     "predicateType":"urn:daybook:predicate:genesis:v1",
 *     "predicate":{"origin":"log.acme.example","logKeys":["<vkey>"],"admission":"issuers",
 *       "registrar":{"threshold":1,"keys":["<base64 SPKI>"]}}
 *
 * Unlike in other predicates, unknown members are refused: nobody should sign what nobody reads.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase64, encodeBase64 } from '../encoding/base64.ts';
import { equalBytes, utf8 } from '../encoding/bytes.ts';
import type { JsonValue } from '../encoding/strict-json.ts';
import { DaybookError } from '../errors.ts';
import { checkKeyName, parseVkey } from '../note/vkey.ts';
import type { PublicKey } from '../signature/port.ts';
import { publicKeyFromSpki } from '../signature/public-key.ts';
import { formatStatement, type Statement } from './in-toto.ts';
import { shape } from './shape.ts';

/** `issuers`: only statements of admitted issuers are entries. `open`: any 1 to 65,535 bytes are. */
export type AdmissionMode = 'issuers' | 'open';

export interface Registrar {
  /** How many distinct registrar keys sign an admission entry: exactly so many, no more. */
  readonly threshold: number;
  readonly keys: readonly PublicKey[];
}

export interface Genesis {
  readonly origin: string;
  /** vkeys named by the origin, which sign this log's checkpoints. */
  readonly logKeys: readonly string[];
  readonly admission: AdmissionMode;
  readonly registrar: Registrar;
}

export const genesisPredicateType = 'urn:daybook:predicate:genesis:v1';
const maxLogKeys = 8;
const maxRegistrarKeys = 16;
const { object, array, string, integer, only, within } = shape('bad-statement');

/** Payload bytes, to be signed by `threshold` of the registrar's keys. Throws `bad-statement`. */
export function genesisStatement(genesis: Genesis): Uint8Array {
  const { origin, logKeys, admission, registrar } = genesis;
  const statement: Statement = {
    subject: [{ name: origin, sha256: sha256(utf8(origin)) }],
    predicateType: genesisPredicateType,
    predicate: {
      origin,
      logKeys,
      admission,
      registrar: {
        threshold: registrar.threshold,
        keys: registrar.keys.map(({ spki }) => encodeBase64(spki)),
      },
    },
  };
  readGenesis(statement);
  return formatStatement(statement);
}

/** Reads a statement of `genesisPredicateType`. Throws `bad-statement` or `bad-key`. */
export function readGenesis({ subject, predicate }: Statement): Genesis {
  only(predicate, ['origin', 'logKeys', 'admission', 'registrar'], 'genesis');
  const origin = string(predicate.origin, 'origin');
  checkKeyName(origin);
  const [artifact] = subject;
  if (subject.length !== 1 || !artifact || !equalBytes(artifact.sha256, sha256(utf8(origin)))) {
    throw new DaybookError('bad-statement', 'the one subject of a genesis is SHA-256(origin)');
  }
  const admission = string(predicate.admission, 'admission');
  if (admission !== 'issuers' && admission !== 'open') {
    throw new DaybookError('bad-statement', `admission is "${admission}", want issuers or open`);
  }
  return {
    origin,
    logKeys: readLogKeys(predicate.logKeys, origin),
    admission,
    registrar: readRegistrar(predicate.registrar),
  };
}

function readLogKeys(value: JsonValue | undefined, origin: string): string[] {
  const vkeys = array(value, 'logKeys', maxLogKeys).map((vkey) => string(vkey, 'log key'));
  const names = vkeys.map((vkey) => parseVkey(vkey).name);
  if (names.length === 0 || names.some((name) => name !== origin)) {
    throw new DaybookError(
      'bad-statement',
      `logKeys are named ${names.join(', ') || 'by nothing'}, want at least one, all named ${origin}`,
    );
  }
  return vkeys;
}

function readRegistrar(value: JsonValue | undefined): Registrar {
  const registrar = object(value, 'registrar');
  only(registrar, ['threshold', 'keys'], 'registrar');
  const keys = array(registrar.keys, 'registrar.keys', maxRegistrarKeys).map((key) =>
    readKey(key, 'registrar key'),
  );
  const threshold = integer(registrar.threshold, 'registrar.threshold', 1);
  const distinct = new Set(keys.map(({ fingerprint }) => fingerprint)).size;
  if (distinct !== keys.length || threshold > keys.length) {
    throw new DaybookError(
      'bad-statement',
      `registrar has ${keys.length} keys, ${distinct} distinct, and threshold ${threshold}; want distinct keys and no higher threshold`,
    );
  }
  return { threshold, keys };
}

/** A public key as base64 of its DER SubjectPublicKeyInfo. Throws `bad-statement` or `bad-key`. */
export function readKey(value: JsonValue | undefined, what: string): PublicKey {
  const text = string(value, what);
  return publicKeyFromSpki(within(what, () => decodeBase64(text)));
}
