/** Many entries in one request: what the log says of each, before any of it is proven. */
import { concatBytes, decodeUtf8 } from '../encoding/bytes.ts';
import { leafIndex, type LeafIndex } from '../encoding/integer.ts';
import { DaybookError } from '../errors.ts';
import { MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { errorOf, type Http } from '../http/outbound.ts';

export interface Acknowledged {
  readonly index: LeafIndex;
  readonly duplicate: boolean;
}

export type Outcome = Acknowledged | DaybookError;

/** Half of what a log takes in one request. */
const MAX_REQUEST_ENTRIES = 5000;
const MAX_REQUEST_BYTES = 32 * 1024 * 1024;
/** An answer line; problem details are the longest. */
const MAX_LINE_BYTES = 4096;

/** Sends the entries in as many requests as they need. An outcome for each, in their order. */
export async function sendBatch(
  http: Http,
  entries: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const part of requestsOf(entries)) {
    const { body } = await http.call('entries/batch', {
      method: 'POST',
      body: concatBytes(...part.map(cborByteString)),
      contentType: 'application/cbor-seq',
      accept: 'application/x-ndjson',
      maxBytes: (part.length + 1) * MAX_LINE_BYTES,
      signal,
    });
    outcomes.push(...outcomesOf(body, part.length));
  }
  return outcomes;
}

function* requestsOf(entries: readonly Uint8Array[]): Generator<Uint8Array[]> {
  let part: Uint8Array[] = [];
  let bytes = 0;
  for (const entry of entries) {
    if (entry.length > MAX_ENTRY_BYTES) {
      throw new DaybookError(
        'entry-too-large',
        `entry has ${entry.length} bytes, want at most ${MAX_ENTRY_BYTES}: log a manifest instead`,
      );
    }
    if (part.length === MAX_REQUEST_ENTRIES || bytes + entry.length > MAX_REQUEST_BYTES) {
      yield part;
      [part, bytes] = [[], 0];
    }
    part.push(entry);
    bytes += entry.length;
  }
  if (part.length > 0) yield part;
}

/** RFC 8949, major type 2 with the shortest length. */
function cborByteString(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length < 24) return concatBytes(Uint8Array.of(0x40 + length), bytes);
  if (length < 256) return concatBytes(Uint8Array.of(0x58, length), bytes);
  return concatBytes(Uint8Array.of(0x59, length >> 8, length & 255), bytes);
}

/** One line for each entry; where the log could read no further, one more says why, for all the rest. */
function outcomesOf(body: Uint8Array, count: number): Outcome[] {
  const outcomes = decodeUtf8(body).split('\n').filter(Boolean).slice(0, count).map(outcomeOf);
  const cut = new DaybookError(
    'network',
    `the log answered ${outcomes.length} of ${count} entries`,
  );
  const last = outcomes.at(-1);
  const reason = last instanceof DaybookError ? last : cut;
  return Array.from({ length: count }, (_, i) => outcomes[i] ?? reason);
}

function answerOf(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Reported below, as every other line that is no answer.
  }
  throw new DaybookError('network', `the log answered "${line.slice(0, 80)}", want JSON lines`);
}

function outcomeOf(line: string): Outcome {
  const { index, duplicate, error } = answerOf(line);
  if (error !== undefined) return errorOf(error, 'the log refused the entry');
  return { index: leafIndex(Number(index)), duplicate: duplicate === true };
}
