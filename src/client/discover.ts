/** Trust on first use: what a log says of itself, for whoever was given nothing else. */
import { equalBytes } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { decodeBundle, MAX_ENTRY_BYTES } from '../merkle/bundle.ts';
import { bundlePath, TILE_WIDTH, tileWidth } from '../merkle/tile.ts';
import { parseCheckpoint } from '../note/checkpoint.ts';
import { MAX_NOTE_BYTES, parseNote } from '../note/note.ts';
import { webVerifier } from '../signature/web-verifier.ts';
import { openGenesis } from '../statement/admission.ts';
import { Http } from '../http/outbound.ts';
import { LogClient, type LogClientOptions } from './log-client.ts';

/**
 * The vkeys that the genesis entry of the log at `url` names, in a tree whose checkpoint one of them
 * signed. Nothing ties them to the log that was meant: keep them, and use them from then on.
 */
export async function discoverVkeys(
  options: Omit<LogClientOptions, 'vkeys' | 'policy'>,
): Promise<readonly string[]> {
  const http = new Http(options.url, options);
  const checkpoint = await http.call('checkpoint', { fresh: true, maxBytes: MAX_NOTE_BYTES });
  const { origin, size } = parseCheckpoint(parseNote(checkpoint.body).text);
  const width = tileWidth(0, 0, size);
  if (width === 0) throw unusable(origin, 'it has no entry yet');
  const maxBytes = TILE_WIDTH * (MAX_ENTRY_BYTES + 2);
  const bundle = await http.call(bundlePath(0, width), { maxBytes });
  const [entry = new Uint8Array(0)] = decodeBundle(bundle.body, width);
  const genesis = await openGenesis(entry, options.verifier ?? webVerifier).catch(
    (cause: unknown) => {
      throw unusable(origin, 'its entry 0 is no genesis statement', cause);
    },
  );
  if (genesis.origin !== origin) throw unusable(origin, `its entry 0 is of ${genesis.origin}`);
  const client = new LogClient({ ...options, vkeys: genesis.logKeys });
  const head = await client.checkpoint();
  if (!equalBytes(await client.entry(0, head), entry))
    throw unusable(origin, 'its entry 0 changed');
  return genesis.logKeys;
}

function unusable(origin: string, problem: string, cause?: unknown): DaybookError {
  return new DaybookError(
    'untrusted-checkpoint',
    `the log ${origin} does not say which keys are its own: ${problem}. Give its vkey or a policy`,
    { cause },
  );
}
