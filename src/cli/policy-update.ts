/** `daybook policy update`: from the version that is there to the newest, one signed step after the other. */
import { join } from 'node:path';
import { Http } from '../http/outbound.ts';
import { DaybookError } from '../errors.ts';
import { nodeVerifier } from '../keys/node-verifier.ts';
import type { ReleasePolicy } from '../verify/release-policy.ts';
import {
  MAX_POLICY_DOCUMENT_BYTES,
  readPolicyDocument,
  walkPolicies,
} from '../verify/signed-policy.ts';
import { isDirectory } from './directory.ts';
import { readBytes, writeAtomically } from './files.ts';
import { print } from './output.ts';
import { trustFile, withTrustState } from './trust-file.ts';

interface Options {
  readonly policy: string;
  readonly from: string;
  readonly state?: string;
}

/** Whoever serves policies must not keep a client walking for good. */
const MAX_STEPS = 1024;

export async function updatePolicy({ policy: path, from, state }: Options): Promise<void> {
  const bytes = await readBytes(path, MAX_POLICY_DOCUMENT_BYTES);
  const there = await readPolicyDocument(bytes, nodeVerifier);
  const fetchVersion = await sourceOf(from);
  let newest = there;
  try {
    for (let i = 0; i < MAX_STEPS; i++) {
      const next = await fetchVersion(newest.version + 1);
      if (next === undefined) break;
      newest = await walk(newest, next);
      // Each step is kept at once: what comes after it and does not verify must not undo it.
      await writeAtomically(path, next);
    }
  } finally {
    await remember(newest, trustFile(state));
  }
  print(
    newest.version === there.version
      ? `${path} has version ${newest.version}, the newest in ${from}`
      : `${path} updated from version ${there.version} to ${newest.version}`,
  );
}

/** So that an older one, put in its place, is refused from now on. Throws `policy-rollback`. */
async function remember({ version }: ReleasePolicy, path: string): Promise<void> {
  await withTrustState(path, async (state) => {
    if (version >= state.policyVersion) {
      return { result: undefined, state: { ...state, policyVersion: version } };
    }
    throw new DaybookError(
      'policy-rollback',
      `the newest policy that was found has version ${version}, but version ${state.policyVersion} was used before`,
    );
  });
}

async function walk(current: ReleasePolicy, next: Uint8Array): Promise<ReleasePolicy> {
  try {
    return await walkPolicies(current, [next], nodeVerifier);
  } catch (error) {
    if (!(error instanceof DaybookError)) throw error;
    throw new DaybookError(
      error.code,
      `${fileName(current.version + 1)}: ${error.message}; version ${current.version} is kept`,
      { cause: error },
    );
  }
}

function fileName(version: number): string {
  return `${version}.policy`;
}

/** Answers undefined for a version that is not there. */
async function sourceOf(
  from: string,
): Promise<(version: number) => Promise<Uint8Array | undefined>> {
  if (!/^https?:/i.test(from)) {
    if (!(await isDirectory(from))) {
      throw new DaybookError(
        'bad-usage',
        `--from ${from} is neither a directory nor an http(s) URL`,
      );
    }
    return (version) =>
      unless(
        ({ cause }) => (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT',
        () => readBytes(join(from, fileName(version)), MAX_POLICY_DOCUMENT_BYTES),
      );
  }
  const http = new Http(from);
  return (version) =>
    unless(
      ({ code }) => code === 'not-found',
      async () => {
        const call = { fresh: true, maxBytes: MAX_POLICY_DOCUMENT_BYTES };
        return (await http.call(fileName(version), call)).body;
      },
    );
}

async function unless<T>(
  isAbsent: (error: DaybookError) => boolean,
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof DaybookError && isAbsent(error)) return undefined;
    throw error;
  }
}
