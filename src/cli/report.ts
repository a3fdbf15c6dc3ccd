/**
 * `--report`: shows a monitor the checkpoints that this client was shown, so that a log which showed
 * others something else is caught. What the monitor answers, or that it does not, changes no verdict.
 */
import { decodeUtf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { Http } from '../http/outbound.ts';
import { parseProofFile } from '../proof/as-release-file.ts';
import { MAX_RELEASE_FILE_BYTES } from '../proof/release-file.ts';
import { isThere, readBytes } from './files.ts';
import { note } from './output.ts';

const MAX_ANSWER_BYTES = 64 * 1024;

/** Sends the checkpoints in `paths` to each monitor; tells on stderr what became of it. */
export async function reportCheckpoints(
  monitors: readonly string[],
  paths: readonly string[],
): Promise<void> {
  const checkpoints = await checkpointsIn(paths);
  await Promise.all(
    monitors.map(async (url) => {
      try {
        const http = new Http(url, { attempts: 2, timeoutMs: 10_000 });
        for (const checkpoint of checkpoints) await report(http, checkpoint);
      } catch (error) {
        const { message } = error as Error;
        note(`the checkpoint could not be reported to ${url}: ${message}`);
      }
    }),
  );
}

async function report(http: Http, checkpoint: Uint8Array): Promise<void> {
  const { body } = await http.call('gossip/checkpoint', {
    method: 'POST',
    body: checkpoint,
    contentType: 'text/plain',
    maxBytes: MAX_ANSWER_BYTES,
  });
  if (verdictIn(body) === 'convicted') {
    note(
      `ATTENTION  ${http.base.href} says that this checkpoint convicts its log; get the evidence from ${new URL('gossip/evidence', http.base).href} and check it with \`daybook evidence verify\``,
    );
  }
}

function verdictIn(body: Uint8Array): unknown {
  try {
    return (JSON.parse(decodeUtf8(body)) as { verdict?: unknown } | null)?.verdict;
  } catch {
    return undefined;
  }
}

/** Each once. A file that is missing or malformed has been told of by the verdict. */
async function checkpointsIn(paths: readonly string[]): Promise<Uint8Array[]> {
  const found = new Map<string, Uint8Array>();
  for (const path of paths) {
    if (!(await isThere(path))) continue;
    try {
      const { checkpoint } = parseProofFile(await readBytes(path, MAX_RELEASE_FILE_BYTES));
      found.set(decodeUtf8(checkpoint), checkpoint);
    } catch (error) {
      if (!(error instanceof DaybookError)) throw error;
    }
  }
  return [...found.values()];
}
