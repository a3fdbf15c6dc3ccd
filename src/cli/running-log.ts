/** The log that runs on a data directory, asked over HTTP: its database stays its own. */
import type * as z from 'zod';
import { Http } from '../http/outbound.ts';
import { LogClient } from '../client/log-client.ts';
import type { Submitted } from '../client/submit.ts';
import { decodeUtf8 } from '../encoding/bytes.ts';
import { DaybookError } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import { dataFiles, type DataFiles } from '../log/data-directory.ts';
import { admissionSchema } from '../server/admission.ts';
import { readBytes } from './files.ts';
import { readPolicy } from './trust.ts';

export type Admission = z.output<typeof admissionSchema>;
export type AdmittedIssuer = Admission['issuers'][number];

const MAX_SERVER_FILE_BYTES = 64 * 1024;
/** Ten thousand issuers with many scopes. */
const MAX_ADMISSION_BYTES = 16 * 1024 * 1024;

export class RunningLog {
  readonly files: DataFiles;
  readonly origin: string;
  readonly #directory: string;
  readonly #url: string;

  private constructor(directory: string, url: string, origin: string) {
    this.files = dataFiles(directory);
    this.origin = origin;
    this.#directory = directory;
    this.#url = url;
  }

  /** Throws `network`, with the command that starts it, when no log runs on `directory`. */
  static async find(directory: string): Promise<RunningLog> {
    try {
      const bytes = await readBytes(dataFiles(directory).server, MAX_SERVER_FILE_BYTES);
      const { url, origin } = JSON.parse(decodeUtf8(bytes)) as { url: string; origin: string };
      return new RunningLog(directory, url, origin);
    } catch (cause) {
      throw notRunning(directory, cause);
    }
  }

  /** Who may log what now. Throws `wrong-directory` when another log answers at that address. */
  async admission(): Promise<Admission> {
    // One try: this log is on this machine, and either runs or does not.
    const http = new Http(this.#url, { attempts: 1 });
    const { body } = await http
      .call('admission', { accept: 'application/json', maxBytes: MAX_ADMISSION_BYTES })
      .catch((error: unknown) => {
        const away = error instanceof DaybookError && error.code === 'network';
        throw away ? notRunning(this.#directory, error) : error;
      });
    const admission = admissionSchema.parse(JSON.parse(decodeUtf8(body)));
    if (admission.origin === this.origin) return admission;
    throw new DaybookError(
      'wrong-directory',
      `${this.#url} is the log ${admission.origin}, not ${this.origin} of ${this.#directory}: start the log of that directory`,
    );
  }

  /** Logs an entry; its proof is verified by the directory's own policy. */
  async submit(entry: Uint8Array): Promise<Submitted> {
    const policy = await readPolicy(this.files.policy);
    return new LogClient({ url: this.#url, policy, verifier: nodeVerifier }).submit(entry);
  }
}

function notRunning(directory: string, cause: unknown): DaybookError {
  return new DaybookError(
    'network',
    `no log runs on ${directory}: start it with \`npx daybook serve --data ${directory}\``,
    { cause },
  );
}
